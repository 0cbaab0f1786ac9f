"""Purchases at Discord."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, or_, select, update

from bot.domain.premium import Entitlement
from db.dialects import insert
from db.tables import entitlements

_COLUMNS: Final = [column.label(column.key) for column in entitlements.c]
_BY_ID: Final = select(*_COLUMNS).where(entitlements.c.id == bindparam("the_id"))
_LOCK: Final = _BY_ID.with_for_update()
# Built once: every hold reads it where something is sold.
_ACTIVE: Final = select(*_COLUMNS).where(
    or_(
        entitlements.c.member_id == bindparam("the_member"),
        and_(entitlements.c.member_id == 0, entitlements.c.guild_id == bindparam("the_guild")),
    ),
    entitlements.c.sku_id.in_(bindparam("the_skus", expanding=True)),
    entitlements.c.granted.is_(None),
    entitlements.c.revoked_at.is_(None),
    or_(entitlements.c.ends_at.is_(None), entitlements.c.ends_at > bindparam("now")),
)
_OWED: Final = (
    select(*_COLUMNS)
    .where(
        entitlements.c.member_id == bindparam("the_member"),
        entitlements.c.guild_id == bindparam("the_guild"),
        entitlements.c.to_take_back > 0,
        entitlements.c.revoked_at >= bindparam("since"),
    )
    .order_by(entitlements.c.id)
    .with_for_update()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitlementRow:
    """A stored entitlement; see the table for its fields."""

    id: int
    sku_id: int
    member_id: int
    guild_id: int
    period: str
    granted: int | None
    is_test: bool
    noted_at: datetime
    ends_at: datetime | None
    consumed_at: datetime | None
    revoked_at: datetime | None
    to_take_back: int


class EntitlementRepository:
    """Entitlements within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        entitlement: Entitlement,
        *,
        member_id: int,
        guild_id: int,
        at: datetime,
        granted: int | None = None,
        revoked_at: datetime | None = None,
    ) -> bool:
        """Store an entitlement; return False if it is stored already.

        `member_id` and `guild_id` are those of the table.
        """
        statement = insert(self._connection, entitlements).values(
            {
                "id": entitlement.id,
                "sku_id": entitlement.sku_id,
                "member_id": member_id,
                "guild_id": guild_id,
                "period": "",
                "granted": granted,
                "is_test": entitlement.is_test,
                "noted_at": at,
                "ends_at": entitlement.ends_at,
                "revoked_at": revoked_at,
            }
        )
        return self._connection.execute(statement.on_conflict_do_nothing()).rowcount == 1

    def find(self, entitlement_id: int, *, lock: bool = False) -> EntitlementRow | None:
        """Return an entitlement, or None; `lock` locks its row."""
        row = self._connection.execute(_LOCK if lock else _BY_ID, {"the_id": entitlement_id}).first()
        return None if row is None else _from_row(row)

    def list_active(
        self, guild_id: int, member_id: int, sku_ids: Collection[int], now: datetime
    ) -> tuple[EntitlementRow, ...]:
        """Return the active purchases of allowances by a member or for a guild."""
        # Neither guild 0 nor member 0 buys anything.
        keys = {"the_guild": guild_id or -1, "the_member": member_id or -1, "the_skus": list(sku_ids), "now": now}
        return tuple(_from_row(row) for row in self._connection.execute(_ACTIVE, keys))

    def list_of(self, member_id: int) -> tuple[EntitlementRow, ...]:
        """Return all purchases of a member, oldest first."""
        own = select(*_COLUMNS).where(entitlements.c.member_id == member_id).order_by(entitlements.c.id)
        return tuple(_from_row(row) for row in self._connection.execute(own))

    def change_end(self, entitlement_id: int, ends_at: datetime | None) -> None:
        """Store the end of an entitlement."""
        changed = entitlements.c.ends_at.is_distinct_from(ends_at)
        statement = update(entitlements).where(entitlements.c.id == entitlement_id, changed)
        self._connection.execute(statement.values(ends_at=ends_at))

    def move(self, row_id: int, *, guild_id: int, period: str, from_guild: int, from_period: str) -> bool:
        """Store the use of an allowance in a guild and a period.

        Return False if another use came first.
        """
        as_read = (
            entitlements.c.id == row_id,
            entitlements.c.guild_id == from_guild,
            entitlements.c.period == from_period,
        )
        statement = update(entitlements).where(*as_read).values(guild_id=guild_id, period=period)
        return self._connection.execute(statement).rowcount == 1

    def revoke(self, entitlement_id: int, at: datetime, *, to_take_back: int = 0) -> None:
        """Store a refund."""
        statement = update(entitlements).where(entitlements.c.id == entitlement_id)
        self._connection.execute(statement.values(revoked_at=at, to_take_back=to_take_back))

    def list_owed(self, guild_id: int, member_id: int, since: datetime) -> tuple[EntitlementRow, ...]:
        """Return the refunds since a time with credits to take back, locked."""
        keys = {"the_guild": guild_id, "the_member": member_id, "since": since}
        return tuple(_from_row(row) for row in self._connection.execute(_OWED, keys))

    def owe(self, entitlement_id: int, to_take_back: int) -> None:
        """Store the credits still to be taken back."""
        statement = update(entitlements).where(entitlements.c.id == entitlement_id)
        self._connection.execute(statement.values(to_take_back=to_take_back))

    def list_unconsumed(self) -> tuple[int, ...]:
        """Return the granted entitlements not yet consumed at Discord."""
        waiting = (
            entitlements.c.granted.is_not(None),
            entitlements.c.consumed_at.is_(None),
            entitlements.c.revoked_at.is_(None),
        )
        return tuple(self._connection.execute(select(entitlements.c.id).where(*waiting)).scalars())

    def consume(self, entitlement_id: int, at: datetime) -> None:
        """Record a grant as consumed at Discord."""
        waiting = (entitlements.c.id == entitlement_id) & entitlements.c.consumed_at.is_(None)
        self._connection.execute(update(entitlements).where(waiting).values(consumed_at=at))


def _from_row(row: Row[Any]) -> EntitlementRow:
    return EntitlementRow(**row._mapping)
