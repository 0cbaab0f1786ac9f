"""Sharing: rights, states, messages."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.bans import Ban, BanScope
from bot.domain.duels import Duel, DuelEntry
from bot.domain.errors import (
    AgeRestrictedShareError,
    AlreadyDecidedError,
    AlreadySharedError,
    AnonymousOffError,
    BannedError,
    DuelOpenError,
    ImageGoneError,
    JobDeletedError,
    JobRunningError,
    NotAllowedError,
    RefusedBeforeError,
    SharingOffError,
    SubmissionLimitError,
    SubmissionNotFoundError,
    SubmissionStateError,
)
from bot.domain.outbox import MessageKind, guild_subject
from bot.domain.reports import Report, ReportCase, ReportReason
from bot.domain.sharing.settings import ReviewMode
from bot.domain.sharing.submissions import FlagKind, Submission, SubmissionOptions, SubmissionState
from bot.domain.takedowns import Takedown, TakedownKind, TakenPicture
from bot.services.guild_settings import GuildSettingsService
from bot.services.sharing.availability import is_shareable
from bot.services.sharing.reviews import Decision
from bot.services.sharing.snapshots import SubmissionSnapshots
from bot.services.sharing.submissions import MAX_WAITING
from db.audit_log import AuditLogRepository
from db.bans import BanRepository
from db.duels import DuelRepository
from db.job_deletions import JobDeletionRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.reports import ReportRepository
from db.submissions import SubmissionRepository
from db.takedowns import TakedownRepository
from tests.services.sharing.conftest import MODERATOR, REVIEW, SHOWCASE, SharingHarness, moderator, sharer
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_id, make_image, make_job
from tests.support.ledger import adding

PLAIN = SubmissionOptions(title="A lighthouse")


async def outbox_of(sharing: SharingHarness, submission_id: str) -> set[MessageKind]:
    """Return the kinds of messages about a submission."""

    def read(connection: Connection) -> set[MessageKind]:
        outbox = OutboxRepository(connection)
        return {kind for kind in MessageKind if outbox.find(kind, submission_id) is not None}

    return await sharing.database.read(read)


async def log_of(sharing: SharingHarness) -> list[tuple[str, int]]:
    """Return the audit log's actions and actors, oldest first."""
    entries = await sharing.database.read(lambda connection: AuditLogRepository(connection).list(GUILD, limit=50))
    return [(each.action, each.actor_id) for each in reversed(entries)]


async def test_share_waits_for_a_moderator_and_makes_its_cards_due(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [1, 0, 1], PLAIN, sharer())
    assert (submission.state, submission.positions, submission.options) == (SubmissionState.WAITING, (0, 1), PLAIN)
    assert [each.kind for each in submission.flags] == [FlagKind.FIRST]
    assert await outbox_of(sharing, submission.id) == {MessageKind.REVIEW}
    assert await outbox_of(sharing, guild_subject(GUILD)) == {MessageKind.QUEUE}
    assert len(sharing.woken.ids) == 2
    assert await log_of(sharing) == [("share.submit", MEMBER)]
    assert await sharing.submissions.get(submission.id, MEMBER) == submission


async def test_reported_picture_is_flagged(sharing: SharingHarness) -> None:
    first = await sharing.finished_job()
    await sharing.submissions.share(first.id, [0], PLAIN, sharer())
    job = await sharing.finished_job()
    case = ReportCase(id=make_id(), guild_id=GUILD, job_id=job.id, at=START)
    report = Report(case_id=case.id, member_id=61, reason=ReportReason.RULES, at=START)

    def write(connection: Connection) -> None:
        reports = ReportRepository(connection)
        reports.open_case(case)
        reports.add(report)

    await sharing.database.write(write)
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    assert FlagKind.REPORTED in {each.kind for each in submission.flags}
    snapshot = await SubmissionSnapshots(database=sharing.database).get(submission.id)
    assert snapshot.record.reports == 1


async def test_picture_like_one_taken_down_is_flagged(sharing: SharingHarness) -> None:
    job = await sharing.finished_job(pictures=0)
    picture = make_image(job, fingerprint="0f" * 32)
    similar = TakenPicture(sha256="a" * 64, fingerprint="ff" + "0f" * 31)
    takedown = Takedown(
        id=make_id(), code="ABCD-EFGH", guild_id=GUILD, kind=TakedownKind.OPERATOR, actor_id=0, reason="", at=START
    )

    def write(connection: Connection) -> None:
        ResultImageRepository(connection).add_all([picture], START)
        TakedownRepository(connection).add(takedown, [similar])

    await sharing.database.write(write)
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    assert FlagKind.LIKE_TAKEN_DOWN in {each.kind for each in submission.flags}


