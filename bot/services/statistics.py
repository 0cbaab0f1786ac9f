"""Statistics of a server."""

import asyncio

from sqlalchemy import Connection

from bot.domain.statistics import Period, Statistics
from bot.engine.clock import Clock
from bot.services.access import AccessService
from bot.services.member_limits import FreeAction, MemberLimits
from db.database import Database
from db.guilds import GuildRepository
from db.statistics import read_statistics


class StatisticsService:
    """Read access to a server's statistics.

    One reading at a time: each passes over all jobs of its period.
    """

    def __init__(self, *, database: Database, access: AccessService, limits: MemberLimits, clock: Clock) -> None:
        self._database = database
        self._access = access
        self._limits = limits
        self._clock = clock
        self._turn = asyncio.Lock()

    async def get(self, guild_id: int, days: int, *, with_money: bool = False) -> Statistics:
        """Return the statistics of a guild's last days, today included.

        The days are those of the guild's time zone. `with_money` adds the operator's costs.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
            TooManyRequestsError: the guild's statistics were asked for very often within a minute.
        """
        self._limits.count(FreeAction.STATISTICS, guild_id)
        now = self._clock.now()

        def read(connection: Connection) -> Statistics:
            self._access.check(connection, guild_id)
            period = Period.until(now, days, GuildRepository(connection).settings(guild_id).time_zone)
            return read_statistics(connection, period, guild_id=guild_id, with_money=with_money)

        async with self._turn:
            # As a search, because it may take seconds and must not delay other reads.
            return await self._database.search(read)
