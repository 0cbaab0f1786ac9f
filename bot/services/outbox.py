"""The outbox as its publisher uses it."""

from datetime import datetime, timedelta
from typing import Final

from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.engine.clock import Clock
from db.database import Database
from db.outbox import OutboxRepository

# Longer than all requests for one message together.
_LEASE: Final = timedelta(minutes=10)


class OutboxService:
    """Due messages: claimed by one process, recorded as Discord shows them."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list_due(self, *, within: timedelta, most: int) -> list[tuple[str, float]]:
        """Return the ids of messages due soon, and the seconds until then."""
        now = self._clock.now()
        due = await self._database.read(lambda connection: OutboxRepository(connection).list_due(now + within, most))
        return [(message_id, max(0.0, (at - now).total_seconds())) for message_id, at in due]

    async def claim(self, message_id: str) -> OutboxMessage | None:
        """Take a due message; None if it is not due, or another process has it."""
        now = self._clock.now()
        return await self._database.write(
            lambda connection: OutboxRepository(connection).claim(message_id, now, now + _LEASE)
        )

    async def begin(self, message_id: str, channel_id: int) -> None:
        """Record the intent to create a message in a channel."""
        now = self._clock.now()
        await self._database.write(lambda connection: OutboxRepository(connection).begin(message_id, channel_id, now))

    async def set_message(self, message_id: str, channel_id: int, discord_id: int) -> None:
        """Record a created message."""
        await self._database.write(
            lambda connection: OutboxRepository(connection).set_message(message_id, channel_id, discord_id)
        )

    async def forget_message(self, message_id: str) -> None:
        """Forget a deleted message, so that it is created again."""
        await self._database.write(lambda connection: OutboxRepository(connection).forget_message(message_id))

    async def finish(self, message: OutboxMessage, end: OutboxEnd | None = None) -> bool:
        """Record the claimed version as shown; return whether a newer one is due."""
        now = self._clock.now()
        return await self._database.write(
            lambda connection: OutboxRepository(connection).finish(message.id, message.wanted, now, end)
        )

    async def retry(self, message_id: str, seconds: float) -> datetime:
        """Make a claimed message due again; return its time."""
        at = self._clock.now() + timedelta(seconds=seconds)
        await self._database.write(lambda connection: OutboxRepository(connection).retry(message_id, at))
        return at
