"""Allowances of a server, its roles and members, as its admins set them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.allowances import Allowance, AllowanceChange, AllowanceEntry, AllowanceSource, candidates_of
from bot.domain.amounts import UNLIMITED
from bot.domain.errors import AllowanceMissingError
from bot.engine.clock import Clock
from bot.engine.ledger import SYSTEM_ACTOR, Ledger
from bot.services.access import AccessService
from bot.services.guild_transactions import GuildTransactions
from db.allowances import AllowanceRepository
from db.database import Database
from db.guilds import GuildRepository

_ROLE_GONE: Final = "role deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceList:
    """All entries of a server: everyone's, then roles, then members.

    `default` is the operator's allowance a day, for a server without an entry for everyone.
    """

    entries: tuple[AllowanceEntry, ...]
    default: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowancePreview:
    """A change before it is saved.

    `before` is the entry in force, if any. `guild_budget` is the most that the server's jobs may cost in a month, None
    if unlimited.
    """

    change: AllowanceChange
    before: AllowanceEntry | None
    default: int
    guild_budget: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The allowance of a member, and all entries for them.

    `used` are the credits of it that are spent or held. `unknown` are the entries of roles, if the roles of the member
    are not known: they are not in the server.
    """

    member_id: int
    allowance: Allowance
    candidates: tuple[AllowanceEntry, ...]
    used: int
    granted: int
    unknown: tuple[AllowanceEntry, ...] = ()


class AllowanceService:
    """Allowances of a server, each change in the audit log.

    Callers check the rights of the actor; actor 0 is the operator.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        access: AccessService,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._ledger = ledger
        self._transactions = GuildTransactions(database=database, access=access, clock=clock, new_id=new_id)
        self._database = database
        self._clock = clock

    async def list(self, guild_id: int) -> AllowanceList:
        """Return all entries; raises as `preview` does."""

        def read(connection: Connection, _: datetime) -> AllowanceList:
            entries = AllowanceRepository(connection).list(guild_id)
            return AllowanceList(entries=entries, default=self._ledger.default_allowance)

        return await self._transactions.read(guild_id, read)

    async def preview(self, guild_id: int, change: AllowanceChange) -> AllowancePreview:
        """Return a change with the entry in force.

        Raises:
            NotInServerError: `guild_id` is 0.
            NotAdmittedError: the guild is not admitted.
            AllowanceMissingError: there is no entry to remove.
        """

        def read(connection: Connection, now: datetime) -> AllowancePreview:
            before = _entry_before(connection, guild_id, self._as_kept(connection, change))
            terms = self._ledger.terms(connection, guild_id, 0, now, ())
            return AllowancePreview(
                change=change,
                before=before,
                default=self._ledger.default_allowance,
                guild_budget=terms.guild_budget,
            )

        return await self._transactions.read(guild_id, read)

    async def apply(self, guild_id: int, change: AllowanceChange, *, actor_id: int, reason: str = "") -> None:
        """Store or remove an entry; raises as `preview` does.

        The same entry again is no change.
        """

        def write(connection: Connection, now: datetime) -> None:
            _lock(connection, guild_id)
            kept = self._as_kept(connection, change)
            before = _entry_before(connection, guild_id, kept)
            if kept.removes or kept.entry != before:
                self._write(connection, guild_id, kept, before, actor_id=actor_id, reason=reason, now=now)

        await self._transactions.write(guild_id, write)

    async def set_for_everyone(self, guild_id: int, entry: AllowanceEntry | None, *, actor_id: int) -> None:
        """Store the entry for everyone, or with None return to the operator's.

        A server that is not admitted yet can be set up too. The same entry again is no change.
        """
        now = self._clock.now()
        change = AllowanceChange(entry=entry or AllowanceEntry(amount=0), removes=entry is None)

        def write(connection: Connection) -> None:
            _lock(connection, guild_id)
            before = AllowanceRepository(connection).find(guild_id)
            if entry != before:
                self._write(connection, guild_id, change, before, actor_id=actor_id, reason="", now=now)

        await self._database.write(write)

    async def forget_role(self, guild_id: int, role_id: int) -> None:
        """Remove the entry of a deleted role, if it has one."""
        now = self._clock.now()

        def write(connection: Connection) -> None:
            entry = AllowanceRepository(connection).find(guild_id, role_id=role_id)
            if entry is not None:
                change = AllowanceChange(entry=entry, removes=True)
                self._write(connection, guild_id, change, entry, actor_id=SYSTEM_ACTOR, reason=_ROLE_GONE, now=now)

        await self._database.write(write)

    async def explain(self, guild_id: int, member_id: int, roles: Collection[int] | None) -> Explanation:
        """Return a member's allowance and all entries for them.

        Without `roles`, the member is not in the server.
        """

        def read(connection: Connection, now: datetime) -> Explanation:
            entries = AllowanceRepository(connection).list(guild_id)
            account, terms = self._ledger.view(connection, guild_id, member_id, now, roles)
            return Explanation(
                member_id=member_id,
                allowance=terms.allowance,
                candidates=candidates_of(entries, self._ledger.kept_as(connection, member_id), roles or ()),
                used=account.spent,
                granted=account.granted,
                unknown=() if roles is not None else tuple(each for each in entries if each.role_id),
            )

        return await self._transactions.read(guild_id, read)

    def _as_kept(self, connection: Connection, change: AllowanceChange) -> AllowanceChange:
        """Return a change with the pseudonym of a deleted member."""
        entry = change.entry
        member_id = self._ledger.kept_as(connection, entry.member_id) if entry.member_id else 0
        return replace(change, entry=replace(entry, member_id=member_id))

    def _write(
        self,
        connection: Connection,
        guild_id: int,
        change: AllowanceChange,
        before: AllowanceEntry | None,
        *,
        actor_id: int,
        reason: str,
        now: datetime,
    ) -> None:
        entry, repository = change.entry, AllowanceRepository(connection)
        if change.removes:
            repository.remove(guild_id, role_id=entry.role_id, member_id=entry.member_id)
        else:
            repository.set(guild_id, entry)
        self._transactions.record(
            connection,
            "allowance.remove" if change.removes else "allowance.set",
            guild_id=guild_id,
            actor_id=actor_id,
            target_id=entry.member_id or entry.role_id or None,
            detail=logged_change(entry.source, before, None if change.removes else entry),
            reason=reason,
            at=now,
        )


def _lock(connection: Connection, guild_id: int) -> None:
    """Lock a guild's row, so that the audit log has each change once."""
    guilds = GuildRepository(connection)
    guilds.add(guild_id)
    guilds.settings(guild_id, lock=True)


def _entry_before(connection: Connection, guild_id: int, change: AllowanceChange) -> AllowanceEntry | None:
    entry = change.entry
    before = AllowanceRepository(connection).find(guild_id, role_id=entry.role_id, member_id=entry.member_id)
    if before is None and change.removes:
        raise AllowanceMissingError
    return before


def logged_change(
    source: AllowanceSource, before: AllowanceEntry | None, after: AllowanceEntry | None
) -> dict[str, object]:
    """Return the values of a change in the audit log.

    An allowance is there as `200 a day` or `unlimited`.
    """
    values = [None if each is None else _logged(each) for each in (before, after)]
    return {"target": source, "allowance": dict(zip(("before", "after"), values, strict=True))}


def _logged(entry: AllowanceEntry) -> str:
    return UNLIMITED if entry.amount is None else f"{entry.amount} a {entry.period}"
