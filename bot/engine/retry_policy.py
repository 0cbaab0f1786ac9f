"""Retry decisions as pure functions: next offer, delays, polls."""

from collections.abc import Sequence
from typing import Final

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Outcome
from bot.domain.models import Offer
from bot.engine.config import EngineConfig

_TRIES_WHEN_BUSY: Final = 4
# A 500 may follow an accepted submit: the seed calls a retry safe, our money allows one.
_TRIES_AFTER_SERVER_ERROR: Final = 2
_LONGEST_BACK_OFF_SECONDS: Final = 60.0
_POLLS_BEFORE_SLOWING: Final = 5
_MOST_SLOWED_POLLS: Final = 50  # far above any ceiling, far below an overflow

_TRIES: Final = {
    FaultKind.RATE_LIMITED: _TRIES_WHEN_BUSY,
    FaultKind.UNAVAILABLE: _TRIES_WHEN_BUSY,
    FaultKind.SERVER_ERROR: _TRIES_AFTER_SERVER_ERROR,
}
_REQUEST_FAULTS: Final = frozenset({FaultKind.INVALID, FaultKind.CONTENT})


def remaining_offers(offers: Sequence[Offer], attempts: Sequence[Attempt]) -> tuple[Offer, ...]:
    """Return the offers still worth a try, in the operator's order.

    None is left once the request itself was refused.
    """
    refusals = [attempt for attempt in attempts if attempt.outcome is Outcome.REFUSED]
    if any(attempt.fault in _REQUEST_FAULTS for attempt in refusals):
        return ()
    return tuple(offer for offer in offers if not _exhausted(offer, refusals))


def _exhausted(offer: Offer, refusals: Sequence[Attempt]) -> bool:
    faults = [attempt.fault for attempt in refusals if attempt.provider == offer.provider]
    return any(fault is not None and len(faults) >= _TRIES.get(fault, 1) for fault in faults)


def back_off(tries: int, jitter: float, error: ProviderError) -> float:
    """Return the seconds before the same provider is tried again.

    The provider's own `Retry-After` counts, else 2, 4, 8 ... with jitter (0-1).
    """
    if error.retry_after is not None:
        return min(error.retry_after, 10 * _LONGEST_BACK_OFF_SECONDS)
    return min(2.0 ** max(1, tries), _LONGEST_BACK_OFF_SECONDS) * (0.75 + 0.5 * jitter)


def poll_pause(polls: int, jitter: float, config: EngineConfig) -> float:
    """Return the seconds to the next poll, with jitter (0-1).

    The pause starts at the floor and grows to the ceiling. It is never below the floor (seed: "every 3-5 s",
    "5-10 s", "2-5 s").
    """
    slowing = 1.3 ** min(max(0, polls - _POLLS_BEFORE_SLOWING), _MOST_SLOWED_POLLS)
    pause = config.poll_floor * slowing * (1 + 0.25 * jitter)
    return max(config.poll_floor, min(pause, max(config.poll_ceiling, config.poll_floor)))


def expected_polls(seconds: float, config: EngineConfig) -> int:
    """Return the number of polls of a job in its first `seconds`.

    A restart continues there. From zero, the polls of all jobs together would be as dense as if all had just
    been submitted.
    """
    polls = 0
    while polls < _MOST_SLOWED_POLLS and (seconds := seconds - poll_pause(polls, 0.5, config)) >= 0:
        polls += 1
    return polls
