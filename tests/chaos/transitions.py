"""Rounds with a strike at one transition, and a fitting workload."""

import random
from dataclasses import dataclass
from signal import SIGKILL, Signals
from typing import Any, Final

from tests.chaos.scenario import MEMBERS, Event, Incident, PlannedRequest, Scenario, Strike, StrikeMoment, make_prompt

_COMMON_MOMENTS: Final = (StrikeMoment.BEFORE, StrikeMoment.AFTER, StrikeMoment.ANSWERED)
_FAILS: Final = Incident(server="skillboss", where=("submit", "fail"), how={"reason": "vendor"})
_LONG: Final = 0.7
_SOON: Final = 0.2
# A restarted bot may wait ten seconds before it polls.
_PATIENCE: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A strike's place in a job's life."""

    event: Event
    moment: StrikeMoment

    def __str__(self) -> str:
        """Return the transition as one word."""
        return f"{self.event}-{self.moment}"


def _transitions() -> tuple[Transition, ...]:
    found = []
    for event in Event:
        if event is Event.KEPT:
            continue  # only of providers that answer with pictures: see studios.py
        moments: tuple[StrikeMoment, ...] = _COMMON_MOMENTS
        if event is Event.DELIVERED:
            moments = (StrikeMoment.ANSWERED,)
        elif event is Event.PICTURE:
            moments = (StrikeMoment.BEFORE, StrikeMoment.HALFWAY, StrikeMoment.AFTER, StrikeMoment.ANSWERED)
        found += [Transition(event=event, moment=moment) for moment in moments]
    return tuple(found)


WEBHOOK_TRANSITIONS: Final = tuple(each for each in _transitions() if each.event is Event.WEBHOOK)
TRANSITIONS: Final = tuple(each for each in _transitions() if each.event is not Event.WEBHOOK)


def transition_scenario(transition: Transition, seed: int, number: Signals = SIGKILL) -> Scenario:
    """Return a round with a job at each provider and a strike at `transition`."""
    randomness = random.Random(f"{seed}:{transition}:{number.name}")  # noqa: S311 - to be repeated, not a secret
    event = transition.event
    cancels = event in (Event.CANCEL, Event.PRESS)
    options: tuple[dict[str, Any], ...] = ({"images": 2}, {"model": "nano-banana"})
    requests = [
        PlannedRequest(
            member=MEMBERS[turn],
            prompt=make_prompt(randomness, f"struck at {transition}"),
            after=0.1 * turn,
            cancel_after=_SOON if cancels and turn == 0 else None,
            gone_after=0.0 if event is Event.DIRECT else None,
            options=each,
        )
        for turn, each in enumerate(options)
    ]
    strikes = [Strike(event=event, moment=transition.moment, signal=number)]
    if event is Event.LOOKUP:
        # A card is looked up only after a strike at its callback.
        strikes.insert(0, Strike(event=Event.CALLBACK, moment=StrikeMoment.AFTER))
    if event is Event.START:
        strikes.insert(0, Strike(event=Event.POLL_QUEUED, moment=StrikeMoment.ANSWERED))
    return Scenario(
        name=f"{transition} {number.name}",
        requests=tuple(requests),
        strikes=tuple(strikes),
        incidents=(_FAILS,) if event is Event.POLL_FAILED else (),
        queue=_LONG if cancels else _SOON,
        work=_LONG if event is Event.POLL_RUNNING else _SOON,
        patience=_PATIENCE,
    )