@pytest.mark.parametrize(
    ("review", "roles", "state"),
    [
        (ReviewMode.ALL, (5,), SubmissionState.WAITING),
        (ReviewMode.UNTRUSTED, (6,), SubmissionState.WAITING),
        (ReviewMode.UNTRUSTED, (4, 5), SubmissionState.APPROVED),
        (ReviewMode.NONE, (), SubmissionState.APPROVED),
    ],
)
async def test_share_without_needed_review_is_approved_at_once(
    sharing: SharingHarness, review: ReviewMode, roles: tuple[int, ...], state: SubmissionState
) -> None:
    await sharing.set_rules(review=review, trusted_roles=(5,))
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer(roles=roles))
    assert submission.state is state
    expected = {MessageKind.REVIEW} if state is SubmissionState.WAITING else {MessageKind.SHOWCASE}
    assert await outbox_of(sharing, submission.id) == expected


async def test_share_without_review_needs_no_review_channel(sharing: SharingHarness) -> None:
    await sharing.set_guild(review_channel_id=None)
    job = await sharing.finished_job()
    with pytest.raises(SharingOffError) as caught:
        await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    assert caught.value.is_review
    await sharing.set_rules(review=ReviewMode.NONE)
    assert (await sharing.submissions.share(job.id, [0], PLAIN, sharer())).state is SubmissionState.APPROVED


async def test_share_without_showcase_is_refused(sharing: SharingHarness) -> None:
    await sharing.set_guild(showcase_channel_id=None)
    job = await sharing.finished_job()
    with pytest.raises(SharingOffError) as caught:
        await sharing.submissions.offer(job.id, sharer())
    assert not caught.value.is_review


async def test_age_restricted_pictures_need_age_restricted_channels(sharing: SharingHarness) -> None:
    job = await sharing.finished_job(age_restricted=True)
    for channels, is_review in ((frozenset(), False), ({REVIEW}, False), ({SHOWCASE}, True)):
        with pytest.raises(AgeRestrictedShareError) as caught:
            await sharing.submissions.offer(job.id, replace(sharer(), restricted_channels=frozenset(channels)))
        assert caught.value.is_review is is_review
    adult = replace(sharer(), restricted_channels=frozenset({SHOWCASE}))
    with pytest.raises(AgeRestrictedShareError):
        await sharing.submissions.share(job.id, [0], PLAIN, adult)
    await sharing.set_rules(review=ReviewMode.NONE)
    assert (await sharing.submissions.share(job.id, [0], PLAIN, adult)).is_age_restricted


