from datetime import timedelta
from itertools import product

import pytest

from bot.domain.errors import JobStateError
from bot.domain.jobs import AT_PROVIDER, LIVE, State, check_transition
from tests.support.clock import START
from tests.support.factories import make_context, make_job, make_request

LEGAL = {
    (State.HELD, State.SUBMITTING),
    (State.HELD, State.CANCELLED),
    (State.HELD, State.FAILED),
    (State.HELD, State.LOST),
    (State.SUBMITTING, State.HELD),
    (State.SUBMITTING, State.QUEUED),
    (State.SUBMITTING, State.RUNNING),
    (State.SUBMITTING, State.STORING),
    (State.SUBMITTING, State.UNKNOWN),
    (State.SUBMITTING, State.FAILED),
    (State.UNKNOWN, State.STORING),
    (State.UNKNOWN, State.FAILED),
    (State.QUEUED, State.RUNNING),
    (State.QUEUED, State.STORING),
    (State.QUEUED, State.CANCELLED),
    (State.QUEUED, State.FAILED),
    (State.QUEUED, State.LOST),
    (State.RUNNING, State.STORING),
    (State.RUNNING, State.CANCELLED),
    (State.RUNNING, State.FAILED),
    (State.RUNNING, State.LOST),
    (State.STORING, State.DONE),
    (State.STORING, State.FAILED),
    (State.STORING, State.LOST),
}


@pytest.mark.parametrize(
    ("current", "wanted"),
    [pytest.param(*step, id="-".join(step)) for step in product(State, State) if step not in LEGAL],
)
def test_illegal_transition_raises(current: State, wanted: State) -> None:
    with pytest.raises(JobStateError) as caught:
        check_transition(current, wanted)
    assert (caught.value.state, caught.value.wanted) == (current, wanted)


@pytest.mark.parametrize(("current", "wanted"), [pytest.param(*step, id="-".join(step)) for step in sorted(LEGAL)])
def test_legal_transition_passes(current: State, wanted: State) -> None:
    """Source: the design's table "A job's life"."""
    check_transition(current, wanted)


def test_states_are_live_or_final_and_take_slots_from_submit() -> None:
    ended = {State.DONE, State.FAILED, State.CANCELLED, State.LOST}
    assert {state for state in State if state.ended} == ended
    assert set(LIVE) == set(State) - ended
    assert set(AT_PROVIDER) == set(LIVE) - {State.HELD}


def test_unknown_state_never_leads_to_another_submit() -> None:
    reachable, frontier = set[State](), {State.UNKNOWN}
    while frontier:
        reachable |= frontier
        frontier = {wanted for current, wanted in LEGAL if current in frontier} - reachable
    assert reachable == {State.UNKNOWN, State.STORING, State.DONE, State.FAILED, State.LOST}


@pytest.mark.parametrize(("minutes", "alive"), [(0, True), (13.9, True), (14, False), (15, False)])
def test_token_is_alive_for_fourteen_minutes(minutes: float, alive: bool) -> None:
    """Discord gives fifteen; one is kept in reserve."""
    assert make_job().token_alive(START + timedelta(minutes=minutes)) is alive


def test_erased_token_is_dead() -> None:
    assert make_job(place=make_context(token=None)).token_alive(START) is False


def test_unit_price_is_the_price_of_one_image() -> None:
    assert make_job(request=make_request(images=4, detail=2)).unit_price == 24


@pytest.mark.parametrize(
    ("place", "afterwards"),
    [({}, True), ({"private": True}, False), ({"guild_id": 0}, False)],
    ids=["in a server", "private", "where the bot is not"],
)
def test_card_in_reach_after_token_death_depends_on_the_bot(place: dict[str, int], *, afterwards: bool) -> None:
    job = make_job(place=make_context(**place))
    assert job.card_in_reach(START)
    assert job.card_in_reach(START + timedelta(minutes=15)) == afterwards
