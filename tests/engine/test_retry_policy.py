import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Outcome
from bot.domain.requests import offers_for
from bot.engine.config import EngineConfig
from bot.engine.retry_policy import back_off, poll_pause, polls_by, remaining_offers
from tests.support.factories import make_attempt, make_job, make_request

OFFERS = offers_for(make_request(), ("skillboss", "reve2img"))
JOB = make_job()
CONFIG = EngineConfig(poll_floor=3, poll_ceiling=10)


def refusals(provider: str, *faults: FaultKind) -> list[Attempt]:
    """Return attempts that a provider refused, one for each fault."""
    return [make_attempt(JOB, provider=provider, outcome=Outcome.REFUSED, fault=fault) for fault in faults]


def left(*attempts: Attempt) -> list[str]:
    """Return the providers that are still worth a try."""
    return [offer.provider for offer in remaining_offers(OFFERS, attempts)]


def test_a_fresh_job_may_go_anywhere() -> None:
    """In the operator's order."""
    assert left() == ["skillboss", "reve2img"]


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (FaultKind.RATE_LIMITED, 4),
        (FaultKind.UNAVAILABLE, 4),
        (FaultKind.SERVER_ERROR, 2),
        (FaultKind.KEY_REJECTED, 1),
        (FaultKind.ACCOUNT_EMPTY, 1),
        (FaultKind.MALFORMED, 1),
    ],
)
def test_a_provider_is_tried_as_often_as_its_fault_allows(fault: FaultKind, tries: int) -> None:
    """Then it is the next provider's turn: busy ones get patience, a 500 one more try, a wrong key none."""
    assert left(*refusals("skillboss", *[fault] * (tries - 1))) == ["skillboss", "reve2img"]
    assert left(*refusals("skillboss", *[fault] * tries)) == ["reve2img"]


@pytest.mark.parametrize("fault", [FaultKind.INVALID, FaultKind.CONTENT])
def test_a_request_that_was_refused_for_itself_goes_nowhere_else(fault: FaultKind) -> None:
    """Another provider is not asked for what one has refused to make."""
    assert left(*refusals("skillboss", fault)) == []


def test_when_all_have_been_tried_nothing_is_left() -> None:
    """The job then fails."""
    attempts = [*refusals("skillboss", FaultKind.KEY_REJECTED), *refusals("reve2img", FaultKind.ACCOUNT_EMPTY)]
    assert left(*attempts) == []


def test_tries_of_different_faults_add_up() -> None:
    """A 500 after a 429 was the second try, and a 500 allows no third."""
    assert left(*refusals("skillboss", FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR)) == ["reve2img"]


def test_only_refusals_count() -> None:
    """An attempt under way, or one whose reply was lost, is not a refusal."""
    attempts = [
        make_attempt(JOB, outcome=outcome, fault=FaultKind.KEY_REJECTED) for outcome in Outcome if outcome != "refused"
    ]
    assert left(*attempts) == ["skillboss", "reve2img"]


@pytest.mark.parametrize(
    ("tries", "jitter", "seconds"),
    [(0, 0.5, 2), (1, 0.5, 2), (2, 0.5, 4), (3, 0.5, 8), (1, 0, 1.5), (1, 1, 2.5), (50, 0.5, 60)],
)
def test_the_wait_doubles_up_to_a_minute(tries: int, jitter: float, seconds: float) -> None:
    """With a quarter of jitter to either side, so that jobs do not come back together."""
    assert back_off(tries, jitter, ProviderError(FaultKind.UNAVAILABLE, provider="skillboss")) == seconds


@pytest.mark.parametrize(("said", "seconds"), [(0, 0), (7.5, 7.5), (600, 600), (86_400, 600)])
def test_the_provider_s_own_wait_is_kept(said: float, seconds: float) -> None:
    """`Retry-After` counts as it is, up to ten minutes."""
    error = ProviderError(FaultKind.RATE_LIMITED, provider="skillboss", retry_after=said)
    assert back_off(3, 1, error) == seconds


@pytest.mark.parametrize(
    ("polls", "jitter", "seconds"),
    [(0, 0, 3), (5, 0, 3), (0, 1, 3.75), (6, 0, 3.9), (7, 0, 5.07), (20, 0, 10), (20, 1, 10)],
)
def test_polls_slow_down_from_the_floor_to_the_ceiling(polls: int, jitter: float, seconds: float) -> None:
    """Five at the floor, then a third slower each time."""
    assert poll_pause(polls, jitter, CONFIG) == pytest.approx(seconds)


@pytest.mark.parametrize("polls", [0, 10, 1000, 10**6])
@pytest.mark.parametrize("jitter", [0, 0.5, 1])
def test_a_pause_is_never_below_the_floor(polls: int, jitter: float) -> None:
    """Also where the operator's floor is above the ceiling."""
    assert poll_pause(polls, jitter, EngineConfig(poll_floor=30, poll_ceiling=10)) == 30
    assert 3 <= poll_pause(polls, jitter, CONFIG) <= 10


@pytest.mark.parametrize(("seconds", "polls"), [(0, 0), (3, 0), (4, 1), (17, 5), (10_000, 50)])
def test_after_a_restart_polls_go_on_as_slowly_as_they_had_become(seconds: float, polls: int) -> None:
    """A job that has been at its provider for minutes is not polled as if it had just come there."""
    assert polls_by(seconds, CONFIG) == polls
