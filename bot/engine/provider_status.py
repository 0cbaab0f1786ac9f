"""Provider health and the providers open for submits."""

from collections.abc import Sequence
from typing import Final

import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.requests import GenerationRequest, offers_for
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.clock import Clock
from bot.engine.health import HealthRegistry
from bot.engine.retry_policy import back_off
from bot.providers.base import Failed, Finished, Pending, Status, SubmitAnswer

_log = structlog.get_logger(__name__)

# Faults of the request say nothing about the provider's health.
_REQUEST_FAULTS: Final = frozenset({FaultKind.INVALID, FaultKind.CONTENT, FaultKind.NOT_FOUND})


class ProviderStatus:
    """Health and circuit breakers of all providers."""

    def __init__(
        self, *, providers: Sequence[str], health: HealthRegistry, breakers: CircuitBreakers, clock: Clock
    ) -> None:
        self._providers = tuple(providers)
        self._health = health
        self._breakers = breakers
        self._clock = clock

    def available_submits(self) -> dict[str, int]:
        """Return how many submits each provider may get now."""
        now = self._clock.monotonic()
        return {provider: self._breakers.available_submits(provider, now) for provider in self._providers}

    def is_blocked(self, request: GenerationRequest) -> bool:
        """Return whether no provider accepts the request until its operator acts."""
        now = self._clock.monotonic()
        offers = offers_for(request, self._providers)
        return bool(offers) and all(self._breakers.is_blocked(offer.provider, now) for offer in offers)

    def open_longer_than(self, request: GenerationRequest, seconds: float) -> FaultKind | None:
        """Return a fault if all circuits are open for longer than `seconds`.

        Only providers of the request count; None while any of them might accept it.
        """
        now = self._clock.monotonic()
        offers = offers_for(request, self._providers)
        faults = [self._breakers.open_longer_than(offer.provider, now, seconds) for offer in offers]
        return None if None in faults else next(iter(faults), None)

    def next_probe_in(self) -> float | None:
        """Return the seconds until a failing provider may be probed."""
        return self._breakers.next_change_in(self._clock.monotonic())

    def record_start(self, provider: str) -> int:
        """Record the start of a submit and return its epoch."""
        return self._breakers.record_start(provider, self._clock.monotonic())

    def record_answer(self, provider: str, answer: SubmitAnswer, epoch: int | None) -> None:
        """Record the answer to a submit."""
        self._health.record_success(provider, self._clock.now())
        if isinstance(answer, Failed) and answer.kind is FaultKind.ACCOUNT_EMPTY:
            self._record_failure(provider, answer.kind, epoch)
        elif isinstance(answer, Pending) and self._breakers.open_fault(provider) is FaultKind.ACCOUNT_EMPTY:
            pass  # it also accepts jobs that its account cannot pay: only a finished image proves the account is funded
        else:
            self._breakers.record_success(provider, epoch)

    def record_refusal(self, provider: str, error: ProviderError, epoch: int | None) -> None:
        """Record a failed submit."""
        self._record_health_fault(error)
        self._record_failure(provider, error.kind, epoch)
        if error.kind is FaultKind.RATE_LIMITED and error.retry_after is not None:
            self._breakers.pause(provider, self._clock.monotonic() + back_off(1, 0.0, error))

    def record_lost_reply(self, provider: str, epoch: int | None) -> None:
        """Record a submit without a known end, through a fault of ours."""
        self._record_failure(provider, FaultKind.REPLY_LOST, epoch)

    def record_status(self, provider: str, status: Status | ProviderError) -> None:
        """Record the answer to a poll."""
        if isinstance(status, ProviderError):
            self._record_health_fault(status)
            return
        self._health.record_success(provider, self._clock.now())
        if isinstance(status, Failed) and status.kind is FaultKind.ACCOUNT_EMPTY:
            # SkillBoss accepts jobs that the account cannot pay, and reports it afterwards.
            self._health.record_fault(provider, status.kind, self._clock.now())
            self._record_failure(provider, status.kind)
        elif isinstance(status, Finished) and self._breakers.open_fault(provider) is FaultKind.ACCOUNT_EMPTY:
            self._breakers.record_success(provider)

    def _record_failure(self, provider: str, fault: FaultKind, epoch: int | None = None) -> None:
        """Pass a failed submit to the circuit breaker; log if it opens."""
        before = self._breakers.open_fault(provider)
        self._breakers.record_failure(provider, fault, self._clock.monotonic(), epoch)
        if before is None and self._breakers.open_fault(provider) is not None:
            _log.error("provider.left_alone", provider=provider, fault=fault)

    def _record_health_fault(self, error: ProviderError) -> None:
        if error.kind not in _REQUEST_FAULTS:
            self._health.record_fault(error.provider, error.kind, self._clock.now())
