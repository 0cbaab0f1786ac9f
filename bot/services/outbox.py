"""The outbox as its publisher uses it."""

from collections.abc import Collection
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
        # The ends of this process's claims: a process that was paused for long has lost its own.
        self._leases: dict[str, datetime] = {}

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
        lease = now + _LEASE
        message = await self._database.write(
            lambda connection: OutboxRepository(connection).claim(message_id, now, lease)
        )
        if message is not None:
            self._leases[message_id] = lease
        return message

    async def renew(self, message_id: str) -> bool:
        """Keep a claimed message for longer; return False if the claim is lost."""
        lease, until = self._leases.get(message_id), self._clock.now() + _LEASE
        if lease is None:
            return False
        is_held = await self._database.write(
            lambda connection: OutboxRepository(connection).renew(message_id, lease, until)
        )
        if is_held and self._leases.get(message_id) == lease:
            self._leases[message_id] = until
        return is_held

    async def begin(self, message_id: str, channel_id: int) -> bool:
        """Record the intent to create a message in a channel.

        Return False if the claim is lost: another process creates it.
        """
        now = self._clock.now()
        return await self._database.write(
            lambda connection: OutboxRepository(connection).begin(
                message_id, channel_id, now, lease=self._leases.get(message_id, now)
            )
        )

    async def set_message(
        self, message_id: str, channel_id: int, discord_id: int, content: str = ""
    ) -> tuple[int, int] | None:
        """Record a created message with the digest of its files.

        Return the recorded channel and message; None if nothing wants the message any more.
        """
        return await self._database.write(
            lambda connection: OutboxRepository(connection).set_message(message_id, channel_id, discord_id, content)
        )

    async def set_content(self, message_id: str, content: str) -> None:
        """Record the digest of a message's files."""
        await self._database.write(lambda connection: OutboxRepository(connection).set_content(message_id, content))

    async def forget_message(self, message_id: str, discord_id: int) -> None:
        """Forget a deleted message, so that it is created again."""
        await self._database.write(
            lambda connection: OutboxRepository(connection).forget_message(message_id, discord_id)
        )

    async def list_recorded(self, discord_ids: Collection[int], *, besides: str) -> set[int]:
        """Return the ids of Discord in other rows."""
        return await self._database.read(
            lambda connection: OutboxRepository(connection).list_recorded(discord_ids, besides=besides)
        )

    async def finish(
        self, message: OutboxMessage, end: OutboxEnd | None = None, *, again_at: datetime | None = None
    ) -> float | None:
        """Record the claimed version as shown.

        Return the seconds until the message is due again, or None. See the repository.
        """
        now = self._clock.now()
        lease = self._leases.get(message.id, now)
        due = await self._database.write(
            lambda connection: OutboxRepository(connection).finish(
                message.id, message.wanted, end, at=now, again_at=again_at, lease=lease
            )
        )
        self._forget_lease(message.id, lease)
        return None if due is None else max(0.0, (due - now).total_seconds())

    async def release(self, message_id: str) -> None:
        """Give a claimed message back, due at once."""
        now = self._clock.now()
        lease = self._leases.get(message_id, now)
        await self._database.write(
            lambda connection: OutboxRepository(connection).release(message_id, now, lease=lease)
        )
        self._forget_lease(message_id, lease)

    async def retry(self, message: OutboxMessage, seconds: float) -> float:
        """Make a claimed message due again; return the seconds until then."""
        now = self._clock.now()
        at, lease = now + timedelta(seconds=seconds), self._leases.get(message.id, now)
        due = await self._database.write(
            lambda connection: OutboxRepository(connection).retry(message.id, at, wanted=message.wanted, lease=lease)
        )
        self._forget_lease(message.id, lease)
        return max(0.0, (due - now).total_seconds())

    def _forget_lease(self, message_id: str, lease: datetime) -> None:
        if self._leases.get(message_id) == lease:
            del self._leases[message_id]
