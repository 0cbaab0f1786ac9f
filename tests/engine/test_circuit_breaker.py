"""The circuit breaker: every transition, and that there are never two probes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import FaultKind
from bot.engine.circuit_breaker import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PROBE_EXPIRES,
    TROUBLES_TO_OPEN,
    UNLIMITED,
    CircuitBreakers,
)

START = 1_000.0


@pytest.fixture
def breakers() -> CircuitBreakers:
    """Return the breakers of two providers, closed."""
    return CircuitBreakers(["skillboss", "reve2img"])


def fail(breakers: CircuitBreakers, fault: FaultKind, now: float = START, times: int = 1) -> None:
    """Let as many submits to SkillBoss begin and fail."""
    for _ in range(times):
        breakers.record_failure("skillboss", fault, now, breakers.record_start("skillboss", now))


def opened(breakers: CircuitBreakers) -> float:
    """Open the circuit of SkillBoss, and return the time at which it may be probed."""
    fail(breakers, FaultKind.KEY_REJECTED)
    return START + FIRST_PAUSE


def test_at_first_there_is_plenty_of_room(breakers: CircuitBreakers) -> None:
    """A circuit is closed until something goes wrong, and nobody waits for anything."""
    assert breakers.available_submits("skillboss", START) == UNLIMITED
    assert breakers.next_change_in(START) is None


@pytest.mark.parametrize(
    "fault", [FaultKind.UNAVAILABLE, FaultKind.SERVER_ERROR, FaultKind.REPLY_LOST, FaultKind.MALFORMED]
)
def test_several_troubles_in_a_row_open_it(breakers: CircuitBreakers, fault: FaultKind) -> None:
    """The fifth in a row opens, not the fourth; the other provider's circuit does not mind."""
    fail(breakers, fault, times=TROUBLES_TO_OPEN - 1)
    assert breakers.available_submits("skillboss", START) == UNLIMITED
    fail(breakers, fault)
    assert breakers.available_submits("skillboss", START) == 0
    assert breakers.next_change_in(START) == FIRST_PAUSE
    assert breakers.available_submits("reve2img", START) == UNLIMITED


@pytest.mark.parametrize("fault", [FaultKind.KEY_REJECTED, FaultKind.ACCOUNT_EMPTY])
def test_what_only_the_operator_can_mend_opens_it_at_once(breakers: CircuitBreakers, fault: FaultKind) -> None:
    """With a wrong key or an empty account there is nothing to count."""
    fail(breakers, fault)
    assert breakers.available_submits("skillboss", START) == 0


@pytest.mark.parametrize("answer", [None, FaultKind.INVALID, FaultKind.CONTENT])
def test_an_answer_between_begins_the_count_anew(breakers: CircuitBreakers, answer: FaultKind | None) -> None:
    """Success, or a refusal of the request itself, comes from a provider that is well."""
    fail(breakers, FaultKind.UNAVAILABLE, times=TROUBLES_TO_OPEN - 1)
    if answer is None:
        breakers.record_success("skillboss", breakers.record_start("skillboss", START))
    else:
        fail(breakers, answer)
    fail(breakers, FaultKind.UNAVAILABLE, times=TROUBLES_TO_OPEN - 1)
    assert breakers.available_submits("skillboss", START) == UNLIMITED


@pytest.mark.parametrize("fault", [FaultKind.RATE_LIMITED, FaultKind.INTERNAL])
def test_a_full_provider_and_faults_of_ours_do_not_count(breakers: CircuitBreakers, fault: FaultKind) -> None:
    """They open nothing, and they do not break a row of troubles either."""
    fail(breakers, fault, times=10 * TROUBLES_TO_OPEN)
    fail(breakers, FaultKind.UNAVAILABLE, times=TROUBLES_TO_OPEN - 1)
    fail(breakers, fault)
    assert breakers.available_submits("skillboss", START) == UNLIMITED
    fail(breakers, FaultKind.UNAVAILABLE)
    assert breakers.available_submits("skillboss", START) == 0


def test_after_the_pause_there_is_room_for_one_probe(breakers: CircuitBreakers) -> None:
    """Not a moment before; while it is under way there is no room for another, and waiting means its expiry."""
    due = opened(breakers)
    assert breakers.available_submits("skillboss", due - 0.001) == 0
    assert breakers.available_submits("skillboss", due) == 1
    assert breakers.next_change_in(due) is None
    breakers.record_start("skillboss", due)
    assert breakers.available_submits("skillboss", due) == 0
    assert breakers.next_change_in(due) == PROBE_EXPIRES


@pytest.mark.parametrize("answer", [None, FaultKind.INVALID, FaultKind.CONTENT, FaultKind.RATE_LIMITED])
def test_a_probe_that_is_answered_closes_it(breakers: CircuitBreakers, answer: FaultKind | None) -> None:
    """Also when the answer is a refusal of the request: somebody is there. The next trouble begins with the count."""
    due = opened(breakers)
    probe = breakers.record_start("skillboss", due)
    if answer is None:
        breakers.record_success("skillboss", probe)
    else:
        breakers.record_failure("skillboss", answer, due, probe)
    assert breakers.available_submits("skillboss", due) == UNLIMITED
    fail(breakers, FaultKind.UNAVAILABLE, due, times=TROUBLES_TO_OPEN - 1)
    assert breakers.available_submits("skillboss", due) == UNLIMITED
    fail(breakers, FaultKind.UNAVAILABLE, due)
    assert breakers.next_change_in(due) == FIRST_PAUSE


