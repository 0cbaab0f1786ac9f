"""Notices of decisions: when they are due, and their distance."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.jobs import State
from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage
from bot.domain.preferences import Preferences
from bot.domain.sharing.submissions import Submission, SubmissionOptions, SubmissionState
from bot.engine.card_store import CardStore
from bot.engine.direct_messages import DIRECT_PAUSE, MOST_DIRECT_PER_HOUR
from bot.services.sharing.notices import NoticeService
from bot.services.sharing.reviews import Decision
from db.job_deletions import JobDeletionRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.preferences import PreferenceRepository
from tests.services.sharing.conftest import SHOWCASE, SharingHarness, moderator, sharer
from tests.support.clock import START
from tests.support.factories import MEMBER, make_job
from tests.support.ledger import adding

MONTH = timedelta(days=30)
LATER = START + MONTH + timedelta(days=1)
PAUSE = DIRECT_PAUSE.total_seconds()


async def decide(sharing: SharingHarness, to: SubmissionState = SubmissionState.REFUSED) -> Submission:
    """Share a picture of a new job, and decide about it."""
    job = await sharing.finished_job(pictures=1)
    submission = await sharing.submissions.share(job.id, [0], SubmissionOptions(), sharer())
    decision = Decision(submission_id=submission.id, revision=submission.revision, to=to)
    return await sharing.reviews.decide(decision, moderator())


async def notice_of(sharing: SharingHarness, submission: Submission) -> OutboxMessage:
    """Return the notice of a submission's latest decision."""
    found = await sharing.database.read(
        lambda connection: OutboxRepository(connection).find(
            MessageKind.NOTICE, submission.id, number=submission.revision
        )
    )
    assert found is not None
    return found


async def wait_of(sharing: SharingHarness, submission: Submission) -> float | None:
    """Plan a notice; return the seconds until then, None if it is dropped."""
    turn = await _service(sharing).plan(await notice_of(sharing, submission))
    return None if turn is None else turn.wait


def _service(sharing: SharingHarness) -> NoticeService:
    return NoticeService(database=sharing.database, clock=sharing.clock)


async def end_post(sharing: SharingHarness, submission: Submission, end: OutboxEnd | None) -> None:
    """Post an approved submission, or end the try with `end`."""

    def write(connection: Connection) -> None:
        outbox = OutboxRepository(connection)
        post = outbox.find(MessageKind.SHOWCASE, submission.id)
        assert post is not None
        if end is None:
            outbox.set_message(post.id, SHOWCASE, 5)
        outbox.finish(post.id, post.wanted, end)

    await sharing.database.write(write)


async def test_notices_share_the_distance_with_results(sharing: SharingHarness) -> None:
    first, second = await decide(sharing), await decide(sharing)
    assert await wait_of(sharing, first) == 0
    assert await wait_of(sharing, second) == PAUSE
    assert await wait_of(sharing, second) == PAUSE  # its time is planned
    job = make_job(state=State.DONE, finished_at=START)
    await sharing.database.write(adding(job))
    turn = await CardStore(database=sharing.database, clock=sharing.clock).begin_direct_message(job.id)
    assert turn is not None
    assert turn.wait == 2 * PAUSE
    sharing.clock.advance(PAUSE)
    assert await wait_of(sharing, second) == 0


async def test_notices_leave_messages_of_the_hour_to_results(sharing: SharingHarness) -> None:
    decided = [await decide(sharing) for _ in range(MOST_DIRECT_PER_HOUR - 9)]
    waits = [await wait_of(sharing, each) for each in decided]
    assert waits[-2:] == [(MOST_DIRECT_PER_HOUR - 11) * PAUSE, 300]
    job = make_job(state=State.DONE, finished_at=START)
    await sharing.database.write(adding(job))
    assert await CardStore(database=sharing.database, clock=sharing.clock).begin_direct_message(job.id) is not None
    sharing.clock.advance(3600 + MOST_DIRECT_PER_HOUR * PAUSE)
    assert await wait_of(sharing, decided[-1]) == 0


async def test_notice_of_an_approval_waits_for_its_post(sharing: SharingHarness) -> None:
    approved = await decide(sharing, SubmissionState.APPROVED)
    assert await wait_of(sharing, approved) is not None
    turn = await _service(sharing).plan(await notice_of(sharing, approved))
    assert turn is not None
    assert turn.snapshot.showcase is not None
    assert turn.snapshot.showcase.message_id is None
    await end_post(sharing, approved, None)
    assert await wait_of(sharing, approved) == 0


@pytest.mark.parametrize("end", [OutboxEnd.CLOSED, OutboxEnd.REFUSED, OutboxEnd.DROPPED, None])
async def test_notice_of_an_approval_goes_without_a_post(sharing: SharingHarness, end: OutboxEnd | None) -> None:
    approved = await decide(sharing, SubmissionState.APPROVED)
    if end is None:
        sharing.clock.advance(3601)  # nothing came
    else:
        await end_post(sharing, approved, end)
    assert await wait_of(sharing, approved) == 0


async def test_notice_is_dropped_once_the_submission_moved_on(sharing: SharingHarness) -> None:
    asked = await decide(sharing, SubmissionState.CHANGES_ASKED)
    await sharing.submissions.withdraw(asked.id, MEMBER)
    assert await wait_of(sharing, asked) is None


async def test_notice_is_dropped_for_a_deleted_job(sharing: SharingHarness) -> None:
    refused = await decide(sharing)
    before = await notice_of(sharing, refused)
    await sharing.database.write(
        lambda connection: JobDeletionRepository(connection).delete(refused.job_id, START, START)
    )
    assert await wait_of(sharing, refused) is None
    # One that was sent is due again, and is removed then.
    assert (await notice_of(sharing, refused)).wanted == before.wanted + 1


async def test_notice_is_dropped_where_its_member_wants_none(sharing: SharingHarness) -> None:
    refused = await decide(sharing)
    none = Preferences(decisions=False)
    await sharing.database.write(lambda connection: PreferenceRepository(connection).save(MEMBER, none, START))
    assert await wait_of(sharing, refused) is None


async def test_pictures_stay_until_the_showcase_has_them(sharing: SharingHarness) -> None:
    waiting = await sharing.submissions.share(
        (await sharing.finished_job(pictures=2)).id, [1], SubmissionOptions(), sharer()
    )
    approved = await decide(sharing, SubmissionState.APPROVED)
    asked = await decide(sharing, SubmissionState.CHANGES_ASKED)
    await decide(sharing, SubmissionState.REFUSED)

    async def remove_old() -> int:
        removed, _ = await sharing.database.write(
            lambda connection: ResultImageRepository(connection).remove_stored_before(START + MONTH, LATER, 100)
        )
        return removed

    # The refused one, the other picture of the waiting one, and changes that nobody made within a month.
    assert await remove_old() == 3
    offered = await sharing.submissions.offer(waiting.job_id, sharer())
    assert [each.position for each in offered.pictures] == [1]
    await end_post(sharing, approved, None)
    assert await remove_old() == 1
    await sharing.submissions.withdraw(waiting.id, MEMBER)
    assert await remove_old() == 1
    assert (await sharing.submissions.get(asked.id, MEMBER)).state is SubmissionState.CHANGES_ASKED
