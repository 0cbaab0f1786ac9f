"""The claim tracker: a job is submitted only if it was surely not sent."""

from dataclasses import replace

import pytest

from bot.domain.errors import StaleJobError
from bot.domain.jobs import Job, State
from bot.engine.claim_tracker import ClaimState, ClaimTracker
from bot.engine.claimer import Claim
from tests.support.catalogue import OFFERS
from tests.support.factories import make_job


@pytest.fixture
def tracker() -> ClaimTracker:
    """Return a tracker without claims."""
    return ClaimTracker()


@pytest.fixture
def job() -> Job:
    """Return a job in SUBMITTING."""
    return make_job(state=State.SUBMITTING, provider="skillboss", fence=1)


def claim_of(job: Job) -> Claim:
    """Return a claim of the job."""
    return Claim(job=job, offer=OFFERS[0], calls=())


def lose_claim(tracker: ClaimTracker) -> None:
    """Run a claim transaction and lose its outcome."""
    with pytest.raises(ConnectionError), tracker.claiming():
        raise ConnectionError


def lose_take_over(tracker: ClaimTracker, error: type[BaseException] = ConnectionError) -> None:
    """Run a take-over transaction and lose its outcome."""
    with pytest.raises(error), tracker.taking_over():
        raise error


def test_claimed_job_is_ours(tracker: ClaimTracker, job: Job) -> None:
    tracker.add(claim_of(job))
    assert tracker.state_of(job) is ClaimState.OURS
    assert [claim.job for claim in tracker.ours] == [job]
    assert tracker.is_known(job.id)


def test_claim_of_other_fence_is_not_ours(tracker: ClaimTracker, job: Job) -> None:
    tracker.add(claim_of(job))
    assert tracker.state_of(replace(job, fence=2)) is ClaimState.UNSENT


def test_begun_submit_is_sent_until_resolved(tracker: ClaimTracker, job: Job) -> None:
    claim = claim_of(job)
    tracker.add(claim)
    assert tracker.begin_submit(job) is claim
    assert (tracker.state_of(job), tracker.ours, tracker.is_known(job.id)) == (ClaimState.SENT, (), True)
    tracker.resolve(job.id)
    assert (tracker.state_of(job), tracker.is_known(job.id)) == (ClaimState.UNSENT, False)


def test_begin_submit_twice_raises(tracker: ClaimTracker, job: Job) -> None:
    tracker.add(claim_of(job))
    tracker.begin_submit(job)
    with pytest.raises(KeyError):
        tracker.begin_submit(job)


def test_adopted_job_is_sent(tracker: ClaimTracker, job: Job) -> None:
    tracker.add_adopted(job.id)
    assert tracker.state_of(job) is ClaimState.SENT
    assert tracker.is_known(job.id)


def test_new_claim_of_sent_job_is_ours(tracker: ClaimTracker, job: Job) -> None:
    tracker.add_adopted(job.id)
    again = replace(job, fence=2)
    tracker.add(claim_of(again))
    assert (tracker.state_of(again), tracker.state_of(job)) == (ClaimState.OURS, ClaimState.SENT)


def test_discarded_claim_is_unsent(tracker: ClaimTracker, job: Job) -> None:
    tracker.add(claim_of(job))
    tracker.discard(job.id)
    assert (tracker.state_of(job), tracker.ours, tracker.is_known(job.id)) == (ClaimState.UNSENT, (), False)


@pytest.mark.parametrize("sent", [False, True])
def test_forgotten_job_is_unknown_to_tracker(tracker: ClaimTracker, job: Job, *, sent: bool) -> None:
    tracker.add(claim_of(job))
    if sent:
        tracker.begin_submit(job)
    tracker.forget(job.id)
    assert (tracker.ours, tracker.is_known(job.id)) == ((), False)


def test_unknown_job_during_claim_is_unknown(tracker: ClaimTracker, job: Job) -> None:
    with tracker.claiming():
        assert (tracker.is_claiming, tracker.state_of(job)) == (True, ClaimState.UNKNOWN)
    assert (tracker.is_claiming, tracker.state_of(job)) == (False, ClaimState.UNSENT)


def test_unknown_job_during_take_over_is_unknown(tracker: ClaimTracker, job: Job) -> None:
    with tracker.taking_over():
        assert tracker.state_of(job) is ClaimState.UNKNOWN
    assert tracker.state_of(job) is ClaimState.UNSENT


def test_known_jobs_keep_their_state_during_transactions(tracker: ClaimTracker, job: Job) -> None:
    sent = make_job(state=State.SUBMITTING)
    tracker.add(claim_of(job))
    tracker.add_adopted(sent.id)
    with tracker.claiming(), tracker.taking_over():
        assert (tracker.state_of(job), tracker.state_of(sent)) == (ClaimState.OURS, ClaimState.SENT)


def test_lost_claim_leaves_job_unsent(tracker: ClaimTracker, job: Job) -> None:
    lose_claim(tracker)
    assert (tracker.has_lost_claim, tracker.is_claiming) == (True, False)
    assert tracker.state_of(job) is ClaimState.UNSENT
    tracker.clear_lost_claim()
    assert not tracker.has_lost_claim


def test_stale_claim_is_not_lost(tracker: ClaimTracker) -> None:
    with pytest.raises(StaleJobError), tracker.claiming():
        raise StaleJobError("id")
    assert (tracker.has_lost_claim, tracker.is_claiming) == (False, False)


@pytest.mark.parametrize("error", [ConnectionError, KeyboardInterrupt])
def test_lost_take_over_leaves_unknown_jobs_sent(tracker: ClaimTracker, job: Job, error: type[BaseException]) -> None:
    lose_take_over(tracker, error)
    assert tracker.state_of(job) is ClaimState.SENT
    tracker.resolve(job.id)
    assert tracker.state_of(job) is ClaimState.SENT


def test_claim_after_lost_take_over_is_ours(tracker: ClaimTracker, job: Job) -> None:
    lose_take_over(tracker)
    tracker.add(claim_of(job))
    assert tracker.state_of(job) is ClaimState.OURS


def test_running_claim_after_lost_take_over_is_unknown(tracker: ClaimTracker, job: Job) -> None:
    lose_take_over(tracker)
    with tracker.claiming():
        assert tracker.state_of(job) is ClaimState.UNKNOWN
