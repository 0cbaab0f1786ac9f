"""A circuit breaker a provider: one that does not take jobs is left alone for a while, then tried with one job.

The pattern is the field's own (Nygard, "Release It!"): *closed*, submits flow; *open*, none may begin; *half-open*,
one probe at a time may, and its end closes the circuit or opens it for twice as long. Only submits feed it: a provider
that answers every poll and takes no jobs is of no use to anybody.

Pure: whoever asks says what time it is, in seconds of a monotonic clock, and each process learns by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bot.domain.errors import FaultKind

TROUBLES_TO_OPEN: Final = 5
FIRST_PAUSE: Final = 15.0
LONGEST_PAUSE: Final = 300.0
# Longer than any submit takes: the end of such a probe will never be heard (its task was cancelled).
PROBE_EXPIRES: Final = 180.0
UNLIMITED: Final = 1_000_000

# After these the next submit would most likely fare no better. A submit whose answer was lost, or made no sense, was
# perhaps taken and paid for: not many more should follow it.
_TROUBLES: Final = frozenset({FaultKind.UNAVAILABLE, FaultKind.SERVER_ERROR, FaultKind.REPLY_LOST, FaultKind.MALFORMED})
# Nobody but the operator can mend these, so there is nothing to count.
_FINAL: Final = frozenset({FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY})
# A full provider has a back-off of its own.
_UNCOUNTED: Final = frozenset({FaultKind.RATE_LIMITED, FaultKind.INTERNAL})

_NO_EPOCH: Final = 0


class CircuitBreakers:
    """The circuit breakers of all providers.

    `begun` names the era of a circuit in which a submit began; with it, an end that is heard later, when the circuit
    has changed, is told from one that matters: a submit from before the trouble does not end the probe after it.
    """

    def __init__(self, providers: Iterable[str]) -> None:
        self._circuits = {provider: _Circuit() for provider in providers}

    def available_submits(self, provider: str, now: float) -> int:
        """Return how many submits to a provider may begin now: plenty, none, or one as a probe."""
        return self._circuits[provider].available_submits(now)

    def record_start(self, provider: str, now: float) -> int:
        """Hear that a submit begins, and return what its end is to be told with.

        One that begins without room (the circuit opened a moment ago) counts for nothing.
        """
        return self._circuits[provider].record_start(now)

    def record_success(self, provider: str, epoch: int | None = None) -> None:
        """Hear that a submit was answered as it should be; without an era, that of the latest one is meant."""
        self._circuits[provider].record_success(epoch)

    def record_failure(self, provider: str, fault: FaultKind, now: float, epoch: int | None = None) -> None:
        """Hear that a submit was refused, or that its reply was lost; without an era, the latest one's is meant."""
        self._circuits[provider].record_failure(fault, now, epoch)

    def open_fault(self, provider: str) -> FaultKind | None:
        """Return what opened a provider's circuit; None while it is closed."""
        return self._circuits[provider].open_fault

    def open_longer_than(self, provider: str, now: float, seconds: float) -> FaultKind | None:
        """Return what has kept a provider's circuit from closing for longer than `seconds`, if it has."""
        circuit = self._circuits[provider]
        return circuit.open_fault if circuit.opened_at is not None and now - circuit.opened_at > seconds else None

    def is_blocked(self, provider: str, now: float) -> bool:
        """Return whether a provider lets nobody in until its operator does something, as far as can be known now."""
        circuit = self._circuits[provider]
        return circuit.open_fault in _FINAL and not circuit.available_submits(now)

    def next_change_in(self, now: float) -> float | None:
        """Return the seconds until a provider without room may be probed; None where waiting changes nothing."""
        waits = [wait for circuit in self._circuits.values() if (wait := circuit.next_change_in(now)) is not None]
        return min(waits, default=None)


@dataclass(slots=True)
class _Circuit:
    """One provider's breaker: closed while `open_until` is None, half-open once that time has come."""

    epoch: int = _NO_EPOCH + 1
    troubles: int = 0
    pause: float = FIRST_PAUSE
    open_until: float | None = None
    probed_at: float | None = None
    open_fault: FaultKind | None = None
    opened_at: float | None = None

    def available_submits(self, now: float) -> int:
        if self.open_until is None:
            return UNLIMITED
        return 0 if now < self.open_until or self._is_probed(now) else 1

    def record_start(self, now: float) -> int:
        if self.open_until is None:
            return self.epoch
        if not self.available_submits(now):
            return _NO_EPOCH
        self.epoch += 1
        self.probed_at = now
        return self.epoch

    def record_success(self, epoch: int | None) -> None:
        if self._counts(epoch):
            self._close()

    def record_failure(self, fault: FaultKind, now: float, epoch: int | None) -> None:
        if not self._counts(epoch):
            return
        if self.probed_at is not None:
            self._probe_failed(fault, now)
        elif fault in _FINAL:
            self._open(FIRST_PAUSE, fault, now)
        elif fault in _TROUBLES:
            self.troubles += 1
            if self.troubles >= TROUBLES_TO_OPEN:
                self._open(FIRST_PAUSE, fault, now)
        elif fault not in _UNCOUNTED:
            self._close()

    def next_change_in(self, now: float) -> float | None:
        if self.open_until is None:
            return None
        if now < self.open_until:
            return self.open_until - now
        return self.probed_at + PROBE_EXPIRES - now if self.probed_at is not None and self._is_probed(now) else None

    def _counts(self, epoch: int | None) -> bool:
        """Return whether an end is of this era, and not of a time when nothing should have begun."""
        return (epoch is None or epoch == self.epoch) and (self.open_until is None or self.probed_at is not None)

    def _is_probed(self, now: float) -> bool:
        return self.probed_at is not None and now < self.probed_at + PROBE_EXPIRES

    def _probe_failed(self, fault: FaultKind, now: float) -> None:
        if fault in _TROUBLES or fault in _FINAL:
            self._open(min(2 * self.pause, LONGEST_PAUSE), fault, now)
        elif fault is FaultKind.INTERNAL:
            self.probed_at = None  # ours: it says nothing of the provider, and another may try
        else:
            self._close()  # refused, but by a provider that is there

    def _open(self, pause: float, fault: FaultKind, now: float) -> None:
        self.epoch += 1
        self.open_fault = fault
        self.opened_at = now if self.opened_at is None else self.opened_at
        self.pause = pause
        self.open_until = now + pause
        self.probed_at = None

    def _close(self) -> None:
        """Close; in a circuit that is closed, begin to count anew."""
        if self.open_until is not None:
            self.epoch += 1
        self.troubles = 0
        self.pause = FIRST_PAUSE
        self.open_until = None
        self.probed_at = None
        self.open_fault = None
        self.opened_at = None
