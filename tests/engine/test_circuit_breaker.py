"""The circuit breaker: every transition, and never two probes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import FaultKind
from bot.engine.circuit_breaker import (
    FAILURES_TO_OPEN,
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PROBE_TIMEOUT_SECONDS,
    UNLIMITED,
    WINDOW_SUBMITS,
    CircuitBreakers,
)

START = 1_000.0


@pytest.fixture
def breakers() -> CircuitBreakers:
    """Return the closed circuit breakers of two providers."""
    return CircuitBreakers(["skillboss", "reve2img"])


def fail(breakers: CircuitBreakers, fault: FaultKind, now: float = START, times: int = 1) -> None:
    """Start and fail `times` submits to SkillBoss."""
    for _ in range(times):
        breakers.record_failure("skillboss", fault, now, breakers.record_start("skillboss", now))


def open_circuit(breakers: CircuitBreakers) -> float:
    """Open the circuit of SkillBoss; return the time of its probe."""
    fail(breakers, FaultKind.KEY_REJECTED)
    return START + FIRST_PAUSE_SECONDS


def test_new_circuit_is_closed_and_waits_for_nothing(breakers: CircuitBreakers) -> None:
    assert breakers.available_submits("skillboss", START) == UNLIMITED
    assert breakers.next_change_in(START) is None


@pytest.mark.parametrize(
    "fault", [FaultKind.UNAVAILABLE, FaultKind.SERVER_ERROR, FaultKind.REPLY_LOST, FaultKind.MALFORMED]
)
def test_fifth_failure_in_a_row_opens_circuit(breakers: CircuitBreakers, fault: FaultKind) -> None:
    # The fourth does not, and the other provider's circuit stays closed.
    fail(breakers, fault, times=FAILURES_TO_OPEN - 1)
    assert breakers.available_submits("skillboss", START) == UNLIMITED
    fail(breakers, fault)
    assert breakers.available_submits("skillboss", START) == 0
    assert breakers.next_change_in(START) == FIRST_PAUSE_SECONDS
    assert breakers.available_submits("reve2img", START) == UNLIMITED


@pytest.mark.parametrize("fault", [FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY])
def test_wrong_key_or_empty_account_opens_circuit_at_once(breakers: CircuitBreakers, fault: FaultKind) -> None:
    fail(breakers, fault)
    assert breakers.available_submits("skillboss", START) == 0


@pytest.mark.parametrize("answer", [None, FaultKind.INVALID, FaultKind.CONTENT])
def test_success_or_refused_request_resets_failure_count(breakers: CircuitBreakers, answer: FaultKind | None) -> None:
    fail(breakers, FaultKind.UNAVAILABLE, times=FAILURES_TO_OPEN - 1)
    if answer is None:
        breakers.record_success("skillboss", breakers.record_start("skillboss", START))
    else:
        fail(breakers, answer)
    fail(breakers, FaultKind.UNAVAILABLE, times=FAILURES_TO_OPEN - 1)
    assert breakers.available_submits("skillboss", START) == UNLIMITED


@pytest.mark.parametrize("fault", [FaultKind.RATE_LIMITED, FaultKind.INTERNAL])
def test_rate_limit_and_internal_fault_do_not_count(breakers: CircuitBreakers, fault: FaultKind) -> None:
    # They do not reset the count either.
    fail(breakers, fault, times=10 * FAILURES_TO_OPEN)
    fail(breakers, FaultKind.UNAVAILABLE, times=FAILURES_TO_OPEN - 1)
    fail(breakers, fault)
    assert breakers.available_submits("skillboss", START) == UNLIMITED
    fail(breakers, FaultKind.UNAVAILABLE)
    assert breakers.available_submits("skillboss", START) == 0


def test_half_of_twenty_failures_opens_circuit(breakers: CircuitBreakers) -> None:
    for _ in range(WINDOW_SUBMITS // 2):
        assert breakers.open_fault("skillboss") is None
        breakers.record_success("skillboss", breakers.record_start("skillboss", START))
        fail(breakers, FaultKind.SERVER_ERROR)
    assert breakers.open_fault("skillboss") is FaultKind.SERVER_ERROR


def test_a_third_of_failures_leaves_circuit_closed(breakers: CircuitBreakers) -> None:
    for _ in range(100):
        fail(breakers, FaultKind.SERVER_ERROR)
        for _ in range(2):
            breakers.record_success("skillboss", breakers.record_start("skillboss", START))
    assert breakers.available_submits("skillboss", START) == UNLIMITED


def test_paused_provider_gets_no_submit_until_the_time_it_named(breakers: CircuitBreakers) -> None:
    breakers.pause("skillboss", START + 60)
    breakers.pause("skillboss", START + 3)
    assert breakers.available_submits("skillboss", START + 59) == 0
    assert breakers.next_change_in(START + 59) == 1
    assert breakers.available_submits("reve2img", START) == UNLIMITED
    assert breakers.available_submits("skillboss", START + 60) == UNLIMITED
    assert breakers.open_fault("skillboss") is None


def test_circuit_after_pause_allows_one_probe(breakers: CircuitBreakers) -> None:
    # During the probe no other submit may begin, and the next change is the probe's expiry.
    due = open_circuit(breakers)
    assert breakers.available_submits("skillboss", due - 0.001) == 0
    assert breakers.available_submits("skillboss", due) == 1
    assert breakers.next_change_in(due) is None
    breakers.record_start("skillboss", due)
    assert breakers.available_submits("skillboss", due) == 0
    assert breakers.next_change_in(due) == PROBE_TIMEOUT_SECONDS


@pytest.mark.parametrize("answer", [None, FaultKind.INVALID, FaultKind.CONTENT, FaultKind.RATE_LIMITED])
def test_answered_probe_closes_circuit(breakers: CircuitBreakers, answer: FaultKind | None) -> None:
    # A refusal of the request closes it too. The failure count starts at zero then.
    due = open_circuit(breakers)
    probe = breakers.record_start("skillboss", due)
    if answer is None:
        breakers.record_success("skillboss", probe)
    else:
        breakers.record_failure("skillboss", answer, due, probe)
    assert breakers.available_submits("skillboss", due) == UNLIMITED
    fail(breakers, FaultKind.UNAVAILABLE, due, times=FAILURES_TO_OPEN - 1)
    assert breakers.available_submits("skillboss", due) == UNLIMITED
    fail(breakers, FaultKind.UNAVAILABLE, due)
    assert breakers.next_change_in(due) == FIRST_PAUSE_SECONDS


@pytest.mark.parametrize("fault", [FaultKind.UNAVAILABLE, FaultKind.REPLY_LOST, FaultKind.KEY_REJECTED])
def test_failed_probe_doubles_pause_up_to_five_minutes(breakers: CircuitBreakers, fault: FaultKind) -> None:
    # A successful probe resets the pause.
    now = open_circuit(breakers)
    pauses = []
    for _ in range(7):
        breakers.record_failure("skillboss", fault, now, breakers.record_start("skillboss", now))
        pause = breakers.next_change_in(now)
        assert pause is not None
        pauses.append(pause)
        now += pause
    assert pauses == [30.0, 60.0, 120.0, 240.0, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    breakers.record_success("skillboss", breakers.record_start("skillboss", now))
    fail(breakers, FaultKind.ACCOUNT_EMPTY, now)
    assert breakers.next_change_in(now) == FIRST_PAUSE_SECONDS


def test_internal_fault_of_probe_allows_another_at_once(breakers: CircuitBreakers) -> None:
    due = open_circuit(breakers)
    breakers.record_failure("skillboss", FaultKind.INTERNAL, due, breakers.record_start("skillboss", due))
    assert breakers.available_submits("skillboss", due) == 1


def test_probe_without_end_expires_after_three_minutes(breakers: CircuitBreakers) -> None:
    # Its late end no longer counts.
    due = open_circuit(breakers)
    lost = breakers.record_start("skillboss", due)
    assert breakers.available_submits("skillboss", due + PROBE_TIMEOUT_SECONDS - 0.001) == 0
    assert breakers.available_submits("skillboss", due + PROBE_TIMEOUT_SECONDS) == 1
    assert breakers.next_change_in(due + PROBE_TIMEOUT_SECONDS) is None
    breakers.record_start("skillboss", due + PROBE_TIMEOUT_SECONDS)
    breakers.record_success("skillboss", lost)
    assert breakers.available_submits("skillboss", due + PROBE_TIMEOUT_SECONDS) == 0


def test_late_probe_without_successor_counts(breakers: CircuitBreakers) -> None:
    due = open_circuit(breakers)
    breakers.record_success("skillboss", breakers.record_start("skillboss", due))
    assert breakers.available_submits("skillboss", due + 2 * PROBE_TIMEOUT_SECONDS) == UNLIMITED


def test_submit_from_before_opening_does_not_count(breakers: CircuitBreakers) -> None:
    # Its end neither closes an open circuit, nor ends a probe, nor counts after the circuit has closed.
    early = [breakers.record_start("skillboss", START) for _ in range(20)]
    due = open_circuit(breakers)
    breakers.record_success("skillboss", early[0])
    assert breakers.available_submits("skillboss", START) == 0
    probe = breakers.record_start("skillboss", due)
    breakers.record_failure("skillboss", FaultKind.REPLY_LOST, due, early[1])
    breakers.record_success("skillboss", early[2])
    assert breakers.available_submits("skillboss", due) == 0
    breakers.record_success("skillboss", probe)
    for each in early[3:]:
        breakers.record_failure("skillboss", FaultKind.REPLY_LOST, due, each)
    assert breakers.available_submits("skillboss", due) == UNLIMITED


def test_submit_begun_in_open_circuit_does_not_count(breakers: CircuitBreakers) -> None:
    # The circuit opened between the check and the submit: the submit is no probe.
    due = open_circuit(breakers)
    early = breakers.record_start("skillboss", START)
    breakers.record_success("skillboss", early)
    assert breakers.available_submits("skillboss", START) == 0
    breakers.record_start("skillboss", due)
    second = breakers.record_start("skillboss", due)
    breakers.record_success("skillboss", second)
    assert breakers.available_submits("skillboss", due) == 0


def test_end_without_epoch_belongs_to_latest_submit(breakers: CircuitBreakers) -> None:
    # It ends a running probe; without one, in an open circuit, it changes nothing.
    due = open_circuit(breakers)
    breakers.record_success("skillboss")
    breakers.record_failure("skillboss", FaultKind.UNAVAILABLE, START)
    assert breakers.next_change_in(START) == FIRST_PAUSE_SECONDS
    breakers.record_start("skillboss", due)
    breakers.record_success("skillboss")
    assert breakers.available_submits("skillboss", due) == UNLIMITED


def test_next_change_is_earliest_of_all_providers(breakers: CircuitBreakers) -> None:
    fail(breakers, FaultKind.KEY_REJECTED)
    breakers.record_failure("reve2img", FaultKind.KEY_REJECTED, START + 5, breakers.record_start("reve2img", START + 5))
    assert breakers.next_change_in(START + 5) == FIRST_PAUSE_SECONDS - 5
    assert breakers.next_change_in(START + FIRST_PAUSE_SECONDS) == 5


@given(
    st.lists(
        st.tuples(
            st.floats(0, 400),
            st.sampled_from(["begin", "succeed", "pause", *FaultKind]),
            st.integers(0, 100),
        ),
        max_size=200,
    )
)
def test_probes_never_overlap_for_any_sequence(happenings: list[tuple[float, str, int]]) -> None:
    # Submits begin, end and get lost in any order.
    breakers = CircuitBreakers(["skillboss"])
    now = START
    under_way: list[tuple[int, bool, float]] = []
    for seconds, what, which in happenings:
        now += seconds
        room = breakers.available_submits("skillboss", now)
        assert room in {0, 1, UNLIMITED}
        wait = breakers.next_change_in(now)
        assert (wait is not None and wait > 0) == (room == 0)
        if what == "pause":
            breakers.pause("skillboss", now + which)
            continue
        if what == "begin":
            if room:
                probing = [begun for _, probe, begun in under_way if probe and now < begun + PROBE_TIMEOUT_SECONDS]
                assert room == UNLIMITED or not probing
                under_way.append((breakers.record_start("skillboss", now), room == 1, now))
            continue
        if under_way:
            epoch, *_ = under_way.pop(which % len(under_way))
            if what == "succeed":
                breakers.record_success("skillboss", epoch)
            else:
                breakers.record_failure("skillboss", FaultKind(what), now, epoch)
