"""Circuit breakers: stop submits to a failing provider, then probe it.

The pattern is Nygard's ("Release It!"): *closed*, submits flow; *open*, no submit may begin; *half-open*,
one probe at a time may, and its end closes the circuit or opens it for twice as long. Failures in a row open it, and a
high rate of failures does. Only submits count: a provider that answers every poll and accepts no jobs is useless.

A provider that names a time (Retry-After) gets no submit before, whether its circuit is closed or not.

The module is pure: callers pass the time in seconds of a monotonic clock. Each process learns by itself.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bot.domain.errors import FaultKind

FAILURES_TO_OPEN: Final = 5
WINDOW_SUBMITS: Final = 20
FAILURES_IN_WINDOW_TO_OPEN: Final = 10
FIRST_PAUSE_SECONDS: Final = 15.0
LONGEST_PAUSE_SECONDS: Final = 300.0
# Longer than any submit takes: the end of such a probe never arrives, its task was cancelled.
PROBE_TIMEOUT_SECONDS: Final = 180.0
UNLIMITED: Final = 1_000_000

# The next submit would most likely fail too. A lost or malformed reply may belong to an accepted, paid job: few more
# should follow.
_COUNTED: Final = frozenset({FaultKind.UNAVAILABLE, FaultKind.SERVER_ERROR, FaultKind.REPLY_LOST, FaultKind.MALFORMED})
# Only the operator can fix these, so the first one opens the circuit.
_OPERATOR_ONLY: Final = frozenset({FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY, FaultKind.MODEL_UNAVAILABLE})
# A rate limit has a separate back-off, and an internal fault is ours.
_IGNORED: Final = frozenset({FaultKind.RATE_LIMITED, FaultKind.INTERNAL})

_NO_EPOCH: Final = 0


class CircuitBreakers:
    """The circuit breakers of all providers.

    `record_start` returns the epoch in which a submit began. The submit's end is recorded with it, so that a
    late end is ignored once the circuit has changed: a submit from before the failures does not end the probe
    after them.
    """

    def __init__(self, providers: Iterable[str]) -> None:
        self._circuits = {provider: _Circuit() for provider in providers}

    def available_submits(self, provider: str, now: float) -> int:
        """Return how many submits may begin now: `UNLIMITED`, 1 (a probe) or 0."""
        return self._circuits[provider].available_submits(now)

    def record_start(self, provider: str, now: float) -> int:
        """Record the start of a submit and return its epoch.

        A submit that begins while none is available (the circuit has just opened) counts for nothing.
        """
        return self._circuits[provider].record_start(now)

    def record_success(self, provider: str, epoch: int | None = None) -> None:
        """Record a successful submit. `epoch` defaults to the current one."""
        self._circuits[provider].record_success(epoch)

    def record_failure(self, provider: str, fault: FaultKind, now: float, epoch: int | None = None) -> None:
        """Record a refused submit or a lost reply.

        `epoch` defaults to the current one.
        """
        self._circuits[provider].record_failure(fault, now, epoch)

    def pause(self, provider: str, until: float) -> None:
        """Begin no submit to a provider before `until`, as it asked."""
        circuit = self._circuits[provider]
        circuit.paused_until = max(circuit.paused_until, until)

    def open_fault(self, provider: str) -> FaultKind | None:
        """Return the fault of an open circuit; None while closed."""
        return self._circuits[provider].open_fault

    def open_longer_than(self, provider: str, now: float, seconds: float) -> FaultKind | None:
        """Return the circuit's fault if it is open for longer than `seconds`."""
        circuit = self._circuits[provider]
        return circuit.open_fault if circuit.opened_at is not None and now - circuit.opened_at > seconds else None

    def is_blocked(self, provider: str, now: float) -> bool:
        """Return whether a provider accepts no submit until its operator acts.

        It is an estimate: false once a probe may begin.
        """
        circuit = self._circuits[provider]
        return circuit.open_fault in _OPERATOR_ONLY and not circuit.available_submits(now)

    def is_resting(self, provider: str, now: float, seconds: float) -> bool:
        """Return whether a fault for the operator is recent or blocks submits.

        It is recent for `seconds` after the last failure.
        """
        circuit = self._circuits[provider]
        if circuit.open_fault not in _OPERATOR_ONLY or circuit.failed_at is None:
            return False
        return now - circuit.failed_at < seconds or not circuit.available_submits(now)

    def next_change_in(self, now: float) -> float | None:
        """Return the seconds until the next probe; None if waiting is useless."""
        waits = [wait for circuit in self._circuits.values() if (wait := circuit.next_change_in(now)) is not None]
        return min(waits, default=None)


