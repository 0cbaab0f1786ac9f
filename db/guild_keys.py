"""Provider keys of guilds, encrypted."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, insert, or_, select, update

from bot.domain.errors import FaultKind
from bot.domain.guild_keys import GuildKey
from bot.domain.jobs import Outcome
from db.due_reports import claim_due_reports, has_due_reports
from db.locks import CLAIMING, advisory_lock
from db.tables import attempts, guild_keys, jobs

_IN_USE: Final = guild_keys.c.retired_at.is_(None)
_OF_GUILD: Final = and_(guild_keys.c.guild_id == bindparam("the_guild"), _IN_USE)
_FIELDS: Final = tuple(each.name for each in fields(GuildKey))
_COLUMNS: Final = tuple(guild_keys.c[name].label(name) for name in _FIELDS)
# Built once: every hold and many claims read them.
_HAS_ANY: Final = select(exists().where(_OF_GUILD))
_USABLE: Final = select(guild_keys.c.provider, guild_keys.c.id).where(_OF_GUILD, guild_keys.c.fault.is_(None))
_FAULTS: Final = select(guild_keys.c.provider, guild_keys.c.fault).where(_OF_GUILD, guild_keys.c.fault.is_not(None))
# A refused call is asked about no more. One without a key_id was never sent with a guild's key.
_SERVES_A_JOB: Final = exists().where(
    jobs.c.guild_id == guild_keys.c.guild_id,
    jobs.c.own_key,
    or_(jobs.c.finished_at.is_(None), jobs.c.reconcile_at.is_not(None)),
    attempts.c.job_id == jobs.c.id,
    attempts.c.key_id == guild_keys.c.id,
    attempts.c.outcome != Outcome.REFUSED,
)


class GuildKeyRepository:
    """Guilds' keys within one transaction.

    A key is in use until it is removed or replaced. Then it is retired, and deleted once no job needs it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def has_any(self, guild_id: int) -> bool:
        """Return whether a guild has a key in use, with a fault or without."""
        return bool(self._connection.execute(_HAS_ANY, {"the_guild": guild_id}).scalar_one())

    def usable(self, guild_id: int) -> dict[str, str]:
        """Return the ids of a guild's keys without a fault, by provider."""
        rows = self._connection.execute(_USABLE, {"the_guild": guild_id})
        return {row.provider: row.id for row in rows}

    def faults(self, guild_id: int) -> dict[str, FaultKind]:
        """Return the faults of a guild's keys in use, by provider."""
        rows = self._connection.execute(_FAULTS, {"the_guild": guild_id})
        return {row.provider: FaultKind(row.fault) for row in rows}

    def find(self, key_id: str) -> GuildKey | None:
        """Return a key, also a retired one; None if it is deleted."""
        row = self._connection.execute(select(*_COLUMNS).where(guild_keys.c.id == key_id)).first()
        return None if row is None else _from_row(row)

    def find_of(self, guild_id: int, provider: str) -> GuildKey | None:
        """Return a guild's key in use for a provider, or None."""
        statement = select(*_COLUMNS).where(_OF_GUILD, guild_keys.c.provider == provider)
        row = self._connection.execute(statement, {"the_guild": guild_id}).first()
        return None if row is None else _from_row(row)

    def list(self, guild_id: int) -> tuple[GuildKey, ...]:
        """Return a guild's keys in use."""
        rows = self._connection.execute(
            select(*_COLUMNS).where(_OF_GUILD).order_by(guild_keys.c.provider), {"the_guild": guild_id}
        )
        return tuple(map(_from_row, rows))

    def list_all(self) -> tuple[GuildKey, ...]:
        """Return the keys of all guilds, also the retired ones."""
        return tuple(map(_from_row, self._connection.execute(select(*_COLUMNS))))

    def ids(self) -> frozenset[str]:
        """Return the ids of all keys, also of the retired ones."""
        return frozenset(self._connection.execute(select(guild_keys.c.id)).scalars())

    def replace(self, key: GuildKey) -> bool:
        """Store a key in place of an earlier one; return whether there was one."""
        replaced = self.retire(key.guild_id, key.set_at, provider=key.provider)
        self._connection.execute(
            insert(guild_keys).values(
                id=key.id,
                guild_id=key.guild_id,
                provider=key.provider,
                ciphertext=key.ciphertext,
                set_by=key.set_by,
                set_at=key.set_at,
            )
        )
        return replaced > 0

    def retire(self, guild_id: int, at: datetime, *, provider: str | None = None) -> int:
        """End the use of a guild's key, or of all; return their number.

        Keys without a running job are deleted at once.
        """
        # A claim is over, or begins later: a key that it chose is not deleted.
        advisory_lock(self._connection, CLAIMING)
        conditions = [guild_keys.c.guild_id == guild_id, _IN_USE]
        if provider is not None:
            conditions.append(guild_keys.c.provider == provider)
        statement = update(guild_keys).where(*conditions).values(retired_at=at, report_at=None)
        retired = self._connection.execute(statement).rowcount
        if retired:
            self.delete_unused(guild_id)
        return retired

    def delete_unused(self, guild_id: int | None = None) -> int:
        """Delete retired keys without a running job; return their number."""
        conditions = [guild_keys.c.retired_at.is_not(None), ~_SERVES_A_JOB]
        if guild_id is not None:
            conditions.append(guild_keys.c.guild_id == guild_id)
        return self._connection.execute(delete(guild_keys).where(*conditions)).rowcount

    def has_retired(self) -> bool:
        """Return whether any retired key is not deleted yet."""
        return bool(self._connection.execute(select(exists().where(guild_keys.c.retired_at.is_not(None)))).scalar())

    def set_fault(self, key_id: str, fault: FaultKind, report_at: datetime | None) -> bool:
        """Record a key's first fault; return False if it has one.

        It is reported at `report_at`. A retired key gets none.
        """
        statement = update(guild_keys).where(guild_keys.c.id == key_id, _IN_USE, guild_keys.c.fault.is_(None))
        return self._connection.execute(statement.values(fault=fault, report_at=report_at)).rowcount == 1

    def change_fault(self, key_id: str, fault: FaultKind | None, report_at: datetime | None = None) -> None:
        """Record a key's fault in place of another; None ends it."""
        statement = update(guild_keys).where(guild_keys.c.id == key_id)
        self._connection.execute(statement.values(fault=fault, report_at=report_at))

    def claim_reports(self, now: datetime, again_at: datetime) -> tuple[GuildKey, ...]:
        """Return the keys with a fault to report now, and plan the next try."""
        return tuple(map(_from_row, claim_due_reports(self._connection, guild_keys, now, again_at, _IN_USE)))

    def has_reports(self, now: datetime) -> bool:
        """Return whether a fault is to be reported."""
        return has_due_reports(self._connection, guild_keys, now, _IN_USE)

    def mark_reported(self, key_ids: Collection[str]) -> None:
        """Report the faults of these keys no more."""
        statement = update(guild_keys).where(guild_keys.c.id.in_(key_ids)).values(report_at=None)
        self._connection.execute(statement)


def _from_row(row: Row[Any]) -> GuildKey:
    values: dict[str, Any] = {name: row._mapping[name] for name in _FIELDS}
    return GuildKey(**values | {"fault": None if row.fault is None else FaultKind(row.fault)})