@pytest.mark.parametrize("fault", [FaultKind.UNAVAILABLE, FaultKind.REPLY_LOST, FaultKind.KEY_REJECTED])
def test_each_failed_probe_doubles_the_pause(breakers: CircuitBreakers, fault: FaultKind) -> None:
    """Up to five minutes; a probe that succeeds brings it back to the first."""
    now = opened(breakers)
    pauses = []
    for _ in range(7):
        breakers.record_failure("skillboss", fault, now, breakers.record_start("skillboss", now))
        pause = breakers.next_change_in(now)
        assert pause is not None
        pauses.append(pause)
        now += pause
    assert pauses == [30.0, 60.0, 120.0, 240.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    breakers.record_success("skillboss", breakers.record_start("skillboss", now))
    fail(breakers, FaultKind.ACCOUNT_EMPTY, now)
    assert breakers.next_change_in(now) == FIRST_PAUSE


def test_a_fault_of_ours_gives_the_probe_back(breakers: CircuitBreakers) -> None:
    """It says nothing of the provider: another probe may begin at once."""
    due = opened(breakers)
    breakers.record_failure("skillboss", FaultKind.INTERNAL, due, breakers.record_start("skillboss", due))
    assert breakers.available_submits("skillboss", due) == 1


def test_a_probe_that_is_never_heard_of_expires(breakers: CircuitBreakers) -> None:
    """After three minutes another may try; what the first one then says does not matter any more."""
    due = opened(breakers)
    lost = breakers.record_start("skillboss", due)
    assert breakers.available_submits("skillboss", due + PROBE_EXPIRES - 0.001) == 0
    assert breakers.available_submits("skillboss", due + PROBE_EXPIRES) == 1
    assert breakers.next_change_in(due + PROBE_EXPIRES) is None
    breakers.record_start("skillboss", due + PROBE_EXPIRES)
    breakers.record_success("skillboss", lost)
    assert breakers.available_submits("skillboss", due + PROBE_EXPIRES) == 0


def test_a_late_probe_counts_while_there_is_no_other(breakers: CircuitBreakers) -> None:
    """Nobody has taken its place, so its answer is as good as any."""
    due = opened(breakers)
    breakers.record_success("skillboss", breakers.record_start("skillboss", due))
    assert breakers.available_submits("skillboss", due + 2 * PROBE_EXPIRES) == UNLIMITED


def test_submits_from_before_the_trouble_do_not_matter_after_it(breakers: CircuitBreakers) -> None:
    """Their ends neither close an open circuit, nor end a probe, nor count once it is closed again."""
    early = [breakers.record_start("skillboss", START) for _ in range(20)]
    due = opened(breakers)
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


def test_a_submit_that_begins_without_room_counts_for_nothing(breakers: CircuitBreakers) -> None:
    """The circuit opened between the look and the submit: it is no probe, and its end changes nothing."""
    due = opened(breakers)
    early = breakers.record_start("skillboss", START)
    breakers.record_success("skillboss", early)
    assert breakers.available_submits("skillboss", START) == 0
    breakers.record_start("skillboss", due)
    second = breakers.record_start("skillboss", due)
    breakers.record_success("skillboss", second)
    assert breakers.available_submits("skillboss", due) == 0


def test_without_an_era_the_latest_submit_is_meant(breakers: CircuitBreakers) -> None:
    """Where there is a probe it is that one; where none may have begun, the end changes nothing."""
    due = opened(breakers)
    breakers.record_success("skillboss")
    breakers.record_failure("skillboss", FaultKind.UNAVAILABLE, START)
    assert breakers.next_change_in(START) == FIRST_PAUSE
    breakers.record_start("skillboss", due)
    breakers.record_success("skillboss")
    assert breakers.available_submits("skillboss", due) == UNLIMITED


def test_the_next_change_is_that_of_the_first_provider(breakers: CircuitBreakers) -> None:
    """Two pauses, and whoever may be probed sooner is waited for."""
    fail(breakers, FaultKind.KEY_REJECTED)
    breakers.record_failure("reve2img", FaultKind.KEY_REJECTED, START + 5, breakers.record_start("reve2img", START + 5))
    assert breakers.next_change_in(START + 5) == FIRST_PAUSE - 5
    assert breakers.next_change_in(START + FIRST_PAUSE) == 5


@given(
    st.lists(
        st.tuples(
            st.floats(0, 400),
            st.sampled_from(["begin", "succeed", *FaultKind]),
            st.integers(0, 100),
        ),
        max_size=200,
    )
)
def test_never_two_probes_at_once(happenings: list[tuple[float, str, int]]) -> None:
    """However submits begin, end and get lost: probes that may still be under way never overlap."""
    breakers = CircuitBreakers(["skillboss"])
    now = START
    under_way: list[tuple[int, bool, float]] = []
    for seconds, what, which in happenings:
        now += seconds
        room = breakers.available_submits("skillboss", now)
        assert room in {0, 1, UNLIMITED}
        wait = breakers.next_change_in(now)
        assert (wait is not None and wait > 0) == (room == 0)
        if what == "begin":
            if room:
                probing = [begun for _, probe, begun in under_way if probe and now < begun + PROBE_EXPIRES]
                assert room == UNLIMITED or not probing
                under_way.append((breakers.record_start("skillboss", now), room == 1, now))
            continue
        if under_way:
            epoch, *_ = under_way.pop(which % len(under_way))
            if what == "succeed":
                breakers.record_success("skillboss", epoch)
            else:
                breakers.record_failure("skillboss", FaultKind(what), now, epoch)
