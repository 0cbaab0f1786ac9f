"""How the providers stand: what their answers say of them, to whom submits may go, and what the operator is told."""

from collections.abc import Sequence
from typing import Final

import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.requests import GenerationRequest, offers_for
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.clock import Clock
from bot.engine.health import HealthRegistry
from bot.providers.base import Failed, Finished, Pending, Status, Submission

_log = structlog.get_logger(__name__)

# Faults that say nothing of the provider's health.
_THE_REQUEST_ITSELF: Final = frozenset({FaultKind.INVALID, FaultKind.CONTENT, FaultKind.NOT_FOUND})


class ProviderStatus:
    """The providers' health and their circuit breakers, by what is heard from them."""

    def __init__(
        self, *, providers: Sequence[str], health: HealthRegistry, breakers: CircuitBreakers, clock: Clock
    ) -> None:
        self._providers = tuple(providers)
        self._health = health
        self._breakers = breakers
        self._clock = clock

    def available_submits(self) -> dict[str, int]:
        """Return how many submits each provider may be sent now."""
        now = self._clock.monotonic()
        return {provider: self._breakers.available_submits(provider, now) for provider in self._providers}

    def is_blocked(self, request: GenerationRequest) -> bool:
        """Return whether every provider of what is asked for lets nobody in until its operator does something."""
        now = self._clock.monotonic()
        offers = offers_for(request, self._providers)
        return bool(offers) and all(self._breakers.is_blocked(offer.provider, now) for offer in offers)

    def open_longer_than(self, request: GenerationRequest, seconds: float) -> FaultKind | None:
        """Return what has kept every provider from taking this for so long; None while any might."""
        now = self._clock.monotonic()
        offers = offers_for(request, self._providers)
        faults = [self._breakers.open_longer_than(offer.provider, now, seconds) for offer in offers]
        return None if None in faults else next(iter(faults), None)

    def next_probe_in(self) -> float | None:
        """Return the seconds until a provider that was in trouble may be tried again."""
        return self._breakers.next_change_in(self._clock.monotonic())

    def record_start(self, provider: str) -> int:
        """Hear that a submit begins; its end is told with what is returned."""
        return self._breakers.record_start(provider, self._clock.monotonic())

    def record_answer(self, provider: str, answer: Submission, epoch: int | None) -> None:
        """Hear what a submit was answered."""
        self._health.record_success(provider, self._clock.now())
        if isinstance(answer, Failed) and answer.kind is FaultKind.ACCOUNT_EMPTY:
            self._record_failure(provider, answer.kind, epoch)
        elif isinstance(answer, Pending) and self._breakers.open_fault(provider) is FaultKind.ACCOUNT_EMPTY:
            pass  # a provider that takes what it cannot pay for is only believed once it has drawn something
        else:
            self._breakers.record_success(provider, epoch)

    def record_refusal(self, provider: str, error: ProviderError, epoch: int | None) -> None:
        """Hear why a submit was not answered as it should be."""
        self._record_health_fault(error)
        self._record_failure(provider, error.kind, epoch)

    def record_lost_reply(self, provider: str, epoch: int | None) -> None:
        """Hear that nobody knows how a submit ended, for a reason that is no provider's."""
        self._record_failure(provider, FaultKind.REPLY_LOST, epoch)

    def record_status(self, provider: str, status: Status | ProviderError) -> None:
        """Hear what a provider says of a job."""
        if isinstance(status, ProviderError):
            self._record_health_fault(status)
            return
        self._health.record_success(provider, self._clock.now())
        if isinstance(status, Failed) and status.kind is FaultKind.ACCOUNT_EMPTY:
            # SkillBoss takes jobs that it cannot pay for, and says so afterwards.
            self._health.record_fault(provider, status.kind, self._clock.now())
            self._record_failure(provider, status.kind)
        elif isinstance(status, Finished) and self._breakers.open_fault(provider) is FaultKind.ACCOUNT_EMPTY:
            self._breakers.record_success(provider)

    def _record_failure(self, provider: str, fault: FaultKind, epoch: int | None = None) -> None:
        """Tell the provider's circuit breaker of a submit's fault, and the operator if that opens it."""
        before = self._breakers.open_fault(provider)
        self._breakers.record_failure(provider, fault, self._clock.monotonic(), epoch)
        if before is None and self._breakers.open_fault(provider) is not None:
            _log.error("provider.left_alone", provider=provider, fault=fault)

    def _record_health_fault(self, error: ProviderError) -> None:
        if error.kind not in _THE_REQUEST_ITSELF:
            self._health.record_fault(error.provider, error.kind, self._clock.now())
