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

    def room(self) -> dict[str, int]:
        """Return how many submits each provider may be sent now."""
        now = self._clock.monotonic()
        return {provider: self._breakers.room(provider, now) for provider in self._providers}

    def shut(self, request: GenerationRequest) -> bool:
        """Return whether every provider of what is asked for lets nobody in until its operator does something."""
        now = self._clock.monotonic()
        offers = offers_for(request, self._providers)
        return bool(offers) and all(self._breakers.shut(offer.provider, now) for offer in offers)

    def lasting(self, request: GenerationRequest, seconds: float) -> FaultKind | None:
        """Return what has kept every provider from taking this for so long; None while any might."""
        now = self._clock.monotonic()
        offers = offers_for(request, self._providers)
        faults = [self._breakers.lasting(offer.provider, now, seconds) for offer in offers]
        return None if None in faults else next(iter(faults), None)

    def next_probe(self) -> float | None:
        """Return the seconds until a provider that was in trouble may be tried again."""
        return self._breakers.next_change(self._clock.monotonic())

    def begun(self, provider: str) -> int:
        """Hear that a submit begins; its end is told with what is returned."""
        return self._breakers.begun(provider, self._clock.monotonic())

    def submitted(self, provider: str, answer: Submission, era: int | None) -> None:
        """Hear what a submit was answered."""
        self._health.good(provider, self._clock.now())
        if isinstance(answer, Failed) and answer.kind is FaultKind.ACCOUNT_EMPTY:
            self._trip(provider, answer.kind, era)
        elif isinstance(answer, Pending) and self._breakers.fault(provider) is FaultKind.ACCOUNT_EMPTY:
            pass  # a provider that takes what it cannot pay for is only believed once it has drawn something
        else:
            self._breakers.succeeded(provider, era)

    def refused(self, provider: str, error: ProviderError, era: int | None) -> None:
        """Hear why a submit was not answered as it should be."""
        self._note(error)
        self._trip(provider, error.kind, era)

    def lost(self, provider: str, era: int | None) -> None:
        """Hear that nobody knows how a submit ended, for a reason that is no provider's."""
        self._trip(provider, FaultKind.REPLY_LOST, era)

    def told(self, provider: str, status: Status | ProviderError) -> None:
        """Hear what a provider says of a job."""
        if isinstance(status, ProviderError):
            self._note(status)
            return
        self._health.good(provider, self._clock.now())
        if isinstance(status, Failed) and status.kind is FaultKind.ACCOUNT_EMPTY:
            # SkillBoss takes jobs that it cannot pay for, and says so afterwards.
            self._health.bad(provider, status.kind, self._clock.now())
            self._trip(provider, status.kind)
        elif isinstance(status, Finished) and self._breakers.fault(provider) is FaultKind.ACCOUNT_EMPTY:
            self._breakers.succeeded(provider)

    def _trip(self, provider: str, fault: FaultKind, era: int | None = None) -> None:
        """Tell the provider's circuit breaker of a submit's fault, and the operator if that opens it."""
        before = self._breakers.fault(provider)
        self._breakers.failed(provider, fault, self._clock.monotonic(), era)
        if before is None and self._breakers.fault(provider) is not None:
            _log.error("provider.left_alone", provider=provider, fault=fault)

    def _note(self, error: ProviderError) -> None:
        if error.kind not in _THE_REQUEST_ITSELF:
            self._health.bad(error.provider, error.kind, self._clock.now())
