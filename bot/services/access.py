"""Admission of servers."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.errors import NotAdmittedError, NotInServerError
from db.database import Database
from db.guilds import GuildRepository


class AccessService:
    """Admission checks.

    `admitted` is the operator's list of guilds. None leaves admission to the owner's `/studio admit`, `*` admits all.
    `outside` allows use outside servers (guild 0): in direct messages, and where a member installed the application.
    """

    def __init__(
        self,
        *,
        database: Database,
        admitted: frozenset[int] | str | None,
        now: Callable[[], datetime],
        outside: bool = False,
    ) -> None:
        self._database = database
        self._admitted = admitted
        self._now = now
        self._outside = outside

    def check(self, connection: Connection, guild_id: int) -> None:
        """Check that a guild may use the bot.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
        """
        if guild_id == 0:
            if self._outside:
                return
            raise NotInServerError
        if self._admitted == "*":
            return
        if self._admitted is None:
            admitted = GuildRepository(connection).is_admitted(guild_id)
        else:
            admitted = guild_id in self._admitted
        if not admitted:
            raise NotAdmittedError

    async def admit(self, guild_id: int, *, by: int) -> None:
        """Admit a guild for the application's owner.

        Raises:
            NotInServerError: `guild_id` is 0.
        """
        if guild_id == 0:
            raise NotInServerError
        now = self._now()
        await self._database.write(lambda connection: GuildRepository(connection).admit(guild_id, by=by, at=now))
