"""Admission of servers."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum, auto

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.errors import NotAdmittedError, NotInServerError
from db.audit_log import AuditLogRepository
from db.database import Database
from db.guilds import GuildRepository


class Admission(Enum):
    """Outcome of the owner's `/studio admit`."""

    ADMITTED = auto()
    """The guild is admitted by this command, now or earlier."""
    LISTED = auto()
    """The operator's list decides, and admits the guild."""
    UNLISTED = auto()
    """The operator's list decides, and lacks the guild."""


class AccessService:
    """Admission checks.

    `admitted` is the operator's list of guilds. None leaves admission to the owner's `/studio admit`, `*` admits all.
    Decisions are recorded in the audit log if `new_id` is given. `outside` allows use outside servers (guild 0): in
    direct messages, and where a member installed the application.
    """

    def __init__(
        self,
        *,
        database: Database,
        admitted: frozenset[int] | str | None,
        now: Callable[[], datetime],
        outside: bool = False,
        new_id: Callable[[], str] | None = None,
    ) -> None:
        self._database = database
        self._admitted = admitted
        self._now = now
        self._outside = outside
        self._new_id = new_id

    @property
    def is_by_list(self) -> bool:
        """True if the operator's list decides, and not the owner."""
        return self._admitted is not None

    def check(self, connection: Connection, guild_id: int) -> None:
        """Check that a guild may use the bot.

        Raises:
            NotInServerError: `guild_id` is 0 and use outside servers is not allowed.
            NotAdmittedError: the guild is not admitted.
        """
        by_owner = bool(guild_id) and self._admitted is None and GuildRepository(connection).is_admitted(guild_id)
        self.check_admission(guild_id, by_owner=by_owner)

    def check_admission(self, guild_id: int, *, by_owner: bool) -> None:
        """Raise as `check` does; `by_owner` is the owner's decision."""
        if guild_id == 0:
            if self._outside:
                return
            raise NotInServerError
        admitted = self._admitted == "*" or (by_owner if self._admitted is None else guild_id in self._admitted)
        if not admitted:
            raise NotAdmittedError(by_list=self._admitted is not None)

    def is_admitted(self, connection: Connection, guild_id: int) -> bool:
        """Return False for a guild without admission; True outside servers."""
        try:
            self.check(connection, guild_id)
        except NotAdmittedError:
            return False
        except NotInServerError:
            return True
        return True

    async def require(self, guild_id: int) -> None:
        """Raise as `check` does, in a separate transaction."""
        await self._database.read(lambda connection: self.check(connection, guild_id))

    async def admit(self, guild_id: int, *, by: int) -> Admission:
        """Admit a guild for the application's owner.

        Nothing is stored while the operator's list decides: the guild would be admitted once the list is removed.

        Raises:
            NotInServerError: `guild_id` is 0.
        """
        if guild_id == 0:
            raise NotInServerError
        if self._admitted is not None:
            return Admission.LISTED if self._admitted == "*" or guild_id in self._admitted else Admission.UNLISTED
        now = self._now()

        def write(connection: Connection) -> None:
            guilds = GuildRepository(connection)
            if not guilds.is_admitted(guild_id):
                guilds.admit(guild_id, by=by, at=now)
                self._record(connection, guild_id, by, "admission.begin", now)

        await self._database.write(write)
        return Admission.ADMITTED

    async def end_admission(self, guild_id: int, *, by: int) -> bool:
        """End a guild's admission; return False if there is none.

        Its running jobs finish, new ones are refused. An operator's list still decides where there is one.
        """
        now = self._now()

        def write(connection: Connection) -> bool:
            ended = GuildRepository(connection).end_admission(guild_id)
            if ended:
                self._record(connection, guild_id, by, "admission.end", now)
            return ended

        return await self._database.write(write)

    def _record(self, connection: Connection, guild_id: int, by: int, action: str, at: datetime) -> None:
        if self._new_id is not None:
            entry = AuditEntry(id=self._new_id(), guild_id=guild_id, actor_id=by, action=action, at=at)
            AuditLogRepository(connection).add(entry)
