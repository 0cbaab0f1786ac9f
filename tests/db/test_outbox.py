"""The outbox: due messages, claims, versions."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage
from db.database import Database
from db.outbox import OutboxRepository
from tests.support.clock import START
from tests.support.factories import GUILD, make_id

LEASE = START + timedelta(minutes=10)


async def request(database: Database, subject: str, number: int = 0) -> str:
    """Make a message due."""
    return await database.write(
        lambda connection: OutboxRepository(connection).request(
            MessageKind.REVIEW, subject, new_id=make_id(), guild_id=GUILD, at=START, number=number
        )
    )


async def claim(database: Database, message_id: str, now: object = START) -> OutboxMessage | None:
    """Claim a message."""
    return await database.write(
        lambda connection: OutboxRepository(connection).claim(message_id, now, LEASE)  # type: ignore[arg-type]
    )


async def finish(database: Database, message: OutboxMessage, end: OutboxEnd | None = None) -> datetime | None:
    """Finish a claimed message."""
    return await database.write(lambda connection: OutboxRepository(connection).finish(message.id, message.wanted, end))


async def test_request_of_one_subject_is_one_message(database: Database) -> None:
    subject = make_id()
    first, second = await request(database, subject), await request(database, subject)
    other = await request(database, subject, number=1)
    assert first == second != other
    claimed = await claim(database, first)
    assert claimed is not None
    assert (claimed.wanted, claimed.shown, claimed.tries) == (2, 0, 1)


async def test_claimed_message_is_not_claimed_twice_even_if_requested_again(database: Database) -> None:
    subject = make_id()
    message_id = await request(database, subject)
    claimed = await claim(database, message_id)
    assert claimed is not None
    await request(database, subject)
    assert await claim(database, message_id) is None
    assert await finish(database, claimed) == START  # a newer version is wanted
    again = await claim(database, message_id)
    assert again is not None
    assert await finish(database, again) is None
    assert await claim(database, message_id) is None


async def test_claim_of_a_dead_process_expires(database: Database) -> None:
    message_id = await request(database, make_id())
    assert await claim(database, message_id) is not None
    later = await claim(database, message_id, LEASE)
    assert later is not None
    assert later.tries == 2


async def test_due_messages_are_listed_until_shown(database: Database) -> None:
    ids = [await request(database, make_id()) for _ in range(3)]

    def read(connection: Connection) -> list[str]:
        return [message_id for message_id, *_ in OutboxRepository(connection).list_due(START, most=10, of_lane=10)]

    assert sorted(await database.read(read)) == sorted(ids)
    message = await claim(database, ids[0])
    assert message is not None
    await finish(database, message)
    await database.write(lambda connection: OutboxRepository(connection).retry(ids[1], LEASE))
    assert await database.read(read) == [ids[2]]


async def test_ended_message_begins_again_on_request(database: Database) -> None:
    subject = make_id()
    message = await claim(database, await request(database, subject))
    assert message is not None
    await finish(database, message, OutboxEnd.CLOSED)
    found = await database.read(lambda connection: OutboxRepository(connection).find(MessageKind.REVIEW, subject))
    assert found is not None
    assert found.end is OutboxEnd.CLOSED
    await request(database, subject)
    again = await claim(database, message.id)
    assert again is not None
    assert (again.end, again.tries) == (None, 1)


async def test_created_message_is_found_and_forgotten(database: Database) -> None:
    message_id = await request(database, make_id())

    def write(connection: Connection) -> tuple[OutboxMessage | None, OutboxMessage | None]:
        outbox = OutboxRepository(connection)
        outbox.begin(message_id, 801, START)
        outbox.set_message(message_id, 801, 1234)
        found = outbox.find_by_message(1234)
        outbox.forget_message(message_id)
        return found, outbox.find_by_message(1234)

    found, gone = await database.write(write)
    assert found is not None
    assert (found.channel_id, found.message_id, found.begun_at) == (801, 1234, None)
    assert gone is None
