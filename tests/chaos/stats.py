"""Counting what rounds did and what came of it, and the table of it."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.invariants import bill
from tests.chaos.runner import Played


class Tally:
    """Counts of all rounds of a campaign."""

    def __init__(self) -> None:
        self.rounds = 0
        self.seconds = 0.0
        self.slowest_stop = 0.0
        self.hits: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.bills: Counter[str] = Counter()

    def add(self, played: Played) -> None:
        """Count a round."""
        self.rounds += 1
        self.seconds += played.seconds
        self.slowest_stop = max([self.slowest_stop, *(stop.seconds for stop in played.stops)])
        self.hits.update(played.hits)
        if played.evidence is None:
            return
        for case in played.evidence.cases:
            self.ends.update(_ends(case.booked[0].state if case.booked else None, answered=case.card is not None))
            found = bill(case)
            if found is not None:
                self.bills[found] += 1

    def lines(self) -> Iterator[str]:
        """Return the table, line by line."""
        accepted = sum(self.bills.values())
        yield f"rounds: {self.rounds}, of {self.seconds / max(1, self.rounds):.1f} s each"
        yield f"the slowest stop took {self.slowest_stop:.1f} s"
        yield from _table("kills and stops", self.hits)
        yield from _table("orders by their end", self.ends)
        yield from _table(f"accepted by a provider ({accepted})", self.bills)


def _ends(state: str | None, *, answered: bool) -> Iterator[str]:
    if state is not None:
        yield state if answered else f"{state}, never acknowledged"
    else:
        yield "answered without a job" if answered else "never answered, no job"


def _table(title: str, counts: Counter[str]) -> Iterator[str]:
    yield f"{title}: {sum(counts.values())}"
    for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        yield f"  {count:6,}  {name}"
