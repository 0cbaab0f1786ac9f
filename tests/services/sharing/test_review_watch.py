"""Reminders of a review queue, and closed review channels."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage, guild_subject
from bot.domain.sharing.submissions import SubmissionOptions, SubmissionState
from bot.services.guild_settings import GuildSettingsService
from bot.services.sharing.review_alerts import ReviewAlerts
from bot.services.sharing.review_watch import ReviewWatch
from bot.services.sharing.reviews import Decision
from bot.services.sharing.transitions import QUEUE_DELAY
from db.outbox import OutboxRepository
from tests.services.sharing.conftest import REVIEW, SharingHarness, moderator, sharer
from tests.support.factories import GUILD, make_id

LOG = 803
SUBJECT = guild_subject(GUILD)


@pytest.fixture
def watch(sharing: SharingHarness) -> ReviewWatch:
    """Return the watch over the queues."""
    return ReviewWatch(database=sharing.database, clock=sharing.clock, new_id=make_id)


class Log:
    """A log channel with a list of its alerts."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int | None]] = []

    async def send_review_closed(self, channel_id: int, locale: str | None, review_channel_id: int | None) -> bool:
        """Keep the alert."""
        del locale
        self.told.append((channel_id, review_channel_id))
        return True


async def share(sharing: SharingHarness) -> str:
    """Share a new picture; return the submission's id."""
    job = await sharing.finished_job(pictures=1)
    return (await sharing.submissions.share(job.id, [0], SubmissionOptions(), sharer())).id


async def queue_messages(sharing: SharingHarness) -> list[OutboxMessage]:
    """Return the messages about the queue; the first one is its card."""
    return await sharing.database.read(
        lambda connection: OutboxRepository(connection).list_numbers(MessageKind.QUEUE, SUBJECT)
    )


async def end(sharing: SharingHarness, kind: MessageKind, subject: str, how: OutboxEnd | None) -> None:
    """Post a message, or end it."""

    def write(connection: Connection) -> None:
        outbox = OutboxRepository(connection)
        message = outbox.find(kind, subject)
        assert message is not None
        if how is None:
            outbox.set_message(message.id, REVIEW, 5)
        outbox.finish(message.id, message.wanted, how)

    await sharing.database.write(write)


def hours(sharing: SharingHarness, number: float) -> None:
    """Move the clock."""
    sharing.clock.advance(timedelta(hours=number).total_seconds())


async def test_reminder_comes_once_a_period(sharing: SharingHarness, watch: ReviewWatch) -> None:
    other = ReviewWatch(database=sharing.database, clock=sharing.clock, new_id=make_id)
    await share(sharing)
    hours(sharing, 23.9)
    await watch.check()
    assert len(await queue_messages(sharing)) == 1
    hours(sharing, 0.1)
    for each in (watch, other, watch):
        await each.check()
    assert len(await queue_messages(sharing)) == 2
    hours(sharing, 23)
    await watch.check()
    assert len(await queue_messages(sharing)) == 2
    hours(sharing, 1)
    await other.check()
    assert len(await queue_messages(sharing)) == 3


@pytest.mark.parametrize("is_off", [True, False])
async def test_no_reminder_of_a_decided_submission(
    sharing: SharingHarness, watch: ReviewWatch, *, is_off: bool
) -> None:
    submission_id = await share(sharing)
    if is_off:
        await sharing.set_rules(reminder_hours=0)
    else:
        decision = Decision(submission_id=submission_id, revision=1, to=SubmissionState.APPROVED)
        await sharing.reviews.decide(decision, moderator())
    hours(sharing, 1000)
    await watch.check()
    assert len(await queue_messages(sharing)) == 1


async def test_closed_channel_is_tried_once_an_hour_by_the_card_alone(
    sharing: SharingHarness, watch: ReviewWatch
) -> None:
    await sharing.set_rules(reminder_hours=0)
    submission_id = await share(sharing)
    await end(sharing, MessageKind.REVIEW, submission_id, OutboxEnd.CLOSED)
    await end(sharing, MessageKind.QUEUE, SUBJECT, OutboxEnd.CLOSED)
    hours(sharing, 0.9)
    await watch.check()
    (card,) = await queue_messages(sharing)
    assert card.end is OutboxEnd.CLOSED
    hours(sharing, 0.2)
    await watch.check()
    (card,) = await queue_messages(sharing)
    assert (card.end, card.wanted > card.shown) == (None, True)
    find = sharing.database.read
    review = await find(lambda connection: OutboxRepository(connection).find(MessageKind.REVIEW, submission_id))
    assert review is not None
    assert review.end is OutboxEnd.CLOSED
    await end(sharing, MessageKind.QUEUE, SUBJECT, None)
    await watch.check()
    review = await find(lambda connection: OutboxRepository(connection).find(MessageKind.REVIEW, submission_id))
    assert review is not None
    assert (review.end, review.wanted > review.shown) == (None, True)


async def test_server_is_told_once_until_its_channel_works_again(sharing: SharingHarness, watch: ReviewWatch) -> None:
    log = Log()
    alerts = ReviewAlerts(database=sharing.database, channels=log)
    await sharing.set_guild(log_channel_id=LOG)
    await alerts.note_closed(GUILD)
    assert log.told == []  # nothing waits
    await share(sharing)
    for _ in range(3):
        await alerts.note_closed(GUILD)
    assert log.told == [(LOG, REVIEW)]
    await end(sharing, MessageKind.QUEUE, SUBJECT, None)
    await watch.check()
    await alerts.note_closed(GUILD)
    assert log.told == [(LOG, REVIEW)] * 2


async def test_new_review_channel_gets_the_waiting_cards(sharing: SharingHarness) -> None:
    submission_id = await share(sharing)
    await end(sharing, MessageKind.REVIEW, submission_id, OutboxEnd.CLOSED)
    settings = GuildSettingsService(database=sharing.database, now=sharing.clock.now, new_id=make_id)
    await settings.change(GUILD, {"review_channel_id": 999}, by=1)
    due = await sharing.database.read(
        lambda connection: OutboxRepository(connection).list_due(sharing.clock.now() + QUEUE_DELAY, most=10, of_lane=10)
    )
    assert {lane.kind for _, lane, _ in due} == {MessageKind.REVIEW, MessageKind.QUEUE}
