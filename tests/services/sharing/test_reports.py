"""Reports: their limits, merging, threshold and decisions."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from bot.domain.bans import BanScope
from bot.domain.errors import (
    AlreadyReportedError,
    BannedError,
    BanRefusedError,
    CaseClosedError,
    JobDeletedError,
    NotAllowedError,
    NothingToReportError,
    OwnPictureError,
    ReportLimitError,
    SubmissionStateError,
)
from bot.domain.outbox import MessageKind
from bot.domain.reports import DISMISSED_FOR_MISUSE, REPORTS_A_DAY, ReportCase, ReportOutcome, ReportReason
from bot.domain.sharing.settings import ReviewMode
from bot.domain.sharing.submissions import SubmissionOptions, SubmissionState
from bot.images.image_service import ImageService
from bot.services.access import AccessService
from bot.services.deletion_register import DeletionRegister
from bot.services.guild_settings import GuildSettingsService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import Actor
from bot.services.moderation import ModerationService, Target
from bot.services.reports import ReportForm, ReportRoute, ReportService
from bot.services.sharing.reviews import Decision
from bot.services.takedowns import TakedownService
from bot.ui.render.report_cards import reported_note
from db.bans import BanRepository
from db.guild_presence import GuildPresenceRepository
from db.job_deletions import JobDeletionRepository
from db.outbox import OutboxRepository
from db.pictures import ResultImageRepository
from db.reports import ReportRepository
from db.submissions import SubmissionRepository
from db.tables import pictures
from tests.services.sharing.conftest import REVIEW, SharingHarness, gone, identity_of, moderator, sharer
from tests.support.catalogue import BOTH
from tests.support.factories import GUILD, MEMBER, make_id
from tests.support.ledger import make_ledger
from tests.ui.view_reader import texts

SPAM = ReportForm(reason=ReportReason.RULES)


def reporter(number: int = 1, guild: int = GUILD) -> Actor:
    """Return a reporting member."""
    return Actor(member_id=1000 + number, guild_id=guild)


class Case:
    """The services of reports, and a finished job."""

    def __init__(self, sharing: SharingHarness, folder: Path) -> None:
        self.sharing = sharing
        clock, database = sharing.clock, sharing.database
        images: Any = ImageService.__new__(ImageService)  # nothing is carried out here
        self.takedowns = TakedownService(
            database=database,
            image_service=images,
            register=DeletionRegister(folder / "deletions.txt", ""),
            clock=clock,
            new_id=make_id,
        )
        self.moderation = ModerationService(database=database, clock=clock, catalogue=BOTH, new_id=make_id)
        self.service = ReportService(
            database=database,
            access=AccessService(database=database, admitted="*", now=clock.now),
            takedowns=self.takedowns,
            moderation=self.moderation,
            identity=identity_of(sharing),
            clock=clock,
            new_id=make_id,
            waker=sharing.woken,
        )

    async def job(self, **changes: Any) -> str:
        """Store a finished job; return its id."""
        return (await self.sharing.finished_job(**changes)).id

    async def case_of(self, job_id: str, *numbers: int) -> str:
        """Report a job by members; return the id of its case."""
        for number in numbers:
            await self.service.report(job_id, SPAM, reporter(number))

        def read(connection: Connection) -> str:
            found = ReportRepository(connection).find_of_member(job_id, 1000 + numbers[0])
            assert found is not None
            return found.id

        return await self.sharing.database.read(read)


@pytest.fixture
def case(sharing: SharingHarness, tmp_path: Path) -> Case:
    """Return the services."""
    return Case(sharing, tmp_path)


async def test_reports_of_a_picture_merge_into_one_case(case: Case) -> None:
    job_id = await case.job()
    form = ReportForm(reason=ReportReason.HATE, position=1, words=" x ")
    assert await case.service.report(job_id, form, reporter(1)) is ReportRoute.CHANNEL
    case_id = await case.case_of(job_id, 2, 3)
    snapshot = await case.service.get(case_id)
    assert [each.member_id for each in snapshot.reports] == [1001, 1002, 1003]
    assert (snapshot.reports[0].words, snapshot.reports[0].position) == ("x", 1)
    assert snapshot.channel_id == REVIEW
    card = await case.sharing.database.read(lambda c: OutboxRepository(c).find(MessageKind.REPORT, case_id))
    assert card is not None
    assert card.wanted == 3
    assert card.id in case.sharing.woken.ids
    with pytest.raises(AlreadyReportedError):
        await case.service.report(job_id, SPAM, reporter(2))


async def test_server_without_moderators_channel_keeps_the_report(case: Case) -> None:
    await case.sharing.set_guild(review_channel_id=None)
    job_id = await case.job()
    assert await case.service.report(job_id, SPAM, reporter()) is ReportRoute.NO_CHANNEL
    await case.sharing.set_guild(log_channel_id=5)
    assert await case.service.report(job_id, SPAM, reporter(2)) is ReportRoute.CHANNEL


async def test_report_in_a_server_without_the_bot_reaches_nobody(case: Case) -> None:
    job_id = await case.job()
    now = case.sharing.clock.now()
    await case.sharing.database.write(lambda connection: GuildPresenceRepository(connection).leave(GUILD, now))
    route = await case.service.report(job_id, SPAM, reporter())
    assert route is ReportRoute.NO_BOT
    (said,) = texts(reported_note(route, contact=None))
    assert said == "Your report is kept, but the studio has left this server. Tell a moderator yourself."
    await case.sharing.database.write(lambda connection: GuildPresenceRepository(connection).arrive(GUILD, now))
    assert await case.service.report(job_id, SPAM, reporter(2)) is ReportRoute.CHANNEL


async def test_new_moderators_channel_gets_the_cards_of_open_reports(case: Case) -> None:
    await case.sharing.set_guild(review_channel_id=None)
    open_id, closed_id = [await case.case_of(await case.job(), number) for number in (1, 2)]
    await case.service.decide(closed_id, ReportOutcome.DISMISSED, moderator())
    settings = GuildSettingsService(database=case.sharing.database, now=case.sharing.clock.now, new_id=make_id)

    async def wanted() -> list[int]:
        def read(connection: Connection) -> list[int]:
            outbox = OutboxRepository(connection)
            cards = [outbox.find(MessageKind.REPORT, each) for each in (open_id, closed_id)]
            return [0 if each is None else each.wanted for each in cards]

        return await case.sharing.database.read(read)

    assert await wanted() == [1, 2]
    await settings.change(GUILD, {"showcase_channel_id": 7}, by=9)
    assert await wanted() == [1, 2]
    await settings.change(GUILD, {"log_channel_id": 5}, by=9)
    assert await wanted() == [2, 2]


async def test_some_pictures_cannot_be_reported(case: Case) -> None:
    job_id = await case.job()
    with pytest.raises(OwnPictureError):
        await case.service.check(job_id, Actor(member_id=MEMBER, guild_id=GUILD))
    for guild in (GUILD + 1, 0):
        with pytest.raises(NothingToReportError):
            await case.service.check(job_id, reporter(guild=guild))
    await case.moderation.ban(GUILD, Target(member_id=1001), scope=BanScope.STUDIO, term=None, reason="", actor_id=90)
    with pytest.raises(BannedError):
        await case.service.check(job_id, reporter(1))
    now = case.sharing.clock.now()
    await case.sharing.database.write(lambda c: JobDeletionRepository(c).delete(job_id, now, now))
    with pytest.raises(JobDeletedError):
        await case.service.check(job_id, reporter(2))


async def test_reports_of_a_day_are_limited(case: Case) -> None:
    for _ in range(REPORTS_A_DAY):
        await case.service.report(await case.job(), SPAM, reporter())
    another = await case.job()
    with pytest.raises(ReportLimitError):
        await case.service.report(another, SPAM, reporter())
    case.sharing.clock.advance(86_401)
    await case.service.report(another, SPAM, reporter())


async def test_reporter_with_many_dismissed_reports_is_limited(case: Case) -> None:
    for _ in range(DISMISSED_FOR_MISUSE):
        case_id = await case.case_of(await case.job(), 1)
        await case.service.decide(case_id, ReportOutcome.DISMISSED, moderator())
    case.sharing.clock.advance(86_401)
    await case.service.report(await case.job(), SPAM, reporter())
    with pytest.raises(ReportLimitError) as raised:
        await case.service.report(await case.job(), SPAM, reporter())
    assert raised.value.limit == 1
    await case.service.report(await case.job(), SPAM, reporter(2))


async def test_first_decision_wins(case: Case) -> None:
    case_id = await case.case_of(await case.job(), 1)
    decisions = (
        case.service.decide(case_id, outcome, moderator(90 + at))
        for at, outcome in enumerate((ReportOutcome.DISMISSED, ReportOutcome.TAKEN_DOWN))
    )
    results = await asyncio.gather(*decisions, return_exceptions=True)
    (error,) = [each for each in results if isinstance(each, BaseException)]
    assert isinstance(error, CaseClosedError)
    stored = (await case.service.get(case_id)).case
    assert (error.by, error.outcome) == (stored.closed_by, stored.outcome)
    assert len(await case.takedowns.list()) == (stored.outcome is ReportOutcome.TAKEN_DOWN)


async def test_only_moderators_of_the_server_decide(case: Case) -> None:
    case_id = await case.case_of(await case.job(), 1)
    for actor in (reporter(1), moderator(guild_id=GUILD + 1)):
        with pytest.raises(NotAllowedError):
            await case.service.decide(case_id, ReportOutcome.DISMISSED, actor)
    assert (await case.service.get(case_id)).case.closed_at is None


async def test_ban_takes_the_picture_down_or_nothing_is_decided(case: Case) -> None:
    case_id = await case.case_of(await case.job(), 1)
    outcome = ReportOutcome.BANNED_FROM_SHARING
    admin = Target(member_id=MEMBER, is_protected=True)
    with pytest.raises(BanRefusedError):
        await case.service.decide(case_id, outcome, moderator(), target=admin)
    assert (await case.service.get(case_id)).case.closed_at is None
    assert await case.takedowns.list() == []
    term = timedelta(days=7)
    target = Target(member_id=MEMBER)
    await case.service.decide(case_id, outcome, moderator(), target=target, reason="again", term=term)
    (taken,) = await case.takedowns.list()
    assert (taken.guild_id, taken.reason, taken.actor_id) == (GUILD, "again", 90)
    now = case.sharing.clock.now()
    ban = await case.sharing.database.read(lambda c: BanRepository(c).find(GUILD, MEMBER, now, BanScope.SHARING))
    assert ban is not None
    assert ban.until == now + term


async def test_enough_reports_hide_the_post_until_a_decision(case: Case) -> None:
    await case.sharing.set_rules(report_threshold=2, review="none")
    job_id = await case.job()
    shared = await case.sharing.submissions.share(job_id, [0], SubmissionOptions(), sharer())

    async def state() -> SubmissionState:
        found = await case.sharing.database.read(lambda c: SubmissionRepository(c).get(shared.id))
        return found.state

    case_id = await case.case_of(job_id, 1)
    assert await state() is SubmissionState.APPROVED
    await case.case_of(job_id, 2)
    assert await state() is SubmissionState.HIDDEN
    await case.service.decide(case_id, ReportOutcome.DISMISSED, moderator())
    assert await state() is SubmissionState.APPROVED
    with pytest.raises(AlreadyReportedError) as raised:
        await case.service.check(job_id, reporter(1))
    assert not raised.value.is_open
    again = await case.case_of(job_id, 3)
    assert again != case_id
    await case.service.decide(again, ReportOutcome.TAKEN_DOWN, moderator())
    assert await state() is SubmissionState.TAKEN_DOWN


async def test_reports_at_once_are_counted_together(case: Case) -> None:
    await case.sharing.set_rules(report_threshold=3, review="none")
    for _ in range(3):
        job_id = await case.job()
        shared = await case.sharing.submissions.share(job_id, [0], SubmissionOptions(), sharer())
        await case.case_of(job_id, 1)
        await asyncio.gather(*(case.service.report(job_id, SPAM, reporter(number)) for number in (2, 3)))
        found = await case.sharing.database.read(lambda c, at=shared.id: SubmissionRepository(c).get(at))  # type: ignore[misc]
        assert found.state is SubmissionState.HIDDEN
        case.sharing.clock.advance(86_401)


async def test_decisions_about_one_picture_at_once_do_not_collide(case: Case) -> None:
    """A report, a withdrawal and a decision wait for each other."""
    await case.sharing.set_rules(report_threshold=2, review="none")
    for _ in range(3):
        job_id = await case.job()
        shared = await case.sharing.submissions.share(job_id, [0], SubmissionOptions(), sharer())
        case_id = await case.case_of(job_id, 1)
        results = await asyncio.gather(
            case.service.report(job_id, SPAM, reporter(2)),
            case.sharing.submissions.withdraw(shared.id, MEMBER),
            case.service.decide(case_id, ReportOutcome.TAKEN_DOWN, moderator()),
            return_exceptions=True,
        )
        assert all(not isinstance(each, BaseException) or isinstance(each, SubmissionStateError) for each in results)
        assert isinstance(results[2], ReportCase)
        case.sharing.clock.advance(86_401)


async def test_enough_reports_hide_the_card_until_a_decision(case: Case) -> None:
    await case.sharing.set_rules(report_threshold=2)
    job_id = await case.job(message=5)
    snapshots = JobSnapshotService(
        database=case.sharing.database,
        ledger=make_ledger(),
        clock=case.sharing.clock,
        hard_deadline=7200,
        catalogue=BOTH,
    )

    async def shown() -> tuple[bool, int]:
        """Return whether the card is hidden, and how often it was edited."""
        card = await case.sharing.database.read(lambda c: OutboxRepository(c).find(MessageKind.CARD, job_id))
        return (await snapshots.get(job_id)).is_hidden, 0 if card is None else card.wanted

    case_id = await case.case_of(job_id, 1)
    assert await shown() == (False, 0)
    await case.case_of(job_id, 2, 3)
    assert await shown() == (True, 1)
    assert not (await snapshots.get(job_id)).is_shareable
    await case.service.decide(case_id, ReportOutcome.DISMISSED, moderator())
    assert await shown() == (False, 2)
    again = await case.case_of(job_id, 4, 5)
    assert await shown() == (True, 3)
    # The pictures do not come back before the takedown is carried out.
    await case.service.decide(again, ReportOutcome.TAKEN_DOWN, moderator(), positions=frozenset({0}))
    assert await shown() == (True, 3)


async def test_enough_reports_cover_a_card_whose_pictures_expired(case: Case) -> None:
    await case.sharing.set_rules(report_threshold=1)
    job_id = await case.job(message=5)
    gone = update(pictures).values(removed_at=case.sharing.clock.now())
    await case.sharing.database.write(lambda connection: connection.execute(gone))
    await case.case_of(job_id, 1)
    snapshots = JobSnapshotService(
        database=case.sharing.database,
        ledger=make_ledger(),
        clock=case.sharing.clock,
        hard_deadline=7200,
        catalogue=BOTH,
    )
    assert (await snapshots.get(job_id)).is_hidden
    card = await case.sharing.database.read(lambda c: OutboxRepository(c).find(MessageKind.CARD, job_id))
    assert card is not None
    assert card.message_id == 5


async def test_hidden_pictures_are_kept_until_a_decision(case: Case) -> None:
    await case.sharing.set_rules(report_threshold=1)
    case_id = await case.case_of(await case.job(), 1)
    later = case.sharing.clock.now() + timedelta(days=99)

    async def removed() -> int:
        return await case.sharing.database.write(
            lambda c: ResultImageRepository(c).remove_stored_before(later, later, 9)[0]
        )

    assert await removed() == 0
    await case.service.decide(case_id, ReportOutcome.DISMISSED, moderator())
    assert await removed() == 2


async def test_decision_about_one_picture_keeps_the_others_shared(case: Case) -> None:
    await case.sharing.set_rules(report_threshold=1, review="none")
    job_id = await case.job(pictures=3)
    one, both = [
        await case.sharing.submissions.share(job_id, positions, SubmissionOptions(), sharer())
        for positions in ([0], [1, 2])
    ]
    case_id = await case.case_of(job_id, 1)
    await case.service.decide(case_id, ReportOutcome.TAKEN_DOWN, moderator(), positions=frozenset({0, 2}))

    def read(connection: Connection) -> list[tuple[SubmissionState, tuple[int, ...]]]:
        found = [SubmissionRepository(connection).get(each.id) for each in (one, both)]
        return [(each.state, each.positions) for each in found]

    assert await case.sharing.database.read(read) == [
        (SubmissionState.TAKEN_DOWN, (0,)),
        (SubmissionState.APPROVED, (1,)),
    ]


async def test_deleted_job_closes_its_case(case: Case) -> None:
    job_id = await case.job()
    case_id = await case.case_of(job_id, 1)
    now = case.sharing.clock.now()
    await case.sharing.database.write(lambda c: JobDeletionRepository(c).delete(job_id, now, now))
    closed = (await case.service.get(case_id)).case
    assert (closed.outcome, closed.closed_by) == (ReportOutcome.GONE, None)
    with pytest.raises(CaseClosedError):
        await case.service.decide(case_id, ReportOutcome.TAKEN_DOWN, moderator())


async def test_report_of_a_post_is_about_its_job(case: Case) -> None:
    job_id = await case.job(pictures=3)
    shared = await case.sharing.submissions.share(job_id, [0, 2], SubmissionOptions(), sharer())
    with pytest.raises(NothingToReportError):  # it waits: nobody else sees it
        await case.service.check(shared.id, reporter())
    await case.sharing.reviews.decide(
        Decision(submission_id=shared.id, revision=shared.revision, to=SubmissionState.APPROVED), moderator()
    )
    assert (await case.service.check(shared.id, reporter())).positions == (0, 2)
    assert (await case.service.check(job_id, reporter())).positions == (0, 1, 2)
    await case.service.report(shared.id, SPAM, reporter())
    with pytest.raises(AlreadyReportedError):
        await case.service.check(job_id, reporter())
    for target, actor in (("0" * 32, reporter(2)), (shared.id, reporter(2, GUILD + 1))):
        with pytest.raises(NothingToReportError):
            await case.service.check(target, actor)


async def test_post_of_a_private_job_is_reported_with_its_shared_pictures(case: Case) -> None:
    await case.sharing.set_rules(review=ReviewMode.NONE)
    job = await case.sharing.finished_job(private=True)
    shared = await case.sharing.submissions.share(job.id, [1], SubmissionOptions(), sharer())
    with pytest.raises(NotAllowedError):
        await case.service.check(job.id, reporter())
    await case.service.report(shared.id, SPAM, reporter())
    found = await case.sharing.database.read(lambda c: ReportRepository(c).find_of_member(job.id, 1001))
    assert found is not None
    snapshot = await case.service.get(found.id)
    assert [each.position for each in snapshot.pictures] == [1]
    assert [each.subject_id for each in snapshot.posts] == [shared.id]


async def test_moderator_does_not_dismiss_reports_of_an_own_picture(case: Case) -> None:
    case_id = await case.case_of(await case.job(), 1)
    own = moderator(MEMBER)
    with pytest.raises(NotAllowedError):
        await case.service.decide(case_id, ReportOutcome.DISMISSED, own)
    await case.service.decide(case_id, ReportOutcome.DISMISSED, own, as_admin=True)


@pytest.mark.parametrize(
    ("outcome", "told"), [(ReportOutcome.TAKEN_DOWN, ""), (ReportOutcome.BANNED_FROM_SHARING, "seen before")]
)
async def test_reason_for_the_audit_log_reaches_banned_members_alone(
    case: Case, outcome: ReportOutcome, told: str
) -> None:
    await case.sharing.set_rules(review=ReviewMode.NONE)
    job_id = await case.job()
    shared = await case.sharing.submissions.share(job_id, [0], SubmissionOptions(), sharer())
    case_id = await case.case_of(job_id, 1)
    target = None if outcome is ReportOutcome.TAKEN_DOWN else Target(member_id=MEMBER)
    await case.service.decide(case_id, outcome, moderator(), reason="seen before", target=target)
    assert (await case.sharing.submissions.get(shared.id, MEMBER)).reason == told


async def test_ban_outlives_a_deletion_of_everything(case: Case) -> None:
    job_id = await case.job()
    await gone(case.sharing, 1001, BanScope.STUDIO)
    with pytest.raises(BannedError):
        await case.service.report(job_id, SPAM, reporter(1))
