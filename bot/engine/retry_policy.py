"""Retry decisions as pure functions: next offer, delays, polls."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Outcome
from bot.domain.models import Offer
from bot.engine.config import EngineConfig

_TRIES_WHEN_BUSY: Final = 4
# A 500 may follow an accepted submit: the seed calls a retry safe, our money allows one.
_TRIES_AFTER_SERVER_ERROR: Final = 2
_LONGEST_BACK_OFF_SECONDS: Final = 60.0
_LONGEST_RETRY_AFTER_SECONDS: Final = 600.0
# A later time comes from a clock that was set back since.
_LONGEST_PAUSE: Final = timedelta(seconds=_LONGEST_RETRY_AFTER_SECONDS)
_POLLS_BEFORE_SLOWING: Final = 5
_MOST_SLOWED_POLLS: Final = 50  # far above any ceiling, far below an overflow

_TRIES: Final = {
    FaultKind.RATE_LIMITED: _TRIES_WHEN_BUSY,
    FaultKind.UNAVAILABLE: _TRIES_WHEN_BUSY,
    FaultKind.SERVER_ERROR: _TRIES_AFTER_SERVER_ERROR,
}


def remaining_offers(offers: Sequence[Offer], attempts: Sequence[Attempt]) -> tuple[Offer, ...]:
    """Return the offers still worth a try, in the operator's order.

    None is left once a provider refused the content: others have the same rules, and a prompt is not passed around
    until somebody takes it.
    """
    if any(attempt.outcome is Outcome.REFUSED and attempt.fault is FaultKind.CONTENT for attempt in attempts):
        return ()
    refusals = [attempt for attempt in attempts if _is_first_refusal(attempt)]
    return tuple(offer for offer in offers if not _exhausted(offer, refusals))


def ready_offers(offers: Sequence[Offer], attempts: Sequence[Attempt], now: datetime) -> tuple[Offer, ...]:
    """Return the offers of providers without a pause.

    Providers that refused this job least often come first, else the order stays: another provider takes over at the
    first refusal.
    """
    refusals = _refusals_by_provider(attempts)
    ready = [offer for offer in offers if _paused_until(refusals.get(offer.provider, ()), now) is None]
    return tuple(sorted(ready, key=lambda offer: len(_counted(refusals.get(offer.provider, ())))))


def next_retry_at(offers: Sequence[Offer], attempts: Sequence[Attempt], now: datetime) -> datetime | None:
    """Return the first end of a pause for a job; None without a pause."""
    refusals = _refusals_by_provider(attempts)
    ends = [_paused_until(refusals.get(offer.provider, ()), now) for offer in offers]
    return min((end for end in ends if end is not None), default=None)


def is_webhook_refused(provider: str, attempts: Sequence[Attempt]) -> bool:
    """Return whether a provider refused the webhook URL of a job."""
    refusals = _refusals_by_provider(attempts).get(provider, ())
    return any(attempt.fault is FaultKind.WEBHOOK_REFUSED for attempt in refusals)


def refusals_of(provider: str, attempts: Sequence[Attempt]) -> int:
    """Return how often a provider refused a job."""
    return len(_refusals_by_provider(attempts).get(provider, ()))


def _refusals_by_provider(attempts: Sequence[Attempt]) -> dict[str, list[Attempt]]:
    refusals: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if _is_first_refusal(attempt):
            refusals.setdefault(attempt.provider, []).append(attempt)
    return refusals


def _is_first_refusal(attempt: Attempt) -> bool:
    """Return whether a call was refused and counts for its batch.

    All calls of a batch together are one try: the first part stands for them.
    """
    return attempt.outcome is Outcome.REFUSED and attempt.part == 0


def _paused_until(refusals: Sequence[Attempt], now: datetime) -> datetime | None:
    """Return the end of a provider's pause after its refusals, or None."""
    last = refusals[-1].retry_at if refusals else None
    return last if last is not None and now < last <= now + _LONGEST_PAUSE else None


def _exhausted(offer: Offer, refusals: Sequence[Attempt]) -> bool:
    faults = [attempt.fault for attempt in _counted(refusals) if attempt.provider == offer.provider]
    return any(fault is not None and len(faults) >= _TRIES.get(fault, 1) for fault in faults)


def _counted(refusals: Sequence[Attempt]) -> list[Attempt]:
    """Return the refusals without those of a webhook URL.

    They use up no try: the next one has no webhook URL.
    """
    return [attempt for attempt in refusals if attempt.fault is not FaultKind.WEBHOOK_REFUSED]


def back_off(tries: int, jitter: float, error: ProviderError) -> float:
    """Return the seconds before the same provider is tried again.

    The provider's own `Retry-After` counts, else 2, 4, 8 ... with jitter (0-1). Without its webhook URL a job may go at
    once.
    """
    if error.kind is FaultKind.WEBHOOK_REFUSED:
        return 0.0
    if error.retry_after is not None:
        return min(error.retry_after, _LONGEST_RETRY_AFTER_SECONDS)
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
