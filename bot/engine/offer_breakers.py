"""Circuit breakers of single models at single providers.

A provider may answer well and still have withdrawn one of its models. Then that offer gets no submit but a probe now
and then, and the provider's other models go on. The module is pure, as `bot.engine.circuit_breaker` is.
"""

from collections.abc import Iterable
from typing import Final

from bot.domain.errors import FaultKind
from bot.domain.models import Offer
from bot.engine.circuit_breaker import UNLIMITED, CircuitBreakers

MEMBERS_TO_OPEN: Final = 3
"""Different members refused in a row: by then the fault is the provider's, not theirs."""


class OfferBreakers:
    """The circuit breakers of all offers; see `CircuitBreakers`."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._offers = tuple(offers)
        self._circuits = CircuitBreakers(_key(offer) for offer in self._offers)
        self._refused: dict[str, set[int]] = {_key(offer): set() for offer in self._offers}
        # Offers that accept jobs and fail them afterwards: accepting one proves nothing there.
        self._failing_later: set[str] = set()
        # Offers whose provider itself said that the model is gone.
        self._withdrawn: set[str] = set()

    def limits(self, now: float) -> dict[tuple[str, str], int]:
        """Return how many submits may begin, by provider and model.

        Offers without a limit are left out.
        """
        free = {offer: self._circuits.available_submits(_key(offer), now) for offer in self._offers}
        return {(offer.provider, offer.model): count for offer, count in free.items() if count < UNLIMITED}

    def record_start(self, offer: Offer, now: float) -> int:
        """Record the start of a submit and return its epoch."""
        return self._circuits.record_start(_key(offer), now)

    def record_accepted(self, offer: Offer, epoch: int | None = None) -> None:
        """Record an accepted submit."""
        if _key(offer) not in self._failing_later:
            self.record_finished(offer, epoch)

    def record_finished(self, offer: Offer, epoch: int | None = None) -> None:
        """Record a job with images."""
        self._refused[_key(offer)].clear()
        self._failing_later.discard(_key(offer))
        self._withdrawn.discard(_key(offer))
        self._circuits.record_success(_key(offer), epoch)

    def record_refused(
        self, offer: Offer, fault: FaultKind, now: float, *, member_id: int, epoch: int | None = None
    ) -> None:
        """Record a refused submit of a member's job.

        A probe that refuses a member who was refused before proves nothing, so one member cannot keep a circuit open.
        """
        key = _key(offer)
        refused = self._refused[key]
        if fault is FaultKind.MODEL_UNAVAILABLE:
            self._withdrawn.add(key)
        if fault is FaultKind.INVALID:
            known = member_id in refused
            refused.add(member_id)
            fault = FaultKind.INTERNAL
            if not known and len(refused) >= MEMBERS_TO_OPEN:
                fault = FaultKind.MODEL_UNAVAILABLE
        if fault is not FaultKind.MODEL_UNAVAILABLE:
            fault = FaultKind.INTERNAL  # it says nothing about the model; a probe may be repeated
        self._circuits.record_failure(key, fault, now, epoch)

    def record_failed_later(self, offer: Offer, now: float) -> None:
        """Record the late failure of a job for want of its model."""
        self._failing_later.add(_key(offer))
        self._withdrawn.add(_key(offer))
        self._circuits.record_failure(_key(offer), FaultKind.MODEL_UNAVAILABLE, now)

    def is_open(self, offer: Offer) -> bool:
        """Return whether an offer's circuit is open or half-open."""
        return self._circuits.open_fault(_key(offer)) is not None

    def open_longer_than(self, offer: Offer, now: float, seconds: float) -> FaultKind | None:
        """Return the circuit's fault if it is open for longer than `seconds`."""
        return self._circuits.open_longer_than(_key(offer), now, seconds)

    def is_blocked(self, offer: Offer, now: float) -> bool:
        """Return whether an offer gets no submit before its next probe."""
        return self._circuits.is_blocked(_key(offer), now)

    def is_resting(self, offer: Offer, now: float, seconds: float) -> bool:
        """Return whether an offer is blocked, or failed within `seconds`."""
        return self._circuits.is_resting(_key(offer), now, seconds)

    def is_withdrawn(self, offer: Offer) -> bool:
        """Return whether the provider called the model gone, without images since."""
        return _key(offer) in self._withdrawn and self.is_open(offer)

    def next_change_in(self, now: float) -> float | None:
        """Return the seconds until the next probe; None if waiting is useless."""
        return self._circuits.next_change_in(now)


def _key(offer: Offer) -> str:
    return f"{offer.provider}/{offer.model}"