@dataclass(slots=True)
class _Circuit:
    """The breaker of one provider.

    It is closed while `open_until` is None, and half-open from that time on.
    """

    epoch: int = _NO_EPOCH + 1
    failures: int = 0
    pause: float = FIRST_PAUSE_SECONDS
    open_until: float | None = None
    probed_at: float | None = None
    open_fault: FaultKind | None = None
    opened_at: float | None = None
    failed_at: float | None = None  # the failure that opened the circuit, or that of the latest probe
    paused_until: float = float("-inf")
    # True for a counted failure, of the latest submits.
    window: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW_SUBMITS))

    def available_submits(self, now: float) -> int:
        if now < self.paused_until:
            return 0
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
        if self._is_current(epoch):
            self._close()

    def record_failure(self, fault: FaultKind, now: float, epoch: int | None) -> None:
        if not self._is_current(epoch):
            return
        if self.probed_at is not None:
            self._probe_failed(fault, now)
        elif fault in _OPERATOR_ONLY:
            self._open(FIRST_PAUSE_SECONDS, fault, now)
        elif fault in _COUNTED:
            self.failures += 1
            self.window.append(True)
            if self.failures >= FAILURES_TO_OPEN or sum(self.window) >= FAILURES_IN_WINDOW_TO_OPEN:
                self._open(FIRST_PAUSE_SECONDS, fault, now)
        elif fault not in _IGNORED:
            self._close()

    def next_change_in(self, now: float) -> float | None:
        if now < self.paused_until:
            return self.paused_until - now
        if self.open_until is None:
            return None
        if now < self.open_until:
            return self.open_until - now
        if self.probed_at is None or not self._is_probed(now):
            return None
        return self.probed_at + PROBE_TIMEOUT_SECONDS - now

    def _is_current(self, epoch: int | None) -> bool:
        """Return whether a submit of this epoch still counts.

        None counts while the circuit is open without a probe: no submit should have begun.
        """
        return (epoch is None or epoch == self.epoch) and (self.open_until is None or self.probed_at is not None)

    def _is_probed(self, now: float) -> bool:
        return self.probed_at is not None and now < self.probed_at + PROBE_TIMEOUT_SECONDS

    def _probe_failed(self, fault: FaultKind, now: float) -> None:
        if fault in _COUNTED or fault in _OPERATOR_ONLY:
            self._open(min(2 * self.pause, LONGEST_PAUSE_SECONDS), fault, now)
        elif fault is FaultKind.INTERNAL:
            self.probed_at = None  # our fault says nothing about the provider: another probe may begin
        else:
            self._close()  # the request was refused, but the provider answers

    def _open(self, pause: float, fault: FaultKind, now: float) -> None:
        self.epoch += 1
        self.open_fault = fault
        self.opened_at = now if self.opened_at is None else self.opened_at
        self.failed_at = now
        self.pause = pause
        self.open_until = now + pause
        self.probed_at = None
        self.window.clear()

    def _close(self) -> None:
        """Close the circuit, or reset the count of a closed one."""
        if self.open_until is not None:
            self.epoch += 1
        else:
            self.window.append(False)
        self.failures = 0
        self.pause = FIRST_PAUSE_SECONDS
        self.open_until = None
        self.probed_at = None
        self.open_fault = None
        self.opened_at = None
        self.failed_at = None
