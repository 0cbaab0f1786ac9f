"""Reports of duels: their pictures are hidden one by one."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from bot.domain.errors import (
    AlreadyReportedError,
    JobDeletedError,
    NothingToReportError,
    OwnPictureError,
    PicturesHiddenError,
)
from bot.domain.outbox import MessageKind, OutboxMessage
from bot.domain.reports import ReportOutcome, ReportReason
from bot.engine.member_identity import MemberIdentity
from bot.images.image_service import ImageService
from bot.services.deletion_register import DeletionRegister
from bot.services.duels import DuelView
from bot.services.moderation import ModerationService
from bot.services.reports import ReportForm, ReportService
from bot.services.takedowns import TakedownService
from bot.ui.delivery.input_attachments import KeptAttachment
from db.job_deletions import JobDeletionRepository
from db.outbox import OutboxRepository
from db.reports import ReportRepository
from db.sharing_settings import SharingSettingsRepository
from db.tables import pictures
from tests.services.conftest import ServiceHarness
from tests.services.sharing.conftest import Woken, moderator
from tests.services.test_duel_updater import Discord, show, updater_of
from tests.services.test_duels import ORGANIZER, begin, finish, open_vote, voter
from tests.support.catalogue import BOTH
from tests.support.factories import GUILD, make_id
from tests.ui.view_reader import labels, parts, texts


class Reports:
    """The reports of a server, where one report hides a picture."""

    def __init__(self, services: ServiceHarness, folder: Path) -> None:
        self.services = services
        clock, database = services.clock, services.database
        images: Any = ImageService.__new__(ImageService)  # nothing is carried out here
        register = DeletionRegister(folder / "deletions.txt", "")
        self.service = ReportService(
            database=database,
            access=services.access,
            takedowns=TakedownService(
                database=database, image_service=images, register=register, clock=clock, new_id=make_id
            ),
            moderation=ModerationService(database=database, clock=clock, catalogue=BOTH, new_id=make_id),
            identity=MemberIdentity(pseudonym_of=lambda member_id: -member_id, now=clock.now),
            clock=clock,
            new_id=make_id,
            waker=Woken(),
        )

    async def report(self, target_id: str, position: int | None, number: int = 1) -> None:
        """Report a picture as a member."""
        await self.service.report(target_id, ReportForm(reason=ReportReason.RULES, position=position), voter(number))

    async def dismiss(self, job_id: str, number: int = 1) -> None:
        """Dismiss the reports of a job."""

        def read(connection: Connection) -> str:
            case = ReportRepository(connection).find_of_member(job_id, voter(number).member_id)
            assert case is not None
            return case.id

        case_id = await self.services.database.read(read)
        await self.service.decide(case_id, ReportOutcome.DISMISSED, moderator())

    async def card(self, view: DuelView) -> OutboxMessage | None:
        """Return the edit of a duel's message."""
        job_id = view.card_job.id
        return await self.services.database.read(lambda c: OutboxRepository(c).find(MessageKind.CARD, job_id))


@pytest.fixture
async def reports(services: ServiceHarness, tmp_path: Path) -> Reports:
    """Return the reports."""
    rules = {"report_threshold": 1}
    await services.database.write(lambda connection: SharingSettingsRepository(connection).change(GUILD, rules))
    return Reports(services, tmp_path)


async def test_reported_picture_of_a_duel_is_hidden_until_a_decision(
    services: ServiceHarness, reports: Reports
) -> None:
    view = await open_vote(services)
    offer = await reports.service.check(view.duel.id, voter(1))
    assert (offer.positions, offer.is_duel) == ((0, 1), True)
    await reports.report(view.duel.id, 1)
    hidden = await services.duels.get(view.duel.id)
    assert (set(hidden.pictures), set(hidden.hidden)) == ({0}, {1})
    card = await reports.card(view)
    assert card is not None
    assert (card.channel_id, card.message_id, card.wanted) == (view.card_job.place.channel_id, 555, 1)
    with pytest.raises(PicturesHiddenError):
        await services.duels.vote(view.duel.id, 1, voter(2))
    await services.duels.vote(view.duel.id, 0, voter(2))

    await reports.dismiss(view.jobs[1].id)
    assert (await services.duels.get(view.duel.id)).hidden == frozenset()
    card = await reports.card(view)
    assert card is not None
    assert card.wanted == 2
    await services.duels.vote(view.duel.id, 1, voter(2))


