from datetime import timedelta

import pytest

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.jobs import Attempt, Outcome
from bot.domain.requests import offers_for
from bot.engine.config import EngineConfig
from bot.engine.retry_policy import (
    back_off,
    expected_polls,
    next_retry_at,
    poll_pause,
    ready_offers,
    remaining_offers,
)
from tests.support.catalogue import BOTH
from tests.support.clock import START
from tests.support.factories import make_attempt, make_job, make_request

OFFERS = offers_for(make_request(), BOTH)
JOB = make_job()
CONFIG = EngineConfig(poll_floor=3, poll_ceiling=10)


def refusals(provider: str, *faults: FaultKind) -> list[Attempt]:
    """Return refused attempts, one for each fault."""
    return [make_attempt(JOB, provider=provider, outcome=Outcome.REFUSED, fault=fault) for fault in faults]


def left(*attempts: Attempt) -> list[str]:
    """Return the providers still worth a try."""
    return [offer.provider for offer in remaining_offers(OFFERS, attempts)]


def test_new_job_has_all_offers_in_operators_order() -> None:
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
def test_provider_is_tried_as_often_as_its_fault_allows(fault: FaultKind, tries: int) -> None:
    # A busy one several times, a 500 once more, a wrong key never again; then the next provider.
    assert left(*refusals("skillboss", *[fault] * (tries - 1))) == ["skillboss", "reve2img"]
    assert left(*refusals("skillboss", *[fault] * tries)) == ["reve2img"]


def test_refused_content_has_no_further_offers() -> None:
    assert left(*refusals("skillboss", FaultKind.CONTENT)) == []


@pytest.mark.parametrize("fault", [FaultKind.INVALID, FaultKind.MODEL_UNAVAILABLE, FaultKind.INPUT_NOT_FETCHED])
def test_refused_request_goes_to_next_offer(fault: FaultKind) -> None:
    assert left(*refusals("skillboss", fault)) == ["reve2img"]


def test_refused_webhook_uses_up_no_try() -> None:
    assert left(*refusals("skillboss", FaultKind.WEBHOOK_REFUSED)) == ["skillboss", "reve2img"]
    assert left(*refusals("skillboss", FaultKind.WEBHOOK_REFUSED, FaultKind.SERVER_ERROR)) == ["skillboss", "reve2img"]


def test_no_offer_is_left_after_all_were_tried() -> None:
    attempts = [*refusals("skillboss", FaultKind.KEY_REJECTED), *refusals("reve2img", FaultKind.ACCOUNT_EMPTY)]
    assert left(*attempts) == []


def test_tries_of_different_faults_add_up() -> None:
    # A 500 after a 429 is the second try, and a 500 allows no third.
    assert left(*refusals("skillboss", FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR)) == ["reve2img"]


def test_only_refusals_count_as_tries() -> None:
    # An open attempt, or one with a lost reply, is no refusal.
    attempts = [
        make_attempt(JOB, outcome=outcome, fault=FaultKind.KEY_REJECTED) for outcome in Outcome if outcome != "refused"
    ]
    assert left(*attempts) == ["skillboss", "reve2img"]


def paused(provider: str, seconds: float) -> Attempt:
    """Return a refusal by a provider, with the end of its pause."""
    retry_at = START + timedelta(seconds=seconds)
    return make_attempt(
        JOB, provider=provider, outcome=Outcome.REFUSED, fault=FaultKind.RATE_LIMITED, retry_at=retry_at
    )


@pytest.mark.parametrize(
    ("attempts", "ready", "next_retry"),
    [
        ([], ["skillboss", "reve2img"], None),
        ([paused("skillboss", 60)], ["reve2img"], 60),
        ([paused("skillboss", 60), paused("reve2img", 3)], [], 3),
        ([paused("skillboss", 0)], ["reve2img", "skillboss"], None),
        ([paused("skillboss", 60), paused("reve2img", -1)], ["reve2img"], 60),
        ([paused("skillboss", 2), paused("skillboss", -2)], ["reve2img", "skillboss"], None),
        ([paused("skillboss", 3_600)], ["reve2img", "skillboss"], None),  # the clock was set back
    ],
)
def test_provider_is_ready_unless_it_pauses(
    attempts: list[Attempt], ready: list[str], next_retry: float | None
) -> None:
    assert [offer.provider for offer in ready_offers(OFFERS, attempts, START)] == ready
    expected = None if next_retry is None else START + timedelta(seconds=next_retry)
    assert next_retry_at(OFFERS, attempts, START) == expected


@pytest.mark.parametrize(
    ("tries", "jitter", "seconds"),
    [(0, 0.5, 2), (1, 0.5, 2), (2, 0.5, 4), (3, 0.5, 8), (1, 0, 1.5), (1, 1, 2.5), (50, 0.5, 60)],
)
def test_back_off_doubles_up_to_a_minute(tries: int, jitter: float, seconds: float) -> None:
    # The jitter is a quarter to either side, so that jobs do not return together.
    assert back_off(tries, jitter, ProviderError(FaultKind.UNAVAILABLE, provider="skillboss")) == seconds


@pytest.mark.parametrize(("said", "seconds"), [(0, 0), (7.5, 7.5), (600, 600), (86_400, 600)])
def test_retry_after_is_kept_up_to_ten_minutes(said: float, seconds: float) -> None:
    error = ProviderError(FaultKind.RATE_LIMITED, provider="skillboss", retry_after=said)
    assert back_off(3, 1, error) == seconds


@pytest.mark.parametrize(
    ("polls", "jitter", "seconds"),
    [(0, 0, 3), (5, 0, 3), (0, 1, 3.75), (6, 0, 3.9), (7, 0, 5.07), (20, 0, 10), (20, 1, 10)],
)
def test_poll_pause_grows_from_floor_to_ceiling(polls: int, jitter: float, seconds: float) -> None:
    # Five polls at the floor, then a third slower each time.
    assert poll_pause(polls, jitter, CONFIG) == pytest.approx(seconds)


@pytest.mark.parametrize("polls", [0, 10, 1000, 10**6])
@pytest.mark.parametrize("jitter", [0, 0.5, 1])
def test_poll_pause_is_never_below_floor(polls: int, jitter: float) -> None:
    # Not even if the operator's floor is above the ceiling.
    assert poll_pause(polls, jitter, EngineConfig(poll_floor=30, poll_ceiling=10)) == 30
    assert 3 <= poll_pause(polls, jitter, CONFIG) <= 10


@pytest.mark.parametrize(("seconds", "polls"), [(0, 0), (3, 0), (4, 1), (17, 5), (10_000, 50)])
def test_poll_pause_after_restart_continues_at_its_length(seconds: float, polls: int) -> None:
    # A job that has been at its provider for minutes is not polled like a new one.
    assert expected_polls(seconds, CONFIG) == polls
