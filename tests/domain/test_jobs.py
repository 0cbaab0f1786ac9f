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
def test_an_illegal_step_is_refused(current: State, wanted: State) -> None:
    """Whatever the design's table does not have: to stay, to go back, to leave an end, to skip the payment."""
    with pytest.raises(JobStateError) as caught:
        check_transition(current, wanted)
    assert (caught.value.state, caught.value.wanted) == (current, wanted)


@pytest.mark.parametrize(("current", "wanted"), [pytest.param(*step, id="-".join(step)) for step in sorted(LEGAL)])
def test_a_legal_step_is_let_through(current: State, wanted: State) -> None:
    """The design's table: "A job's life"."""
    check_transition(current, wanted)


def test_the_ends_are_ends() -> None:
    """A job is live or ended, and takes a slot from the submit until the end."""
    ended = {State.DONE, State.FAILED, State.CANCELLED, State.LOST}
    assert {state for state in State if state.ended} == ended
    assert set(LIVE) == set(State) - ended
    assert set(AT_PROVIDER) == set(LIVE) - {State.HELD}


def test_a_lost_reply_is_never_submitted_again() -> None:
    """From UNKNOWN no way leads back to a submit."""
    reachable, frontier = set[State](), {State.UNKNOWN}
    while frontier:
        reachable |= frontier
        frontier = {wanted for current, wanted in LEGAL if current in frontier} - reachable
    assert reachable == {State.UNKNOWN, State.STORING, State.DONE, State.FAILED, State.LOST}


@pytest.mark.parametrize(("minutes", "alive"), [(0, True), (13.9, True), (14, False), (15, False)])
def test_a_token_lives_almost_a_quarter_of_an_hour(minutes: float, alive: bool) -> None:  # noqa: FBT001
    """Discord gives fifteen minutes, of which one is kept in reserve."""
    assert make_job().token_alive(START + timedelta(minutes=minutes)) is alive


def test_an_erased_token_is_dead() -> None:
    """However young the job is."""
    assert make_job(place=make_context(token=None)).token_alive(START) is False


def test_a_job_knows_the_price_of_one_picture() -> None:
    """What is charged is this, for each picture that arrived."""
    assert make_job(request=make_request(images=4, detail=2)).unit_price == 24


@pytest.mark.parametrize(
    ("place", "afterwards"),
    [({}, True), ({"private": True}, False), ({"guild_id": 0}, False)],
    ids=["in a server", "private", "where the bot is not"],
)
def test_which_cards_are_in_reach_once_their_token_is_dead(place: dict[str, int], *, afterwards: bool) -> None:
    """All are while it lives; then the bot's own token has to do, and not every card listens to that."""
    job = make_job(place=make_context(**place))
    assert job.card_in_reach(START)
    assert job.card_in_reach(START + timedelta(minutes=15)) == afterwards