async def test_share_of_another_member_is_refused(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    with pytest.raises(NotAllowedError):
        await sharing.submissions.share(job.id, [0], PLAIN, sharer(MEMBER + 1, moderator=True))


async def test_share_of_deleted_or_pictureless_job_is_refused(sharing: SharingHarness) -> None:
    job, empty = await sharing.finished_job(), await sharing.finished_job(pictures=0)
    await sharing.database.write(lambda connection: JobDeletionRepository(connection).delete(job.id, START, START))
    with pytest.raises(JobDeletedError):
        await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    with pytest.raises(ImageGoneError):
        await sharing.submissions.share(empty.id, [0], PLAIN, sharer())


async def test_share_by_banned_member_is_refused(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    ban = Ban(guild_id=GUILD, member_id=MEMBER, scope=BanScope.SHARING, at=START, actor_id=MODERATOR, reason="spam")
    await sharing.database.write(lambda connection: BanRepository(connection).set(ban))
    with pytest.raises(BannedError):
        await sharing.submissions.share(job.id, [0], PLAIN, sharer())


async def test_anonymous_share_needs_the_servers_consent(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    anonymous = SubmissionOptions(is_anonymous=True)
    with pytest.raises(AnonymousOffError):
        await sharing.submissions.share(job.id, [0], anonymous, sharer())
    await sharing.set_rules(allows_anonymous=True)
    assert (await sharing.submissions.share(job.id, [0], anonymous, sharer())).options.is_anonymous


async def test_picture_is_in_one_live_submission(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    first = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    with pytest.raises(AlreadySharedError) as caught:
        await sharing.submissions.share(job.id, [0, 1], PLAIN, sharer())
    assert (caught.value.submission_id, caught.value.state) == (first.id, SubmissionState.WAITING)
    await sharing.submissions.share(job.id, [1], PLAIN, sharer())
    offer = await sharing.submissions.offer(job.id, sharer())
    assert set(offer.shared) == {0, 1}
    await sharing.submissions.withdraw(first.id, MEMBER)
    assert (await sharing.submissions.share(job.id, [0], PLAIN, sharer())).id != first.id


async def test_two_shares_at_once_store_one(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    shares = (sharing.submissions.share(job.id, [0], PLAIN, sharer()) for _ in range(4))
    results = await asyncio.gather(*shares, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["AlreadySharedError"] * 3 + ["Submission"]


async def test_refused_picture_is_not_shared_again(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    refusal = Decision(submission_id=submission.id, revision=1, to=SubmissionState.REFUSED, reason="Off topic")
    await sharing.reviews.decide(refusal, moderator())
    with pytest.raises(RefusedBeforeError) as caught:
        await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    assert caught.value.reason == "Off topic"
    assert (await sharing.submissions.share(job.id, [1], PLAIN, sharer())).positions == (1,)


async def test_too_many_waiting_submissions_are_refused(sharing: SharingHarness) -> None:
    jobs = [await sharing.finished_job(pictures=1) for _ in range(MAX_WAITING + 1)]
    for job in jobs[:-1]:
        await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    with pytest.raises(SubmissionLimitError):
        await sharing.submissions.share(jobs[-1].id, [0], PLAIN, sharer())


async def test_revision_after_asked_changes_keeps_the_submission(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    with pytest.raises(SubmissionStateError):
        await sharing.submissions.revise(submission, [1], PLAIN, sharer())
    asked = await sharing.reviews.decide(
        Decision(submission_id=submission.id, revision=1, to=SubmissionState.CHANGES_ASKED, reason="A title, please"),
        moderator(),
    )
    assert MessageKind.NOTICE not in await outbox_of(sharing, submission.id)  # its number is the revision
    sharing.clock.advance(60)
    revised = await sharing.submissions.revise(asked, [1], SubmissionOptions(title="Dusk"), sharer())
    assert (revised.id, revised.state, revised.positions) == (submission.id, SubmissionState.WAITING, (1,))
    assert (revised.revision, revised.options.title, revised.reason) == (3, "Dusk", "")
    assert revised.waiting_since == START + timedelta(seconds=60)
    with pytest.raises(AlreadyDecidedError):
        await sharing.submissions.revise(asked, [1], PLAIN, sharer())


async def test_revision_is_approved_at_once_where_nobody_reviews_any_more(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    asking = Decision(submission_id=submission.id, revision=1, to=SubmissionState.CHANGES_ASKED)
    asked = await sharing.reviews.decide(asking, moderator())
    await sharing.set_rules(review=ReviewMode.NONE)
    revised = await sharing.submissions.revise(asked, [1], PLAIN, sharer())
    assert (revised.state, revised.positions) == (SubmissionState.APPROVED, (1,))
    assert MessageKind.SHOWCASE in await outbox_of(sharing, submission.id)


async def test_revision_brings_no_refused_picture_back(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    refused, other = [await sharing.submissions.share(job.id, [each], PLAIN, sharer()) for each in range(2)]
    for each, to in ((refused, SubmissionState.REFUSED), (other, SubmissionState.CHANGES_ASKED)):
        await sharing.reviews.decide(Decision(submission_id=each.id, revision=1, to=to), moderator())
    asked = await sharing.submissions.get(other.id, MEMBER)
    with pytest.raises(RefusedBeforeError):
        await sharing.submissions.revise(asked, [0], PLAIN, sharer())


async def test_changed_reasons_reach_the_cards_of_waiting_submissions(sharing: SharingHarness) -> None:
    submission = await sharing.submissions.share((await sharing.finished_job()).id, [0], PLAIN, sharer())
    settings = GuildSettingsService(database=sharing.database, now=sharing.clock.now, new_id=make_id)

    def wanted(connection: Connection) -> int:
        card = OutboxRepository(connection).find(MessageKind.REVIEW, submission.id)
        return 0 if card is None else card.wanted

    await settings.change_sharing(GUILD, {"allows_anonymous": True}, by=MODERATOR)
    assert await sharing.database.read(wanted) == 1
    await settings.change_sharing(GUILD, {"refusal_reasons": ("Blurred",)}, by=MODERATOR)
    assert await sharing.database.read(wanted) == 2


async def test_withdrawal_is_of_its_member_alone_and_final(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    with pytest.raises(SubmissionNotFoundError):
        await sharing.submissions.withdraw(submission.id, MEMBER + 1)
    withdrawn = await sharing.submissions.withdraw(submission.id, MEMBER)
    assert withdrawn.state is SubmissionState.WITHDRAWN
    with pytest.raises(SubmissionStateError):
        await sharing.submissions.withdraw(submission.id, MEMBER)
    assert await log_of(sharing) == [("share.submit", MEMBER), ("share.withdraw", MEMBER)]


async def test_deleted_job_withdraws_its_submissions(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()
    submission = await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    await sharing.database.write(lambda connection: JobDeletionRepository(connection).delete(job.id, START, START))
    current = await sharing.submissions.get(submission.id, MEMBER)
    assert (current.state, current.options.title) == (SubmissionState.WITHDRAWN, "")

    def read(connection: Connection) -> int | None:
        message = OutboxRepository(connection).find(MessageKind.REVIEW, submission.id)
        return None if message is None else message.wanted

    assert await sharing.database.read(read) == 2
    assert await sharing.database.read(lambda connection: SubmissionRepository(connection).list_live(job.id)) == {}


async def test_share_during_its_jobs_deletion_leaves_nothing_live(sharing: SharingHarness) -> None:
    for _ in range(4):
        job = await sharing.finished_job()

        def delete(connection: Connection, job_id: str = job.id) -> object:
            return JobDeletionRepository(connection).delete(job_id, START, START)

        shared, _files = await asyncio.gather(
            sharing.submissions.share(job.id, [0], PLAIN, sharer()),
            sharing.database.write(delete),
            return_exceptions=True,
        )
        assert isinstance(shared, Submission | JobDeletedError)
        live = await sharing.database.read(lambda c, at=job.id: SubmissionRepository(c).list_live(at))  # type: ignore[misc]
        assert live == {}


async def test_list_pages_a_members_submissions_latest_first(sharing: SharingHarness) -> None:
    job = await sharing.finished_job(pictures=3)
    ids = [(await sharing.submissions.share(job.id, [each], PLAIN, sharer())).id for each in range(3)]
    snapshots = SubmissionSnapshots(database=sharing.database)
    first = await snapshots.list_of_member(GUILD, MEMBER, limit=2)
    rest = await snapshots.list_of_member(GUILD, MEMBER, limit=2, before=first[-1].submission.id)
    assert [each.submission.id for each in (*first, *rest)] == ids[::-1]
    assert await snapshots.list_of_member(GUILD + 1, MEMBER, limit=2) == ()


async def test_running_job_is_not_offered(sharing: SharingHarness) -> None:
    job = make_job()
    await sharing.database.write(adding(job))
    with pytest.raises(JobRunningError):
        await sharing.submissions.offer(job.id, sharer())


async def test_picture_of_a_duel_is_shared_after_its_end(sharing: SharingHarness) -> None:
    duel_id, ends_at = make_id(), START + timedelta(hours=3)
    entry = DuelEntry(position=0, job_id=make_id(), model="reve-2.0")
    duel = Duel(id=duel_id, guild_id=GUILD, member_id=MEMBER, hours=3, created_at=START, entries=(entry,))

    def begin(connection: Connection) -> None:
        DuelRepository(connection).add(duel)
        DuelRepository(connection).open(duel_id, START, ends_at)

    await sharing.database.write(begin)
    job = await sharing.finished_job(duel_id=duel_id)

    async def offered() -> tuple[bool, int]:
        return await sharing.database.read(
            lambda connection: (
                is_shareable(connection, job),
                len(SubmissionRepository(connection).list_shareable(GUILD, MEMBER, limit=9, restricted=True)),
            )
        )

    assert await offered() == (False, 0)
    with pytest.raises(DuelOpenError) as refused:
        await sharing.submissions.share(job.id, [0], PLAIN, sharer())
    assert refused.value.ends_at == ends_at
    await sharing.database.write(lambda connection: DuelRepository(connection).end(duel_id, START))
    assert await offered() == (True, 2)
    await sharing.submissions.share(job.id, [0], PLAIN, sharer())
