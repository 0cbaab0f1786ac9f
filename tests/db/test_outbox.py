"""The outbox: due messages, claims, versions."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.domain.outbox import MessageKind, OutboxEnd, OutboxMessage
from db.database import Database
from db.outbox import OutboxRepository
from db.tables import outbox_messages
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
        outbox.forget_message(message_id, 1234)
        return found, outbox.find_by_message(1234)

    found, gone = await database.write(write)
    assert found is not None
    assert (found.channel_id, found.message_id, found.begun_at) == (801, 1234, None)
    assert gone is None


async def test_lost_claim_changes_nothing_and_shows_the_message_again(database: Database) -> None:
    """A process paused for long has lost its claim to another."""
    message_id, second = await request(database, make_id()), LEASE + timedelta(minutes=10)
    paused = await claim(database, message_id)
    assert paused is not None

    def write(connection: Connection) -> tuple[list[bool], datetime | None, datetime | None]:
        outbox = OutboxRepository(connection)
        assert outbox.claim(message_id, LEASE, second) is not None
        held = [outbox.renew(message_id, LEASE, second), outbox.begin(message_id, 801, START, lease=LEASE)]
        outbox.retry(message_id, second, lease=LEASE)
        outbox.release(message_id, second, lease=LEASE)
        due = outbox.finish(message_id, paused.wanted, OutboxEnd.DELETED, at=LEASE, lease=LEASE)
        return held, due, outbox.finish(message_id, paused.wanted, lease=second)

    held, due, still_due = await database.write(write)
    assert held == [False, False]
    assert due == still_due == LEASE
    again = await claim(database, message_id, LEASE)
    assert again is not None
    assert (again.end, again.channel_id, again.wanted) == (None, None, 2)


async def test_first_recorded_message_stays(database: Database) -> None:
    message_id = await request(database, make_id())

    def write(connection: Connection) -> list[object]:
        outbox = OutboxRepository(connection)
        places = [outbox.set_message(message_id, 801, discord_id) for discord_id in (5, 6, 5)]
        outbox.forget_message(message_id, 6)
        others = outbox.list_recorded([5, 6], besides=make_id()), outbox.list_recorded([5, 6], besides=message_id)
        return [*places, outbox.set_message(make_id(), 801, 7), outbox.find_by_message(5) is not None, *others]

    assert await database.write(write) == [(801, 5), (801, 5), (801, 5), None, True, {5}, set()]


async def test_failed_try_does_not_delay_a_newer_request(database: Database) -> None:
    subject = make_id()
    claimed = await claim(database, await request(database, subject))
    assert claimed is not None

    def retry(connection: Connection) -> datetime:
        return OutboxRepository(connection).retry(claimed.id, LEASE, wanted=claimed.wanted)

    assert await database.write(retry) == LEASE
    await request(database, subject)
    assert await database.write(retry) == START


async def test_kind_of_a_newer_version_is_left_out(database: Database) -> None:
    subjects = [make_id(), make_id()]
    ids = [await request(database, subject) for subject in subjects]

    def write(connection: Connection) -> list[str]:
        of_first = outbox_messages.c.id == ids[0]
        connection.execute(outbox_messages.update().where(of_first).values(kind="future"))
        return [message_id for message_id, *_ in OutboxRepository(connection).list_due(START, most=10, of_lane=10)]

    assert await database.write(write) == [ids[1]]
