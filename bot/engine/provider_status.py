"""Provider health and the providers open for submits."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bot.domain.aspect_ratios import has_ratio
from bot.domain.catalogue import Catalogue
from bot.domain.errors import FaultKind, ProviderError
from bot.domain.images import ResultImage
from bot.domain.jobs import Job
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest, offers_for
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.clock import Clock
from bot.engine.health import HealthRegistry
from bot.engine.offer_breakers import OfferBreakers
from bot.engine.retry_policy import back_off
from bot.providers.base import Failed, Finished, Pending, Status, SubmitAnswer

_log = structlog.get_logger(__name__)

REST_SECONDS: Final = 900.0
"""Time after the last failure of a model in which nobody gets it unasked: their job would be the probe."""

# Faults of the request say nothing about the provider's health.
_REQUEST_FAULTS: Final = frozenset(
    {
        FaultKind.INVALID,
        FaultKind.CONTENT,
        FaultKind.NOT_FOUND,
        FaultKind.MODEL_UNAVAILABLE,
        FaultKind.WEBHOOK_REFUSED,
        FaultKind.INPUT_NOT_FETCHED,
    }
)


@dataclass(frozen=True, slots=True)
class SubmitEpochs:
    """Epochs of a submit: of its provider and of its offer."""

    provider: int
    offer: int


class ProviderStatus:
    """Health and circuit breakers of all providers and their offers.

    `of_guild`: they are those of a guild's own key, and no concern of the operator.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        health: HealthRegistry,
        breakers: CircuitBreakers,
        clock: Clock,
        of_guild: bool = False,
    ) -> None:
        self._level = logging.INFO if of_guild else logging.ERROR
        self._catalogue = catalogue
        self._offers = {(offer.provider, offer.model): offer for offer in catalogue.offers}
        self._offer_breakers = OfferBreakers(catalogue.offers)
        self._health = health
        self._breakers = breakers
        self._clock = clock
        self._refusing_webhooks: set[str] = set()
        self._listeners: list[Callable[[str], None]] = []

    def subscribe(self, on_withdrawn: Callable[[str], None]) -> None:
        """Call `on_withdrawn` with each model reported as gone."""
        self._listeners.append(on_withdrawn)

    def available_submits(self) -> dict[str, int]:
        """Return how many submits each provider may get now."""
        now = self._clock.monotonic()
        return {provider: self._breakers.available_submits(provider, now) for provider in self._catalogue.providers}

    def open_faults(self) -> dict[str, FaultKind | None]:
        """Return the fault of each provider's open circuit; None while closed."""
        return {provider: self._breakers.open_fault(provider) for provider in self._catalogue.providers}

    def offer_limits(self) -> dict[tuple[str, str], int]:
        """Return how many submits may begin, for offers with a limit.

        The keys are provider and model.
        """
        return self._offer_breakers.limits(self._clock.monotonic())

    def is_blocked(self, request: GenerationRequest) -> bool:
        """Return whether no provider accepts the request until its operator acts."""
        now = self._clock.monotonic()
        offers = offers_for(request, self._catalogue)
        return bool(offers) and all(self._is_blocked(offer, now) for offer in offers)

    def has_withdrawn_offer(self, model: str) -> bool:
        """Return whether any provider called a model gone."""
        return any(offer.model == model and self._offer_breakers.is_withdrawn(offer) for offer in self._offers.values())

    def is_withdrawn(self, offers: Sequence[Offer]) -> bool:
        """Return whether waiting for these offers is useless: a model is gone.

        Each of them is blocked, and a provider said of at least one that its model is gone. Where only keys or accounts
        are at fault, waiting may help.
        """
        now = self._clock.monotonic()
        blocked = bool(offers) and all(self._is_blocked(offer, now) for offer in offers)
        return blocked and any(self._offer_breakers.is_withdrawn(offer) for offer in offers)

    def resting_models(self) -> frozenset[str]:
        """Return the models without a provider at present.

        A model is among them until one of its offers works again, or until `REST_SECONDS` after its last failure: then
        even a job whose member chose no model may be the probe. Each process knows of its submits only.
        """
        now = self._clock.monotonic()
        living = {offer.model for offer in self._offers.values() if not self._is_resting(offer, now)}
        return frozenset(offer.model for offer in self._offers.values()) - living

    def open_longer_than(self, offers: Sequence[Offer], seconds: float) -> FaultKind | None:
        """Return a fault if all these circuits are open for longer than `seconds`.

        None while any of the offers might accept a job.
        """
        now = self._clock.monotonic()
        faults = [
            self._breakers.open_longer_than(offer.provider, now, seconds)
            or self._offer_breakers.open_longer_than(offer, now, seconds)
            for offer in offers
        ]
        return None if None in faults else next(iter(faults), None)

    def next_probe_in(self) -> float | None:
        """Return the seconds until a failing provider or offer may be probed."""
        now = self._clock.monotonic()
        waits = (self._breakers.next_change_in(now), self._offer_breakers.next_change_in(now))
        return min((wait for wait in waits if wait is not None), default=None)

    def record_start(self, offer: Offer) -> SubmitEpochs:
        """Record the start of a submit and return its epochs."""
        now = self._clock.monotonic()
        return SubmitEpochs(
            self._breakers.record_start(offer.provider, now), self._offer_breakers.record_start(offer, now)
        )

    def record_answer(self, offer: Offer, answer: SubmitAnswer, epochs: SubmitEpochs | None) -> None:
        """Record the answer to a submit."""
        provider, epoch = offer.provider, None if epochs is None else epochs.provider
        offer_epoch = None if epochs is None else epochs.offer
        was_open = self._offer_breakers.is_open(offer)
        if isinstance(answer, Failed) and answer.kind is FaultKind.MODEL_UNAVAILABLE:
            self._offer_breakers.record_failed_later(offer, self._clock.monotonic())
        elif isinstance(answer, Finished):
            self._offer_breakers.record_finished(offer, offer_epoch)
        else:
            self._offer_breakers.record_accepted(offer, offer_epoch)
        self._record_closed_models(offer, was_open=was_open)
        self._health.record_success(provider, self._clock.now())
        if isinstance(answer, Failed) and answer.kind is FaultKind.ACCOUNT_EMPTY:
            self._record_failure(provider, answer.kind, epoch)
        elif isinstance(answer, Pending) and self._breakers.open_fault(provider) is FaultKind.ACCOUNT_EMPTY:
            pass  # it also accepts jobs that its account cannot pay: only a finished image proves the account is funded
        else:
            self._breakers.record_success(provider, epoch)

    def record_refusal(
        self, offer: Offer, error: ProviderError, epochs: SubmitEpochs | None, *, member_id: int
    ) -> None:
        """Record a failed submit of a member's job."""
        provider, epoch = offer.provider, None if epochs is None else epochs.provider
        self._record_health_fault(error)
        if error.kind is FaultKind.MODEL_UNAVAILABLE:
            self._breakers.record_success(provider, epoch)  # it answers; only the model is at fault
        else:
            self._record_failure(provider, error.kind, epoch)
        was_open = self._offer_breakers.is_open(offer)
        self._offer_breakers.record_refused(
            offer,
            error.kind,
            self._clock.monotonic(),
            member_id=member_id,
            epoch=None if epochs is None else epochs.offer,
        )
        self._record_closed_models(offer, was_open=was_open, status=error.status)
        if error.kind is FaultKind.WEBHOOK_REFUSED and provider not in self._refusing_webhooks:
            self._refusing_webhooks.add(provider)
            _log.error("webhook.refused", provider=provider, setting="WEBHOOK_PUBLIC_URL", status=error.status)
        if error.kind is FaultKind.RATE_LIMITED and error.retry_after is not None:
            self._breakers.pause(provider, self._clock.monotonic() + back_off(1, 0.0, error))

    def record_lost_reply(self, offer: Offer, epochs: SubmitEpochs | None) -> None:
        """Record a submit without a known end, through a fault of ours."""
        self._record_failure(offer.provider, FaultKind.REPLY_LOST, None if epochs is None else epochs.provider)

    def record_status(self, provider: str, model: str, status: Status | ProviderError) -> None:
        """Record the answer to a poll of a job with this model."""
        if (offer := self._offers.get((provider, model))) is not None:
            self._record_offer_status(offer, status)
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

    def record_images(self, job: Job, provider: str, images: Sequence[ResultImage]) -> None:
        """Log and count images with another aspect ratio than asked."""
        wanted = job.request.aspect_ratio
        for image in images:
            if not has_ratio(image.file.width, image.file.height, wanted):
                _log.warning(
                    "picture.other_ratio",
                    job=job.id,
                    provider=provider,
                    model=job.request.model,
                    wanted=wanted,
                    width=image.file.width,
                    height=image.file.height,
                )
                self._health.record_other_ratio(provider)

    def _is_blocked(self, offer: Offer, now: float) -> bool:
        return self._breakers.is_blocked(offer.provider, now) or self._offer_breakers.is_blocked(offer, now)

    def _is_resting(self, offer: Offer, now: float) -> bool:
        return self._breakers.is_resting(offer.provider, now, REST_SECONDS) or self._offer_breakers.is_resting(
            offer, now, REST_SECONDS
        )

    def _record_offer_status(self, offer: Offer, status: Status | ProviderError) -> None:
        was_open = self._offer_breakers.is_open(offer)
        if isinstance(status, Failed) and status.kind is FaultKind.MODEL_UNAVAILABLE:
            self._offer_breakers.record_failed_later(offer, self._clock.monotonic())
        elif isinstance(status, Finished) and was_open:
            self._offer_breakers.record_finished(offer)
        self._record_closed_models(offer, was_open=was_open)

    def _record_closed_models(self, offer: Offer, *, was_open: bool, status: int | None = None) -> None:
        """Pass the open offers of a provider to `/status`; log a new one."""
        offers = [each for each in self._offers.values() if each.provider == offer.provider]
        closed = tuple(each.model for each in offers if self._offer_breakers.is_open(each))
        self._health.record_closed_models(offer.provider, closed)
        if not was_open and offer.model in closed:
            _log.log(self._level, "model.left_alone", provider=offer.provider, model=offer.model, status=status)
        if self._offer_breakers.is_withdrawn(offer):
            for on_withdrawn in self._listeners:
                on_withdrawn(offer.model)

    def _record_failure(self, provider: str, fault: FaultKind, epoch: int | None = None) -> None:
        """Pass a failed submit to the circuit breaker; log if it opens."""
        before = self._breakers.open_fault(provider)
        self._breakers.record_failure(provider, fault, self._clock.monotonic(), epoch)
        if before is None and self._breakers.open_fault(provider) is not None:
            _log.log(self._level, "provider.left_alone", provider=provider, fault=fault)

    def _record_health_fault(self, error: ProviderError) -> None:
        if error.kind not in _REQUEST_FAULTS:
            self._health.record_fault(error.provider, error.kind, self._clock.now())