async def test_picture_of_a_duel_is_reported_once_and_by_others(services: ServiceHarness, reports: Reports) -> None:
    view = await begin(services)
    with pytest.raises(NothingToReportError):  # nothing is shown yet
        await reports.service.check(view.duel.id, voter(1))
    view = await finish(services, view)
    with pytest.raises(OwnPictureError):
        await reports.service.check(view.duel.id, ORGANIZER)
    await reports.report(view.duel.id, 0)
    with pytest.raises(NothingToReportError):
        await reports.report(view.duel.id, 0)
    assert (await reports.service.check(view.duel.id, voter(1))).positions == (1,)
    await reports.report(view.jobs[0].id, 1)  # a job of a duel stands for it
    with pytest.raises(AlreadyReportedError):
        await reports.service.check(view.duel.id, voter(1))
    now = services.clock.now()
    await services.database.write(lambda c: JobDeletionRepository(c).delete(view.jobs[0].id, now, now))
    with pytest.raises(JobDeletedError):
        await reports.service.check(view.duel.id, voter(2))


async def test_report_finds_the_duel_of_a_message_without_buttons(services: ServiceHarness, reports: Reports) -> None:
    view = await open_vote(services)
    found = await reports.service.find_shown(view.card_job.place.channel_id, 555)
    assert found is not None
    assert (await reports.service.check(found, voter(1))).is_duel
    assert await reports.service.find_shown(view.card_job.place.channel_id, 556) is None


async def test_card_of_a_report_names_no_model_before_the_end(services: ServiceHarness, reports: Reports) -> None:
    view = await open_vote(services)
    await reports.report(view.duel.id, 0)

    def case_of(connection: Connection) -> str:
        (case_id,) = ReportRepository(connection).list_open(GUILD)
        return case_id

    case_id = await services.database.read(case_of)
    assert (await reports.service.get(case_id)).is_blind
    await services.duels.end(view.duel.id, ORGANIZER)
    assert not (await reports.service.get(case_id)).is_blind


async def test_message_of_a_duel_shows_no_hidden_picture(services: ServiceHarness, reports: Reports) -> None:
    discord = Discord()
    updater = updater_of(services, discord)
    view = await open_vote(services)
    assert await updater.render(view.duel.id, 0) is None  # the vote is about to be shown
    view = await show(services, discord, view)
    assert labels(discord.cards[-1]) == ["A", "B", "End vote"]
    await reports.report(view.duel.id, 0)
    rendered = await updater.render(view.duel.id, 0)
    assert rendered is not None
    card, files = rendered
    assert labels(card) == ["B", "End vote"]
    assert "### A\nHidden until a moderator has looked." in texts(card)
    assert len(files()) == 1


async def test_update_of_a_duel_repeats_the_edit_after_a_report(services: ServiceHarness, reports: Reports) -> None:
    """The update was rendered before the report, and may arrive after it."""
    view = await open_vote(services)
    await reports.report(view.duel.id, 0)
    await services.duels.record_shown(view)
    card = await reports.card(view)
    assert card is not None
    assert card.wanted == 2


async def test_expired_picture_of_a_duel_is_covered_on_its_message(services: ServiceHarness, reports: Reports) -> None:
    discord = Discord()
    view = await show(services, discord, await open_vote(services))
    gone = update(pictures).values(removed_at=services.clock.now())
    await services.database.write(lambda connection: connection.execute(gone))
    discord.attachments = tuple(KeptAttachment(id=at, filename=f"atelier-{at}.jpg") for at in (1, 2))
    await reports.report(view.duel.id, 1)
    rendered = await updater_of(services, discord).render(view.duel.id, 0)
    assert rendered is not None
    card, files = rendered
    assert list(files()) == list(discord.attachments)
    items = [item for each in parts(card) for item in each.get("items", ())]
    assert [(each["media"]["url"], each["spoiler"]) for each in items] == [
        ("attachment://atelier-1.jpg", False),
        ("attachment://atelier-2.jpg", True),
    ]
    assert "### B\nCovered until a moderator has looked." in texts(card)
