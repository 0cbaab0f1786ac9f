"""New tries of messages without an open channel."""

import pytest
from sqlalchemy import Connection

from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage
from bot.services.closed_messages import ClosedMessages
from db.outbox import OutboxRepository
from tests.services.sharing.conftest import SHOWCASE, SharingHarness
from tests.support.factories import GUILD, make_id

HOUR = 3_601


@pytest.fixture
def closed(sharing: SharingHarness) -> ClosedMessages:
    """Return the watch over closed messages."""
    return ClosedMessages(database=sharing.database, clock=sharing.clock)


async def close(sharing: SharingHarness, kind: MessageKind = MessageKind.SHOWCASE, guild: int = GUILD) -> str:
    """Store a message without an open channel; return its subject."""
    subject, now = make_id(), sharing.clock.now()

    def write(connection: Connection) -> None:
        outbox = OutboxRepository(connection)
        message_id = outbox.request(kind, subject, new_id=make_id(), guild_id=guild, at=now)
        outbox.finish(message_id, 1, OutboxEnd.CLOSED)

    await sharing.database.write(write)
    sharing.clock.advance(1)
    return subject


async def get(sharing: SharingHarness, subject: str, kind: MessageKind = MessageKind.SHOWCASE) -> OutboxMessage:
    """Return a message."""
    found = await sharing.database.read(lambda connection: OutboxRepository(connection).find(kind, subject))
    assert found is not None
    return found


async def is_due(sharing: SharingHarness, *subjects: str) -> list[bool]:
    """Return which messages are due."""
    found = [await get(sharing, each) for each in subjects]
    return [each.wanted > each.shown for each in found]


async def finish(sharing: SharingHarness, subject: str, end: OutboxEnd | None) -> None:
    """Post a message, or end the try."""
    message = await get(sharing, subject)

    def write(connection: Connection) -> None:
        if end is None:
            OutboxRepository(connection).set_message(message.id, SHOWCASE, 5)
        OutboxRepository(connection).finish(message.id, message.wanted, end)

    await sharing.database.write(write)


async def test_one_closed_message_is_tried_every_hour(sharing: SharingHarness, closed: ClosedMessages) -> None:
    first, second = await close(sharing), await close(sharing)
    await closed.check()
    assert await is_due(sharing, first, second) == [False, False]
    sharing.clock.advance(HOUR)
    await closed.check()
    await ClosedMessages(database=sharing.database, clock=sharing.clock).check()  # of another process
    assert await is_due(sharing, first, second) == [True, False]
    await finish(sharing, first, OutboxEnd.CLOSED)
    await closed.check()
    assert await is_due(sharing, first, second) == [False, False]
    sharing.clock.advance(HOUR)
    await closed.check()
    assert await is_due(sharing, first, second) == [False, True]


async def test_posted_message_is_followed_by_the_others(sharing: SharingHarness, closed: ClosedMessages) -> None:
    subjects = [await close(sharing) for _ in range(3)]
    elsewhere = await close(sharing, guild=GUILD + 1)
    sharing.clock.advance(HOUR)
    await closed.check()
    await closed.check()
    assert await is_due(sharing, *subjects) == [True, False, False]
    await finish(sharing, elsewhere, OutboxEnd.CLOSED)
    await finish(sharing, subjects[0], None)
    await closed.check()
    assert await is_due(sharing, *subjects, elsewhere) == [False, True, True, False]


async def test_direct_message_is_not_tried_again(sharing: SharingHarness, closed: ClosedMessages) -> None:
    subject = await close(sharing, MessageKind.NOTICE)
    sharing.clock.advance(HOUR)
    await closed.check()
    assert (await get(sharing, subject, MessageKind.NOTICE)).end is OutboxEnd.CLOSED
