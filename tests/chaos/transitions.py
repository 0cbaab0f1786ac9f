"""The rounds that strike at one transition each, with a workload that brings it about."""

import random
from dataclasses import dataclass
from signal import SIGKILL, Signals
from typing import Any, Final

from tests.chaos.scenario import MEMBERS, Event, Mishap, Order, Plan, Strike, UtcDateTime, a_prompt

_THRICE: Final = (UtcDateTime.BEFORE, UtcDateTime.AFTER, UtcDateTime.ANSWERED)
_FAILS: Final = Mishap(server="skillboss", where=("submit", "fail"), how={"reason": "vendor"})
_LONG: Final = 0.7
_SOON: Final = 0.2
# Polls of a bot that has just started may be ten seconds away.
_PATIENCE: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Where a strike hits in a job's life."""

    event: Event
    moment: UtcDateTime

    def __str__(self) -> str:
        """Return it as one word."""
        return f"{self.event}-{self.moment}"


def _transitions() -> tuple[Transition, ...]:
    found = []
    for event in Event:
        moments: tuple[UtcDateTime, ...] = _THRICE
        if event is Event.DELIVERED:
            moments = (UtcDateTime.ANSWERED,)
        elif event is Event.PICTURE:
            moments = (UtcDateTime.BEFORE, UtcDateTime.HALFWAY, UtcDateTime.AFTER, UtcDateTime.ANSWERED)
        found += [Transition(event=event, moment=moment) for moment in moments]
    return tuple(found)


WEBHOOK_TRANSITIONS: Final = tuple(each for each in _transitions() if each.event is Event.WEBHOOK)
TRANSITIONS: Final = tuple(each for each in _transitions() if each.event is not Event.WEBHOOK)


def transition_plan(transition: Transition, seed: int, number: Signals = SIGKILL) -> Plan:
    """Return a round of two jobs, one at each provider, that strikes at this transition."""
    randomness = random.Random(f"{seed}:{transition}:{number.name}")  # noqa: S311 - to be repeated, not a secret
    event = transition.event
    cancels = event in (Event.CANCEL, Event.PRESS)
    options: tuple[dict[str, Any], ...] = ({"images": 2}, {"model": "nano-banana"})
    orders = [
        Order(
            member=MEMBERS[turn],
            prompt=a_prompt(randomness, f"struck at {transition}"),
            after=0.1 * turn,
            cancel_after=_SOON if cancels and turn == 0 else None,
            gone_after=0.0 if event is Event.DIRECT else None,
            options=each,
        )
        for turn, each in enumerate(options)
    ]
    strikes = [Strike(event=event, moment=transition.moment, signal=number)]
    if event is Event.LOOKUP:
        # Only a card whose callback was struck at is looked for.
        strikes.insert(0, Strike(event=Event.CALLBACK, moment=UtcDateTime.AFTER))
    if event is Event.START:
        strikes.insert(0, Strike(event=Event.POLL_QUEUED, moment=UtcDateTime.ANSWERED))
    return Plan(
        name=f"{transition} {number.name}",
        orders=tuple(orders),
        strikes=tuple(strikes),
        mishaps=(_FAILS,) if event is Event.POLL_FAILED else (),
        queue=_LONG if cancels else _SOON,
        work=_LONG if event is Event.POLL_RUNNING else _SOON,
        patience=_PATIENCE,
    )
