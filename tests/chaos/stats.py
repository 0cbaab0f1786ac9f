"""Counts of strikes and results, and their table."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.call_invariants import purchases
from tests.chaos.invariants import settlement
from tests.chaos.runner import RoundResult


class Stats:
    """Counts over all rounds of a suite."""

    def __init__(self) -> None:
        self.rounds = 0
        self.seconds = 0.0
        self.slowest_stop = 0.0
        self.hits: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.bills: Counter[str] = Counter()

    def add(self, result: RoundResult, *, by_calls: bool = False) -> None:
        """Count a round; `by_calls` counts the pictures of its calls."""
        self.rounds += 1
        self.seconds += result.seconds
        self.slowest_stop = max([self.slowest_stop, *(stop.seconds for stop in result.stops)])
        self.hits.update(result.hits)
        if result.observations is None:
            return
        for record in result.observations.records:
            self.ends.update(_ends(record.jobs[0].state if record.jobs else None, answered=record.card is not None))
            found = None if by_calls else settlement(record)
            if by_calls:
                self.bills.update(purchases(record))
            if found is not None:
                self.bills[found] += 1

    def lines(self) -> Iterator[str]:
        """Yield the lines of the table."""
        accepted = sum(self.bills.values())
        yield f"rounds: {self.rounds}, of {self.seconds / max(1, self.rounds):.1f} s each"
        yield f"the slowest stop took {self.slowest_stop:.1f} s"
        yield from _table("kills and stops", self.hits)
        yield from _table("requests by their end", self.ends)
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
