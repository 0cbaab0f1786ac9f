"""Arrivals of the bot in servers, and its departures."""

from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import Connection

from db.database import Database
from db.guild_presence import GuildPresenceRepository
from db.key_value import KeyValueRepository

_KEY = "servers of shard {shard} of {count} known"


class GuildPresenceService:
    """Memory of the bot's servers: each arrival counts once.

    Neither a restart nor another process repeats it.
    """

    def __init__(self, *, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def arrive(self, guild_id: int) -> bool:
        """Record the bot's presence; return True for an arrival."""
        now = self._now()
        return await self._database.write(lambda connection: GuildPresenceRepository(connection).arrive(guild_id, now))

    async def forget_arrival(self, guild_id: int) -> None:
        """Let the next start take a server as new."""
        await self._database.write(lambda connection: GuildPresenceRepository(connection).forget_arrival(guild_id))

    async def leave(self, guild_id: int) -> None:
        """Record a departure."""
        now = self._now()
        await self._database.write(lambda connection: GuildPresenceRepository(connection).leave(guild_id, now))

    async def compare(
        self, present: Collection[int], *, unavailable: Collection[int] = (), shard: int, count: int
    ) -> tuple[int, ...]:
        """Record the servers of a shard, and return the new ones.

        An unavailable one has not left, and counts as new once it is available. The servers of the first comparison are
        no arrivals: the bot was there before it remembered any.
        """
        now, key = self._now(), _KEY.format(shard=shard, count=count)

        def write(connection: Connection) -> tuple[int, ...]:
            presence, facts = GuildPresenceRepository(connection), KeyValueRepository(connection)
            is_first = facts.find(key) is None
            facts.save(key, now.isoformat())
            for guild_id in presence.list_present():
                if (guild_id >> 22) % count == shard and guild_id not in {*present, *unavailable}:
                    presence.leave(guild_id, now)
            known = [*present, *unavailable] if is_first else present
            arrived = tuple(each for each in known if presence.arrive(each, now))
            return () if is_first else arrived

        return await self._database.write(write)
