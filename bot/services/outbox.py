"""The outbox as its publisher uses it."""

from datetime import datetime, timedelta
from typing import Final

from bot.domain.outbox import OutboxEnd, OutboxLane, OutboxMessage
from bot.engine.clock import Clock
from db.database import Database
from db.outbox import OutboxRepository

CLAIM_SECONDS: Final = 60.0
"""The life of a claim, which its process renews."""
_LEASE: Final = timedelta(seconds=CLAIM_SECONDS)


class OutboxService:
    """Due messages: claimed by one process, recorded as Discord shows them."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list_due(self, *, within: timedelta, most: int, of_lane: int) -> list[tuple[str, OutboxLane, float]]:
        """Return messages due soon: ids, lanes, and the seconds until then.

        See the repository.
        """
        now = self._clock.now()
        due = await self._database.read(
            lambda connection: OutboxRepository(connection).list_due(now + within, most=most, of_lane=of_lane)
        )
        return [(message_id, lane, max(0.0, (at - now).total_seconds())) for message_id, lane, at in due]

    async def lane_of(self, message_id: str) -> OutboxLane | None:
        """Return a message's lane; None if it is gone."""
        lanes = await self._database.read(lambda connection: OutboxRepository(connection).lanes([message_id]))
        return lanes.get(message_id)

    async def claim(self, message_id: str) -> OutboxMessage | None:
        """Take a due message; None if it is not due, or another process has it."""
        now = self._clock.now()
        return await self._database.write(
            lambda connection: OutboxRepository(connection).claim(message_id, now, now + _LEASE)
        )

    async def renew(self, message_id: str) -> None:
        """Keep a claimed message for longer."""
        until = self._clock.now() + _LEASE
        await self._database.write(lambda connection: OutboxRepository(connection).renew(message_id, until))

    async def begin(self, message_id: str, channel_id: int) -> None:
        """Record the intent to create a message in a channel."""
        now = self._clock.now()
        await self._database.write(lambda connection: OutboxRepository(connection).begin(message_id, channel_id, now))

    async def set_message(self, message_id: str, channel_id: int, discord_id: int, content: str = "") -> None:
        """Record a created message with the digest of its files."""
        await self._database.write(
            lambda connection: OutboxRepository(connection).set_message(message_id, channel_id, discord_id, content)
        )

    async def set_content(self, message_id: str, content: str) -> None:
        """Record the digest of a message's files."""
        await self._database.write(lambda connection: OutboxRepository(connection).set_content(message_id, content))

    async def forget_message(self, message_id: str) -> None:
        """Forget a deleted message, so that it is created again."""
        await self._database.write(lambda connection: OutboxRepository(connection).forget_message(message_id))

    async def finish(
        self, message: OutboxMessage, end: OutboxEnd | None = None, *, again_at: datetime | None = None
    ) -> float | None:
        """Record the claimed version as shown.

        Return the seconds until the message is due again, or None. See the repository.
        """
        now = self._clock.now()
        due = await self._database.write(
            lambda connection: OutboxRepository(connection).finish(message.id, message.wanted, end, again_at=again_at)
        )
        return None if due is None else max(0.0, (due - now).total_seconds())

    async def release(self, message_id: str) -> None:
        """Give a claimed message back, due at once."""
        now = self._clock.now()
        await self._database.write(lambda connection: OutboxRepository(connection).release(message_id, now))

    async def retry(self, message_id: str, seconds: float) -> datetime:
        """Make a claimed message due again; return its time."""
        at = self._clock.now() + timedelta(seconds=seconds)
        await self._database.write(lambda connection: OutboxRepository(connection).retry(message_id, at))
        return at
