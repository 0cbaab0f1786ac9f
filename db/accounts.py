"""Accounts: a member's credits in a guild."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row, bindparam, func, select, tuple_

from bot.domain.credits import Account
from db.dialects import InsertUnlessThere, padded
from db.many_rows import ManyInserts, ManyUpdates
from db.tables import accounts

AccountKey: TypeAlias = tuple[int, int]
"""A guild's id and a member's."""

_OF_MEMBER: Final = (accounts.c.guild_id == bindparam("the_guild"), accounts.c.member_id == bindparam("the_member"))
# Built once: building a statement costs several times as much as running it.
_FIND: Final = select(accounts).where(*_OF_MEMBER)
_LOCK: Final = _FIND.with_for_update()
# By pairs: those members may have many accounts in those guilds, which others would wait for.
_LOCK_ALL: Final = (
    select(accounts)
    .where(tuple_(accounts.c.guild_id, accounts.c.member_id).in_(bindparam("the_keys", expanding=True)))
    .order_by(accounts.c.guild_id, accounts.c.member_id)
    .with_for_update()
)
_INSERT: Final = InsertUnlessThere(accounts)
_ADD: Final = ManyInserts(accounts)
_SAVE: Final = ManyUpdates(
    accounts,
    {"the_guild": accounts.c.guild_id, "the_member": accounts.c.member_id},
    lambda given: (accounts.c.guild_id == given["the_guild"], accounts.c.member_id == given["the_member"]),
)


class AccountRepository:
    """Accounts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, guild_id: int, member_id: int) -> Account | None:
        """Return the account as it was last saved, or None."""
        row = self._connection.execute(_FIND, _keys(guild_id, member_id)).first()
        return None if row is None else _from_row(row)

    def lock(self, guild_id: int, member_id: int, before_creation: Callable[[], None] | None = None) -> Account:
        """Return the account, locked until the transaction ends.

        A missing account is created empty, unless `before_creation` has created it.
        """
        keys = _keys(guild_id, member_id)
        row = self._connection.execute(_LOCK, keys).first()
        if row is None:
            if before_creation is not None:
                before_creation()
            account = Account(guild_id=guild_id, member_id=member_id)
            self._connection.execute(_INSERT.on(self._connection), asdict(account))
            row = self._connection.execute(_LOCK, keys).one()
        return _from_row(row)

    def lock_all(self, keys: Collection[AccountKey]) -> dict[AccountKey, Account]:
        """Return the existing ones of these accounts, locked in a fixed order."""
        rows = self._connection.execute(_LOCK_ALL, {"the_keys": padded(keys)})
        return {(row.guild_id, row.member_id): _from_row(row) for row in rows}

    def add_all(self, new: Sequence[Account]) -> None:
        """Insert accounts, in the order of their locks.

        Raises:
            sqlalchemy.exc.IntegrityError: one exists meanwhile.
        """
        if new:
            ordered = sorted(new, key=lambda each: (each.guild_id, each.member_id))
            _ADD.execute(self._connection, [asdict(each) for each in ordered])

    def sum_granted(self, member_id: int) -> int:
        """Return a member's granted credits in all guilds."""
        total = select(func.coalesce(func.sum(accounts.c.granted), 0)).where(accounts.c.member_id == member_id)
        return int(self._connection.execute(total).scalar_one())

    def has_granted(self, guild_id: int, least: int) -> bool:
        """Return whether any account of a guild has as many granted credits."""
        statement = select(accounts.c.member_id).where(accounts.c.guild_id == guild_id, accounts.c.granted >= least)
        return self._connection.execute(statement.limit(1)).first() is not None

    def save(self, account: Account) -> None:
        """Write back a locked account."""
        _SAVE.execute(self._connection, [_saved(account)])

    def save_all(self, changed: Sequence[Account]) -> None:
        """Write back locked accounts."""
        if changed:
            _SAVE.execute(self._connection, [_saved(each) for each in changed])


def _saved(account: Account) -> dict[str, Any]:
    return {
        **_keys(account.guild_id, account.member_id),
        "period": account.period,
        "allowance": account.allowance,
        "granted": account.granted,
        "held": account.held,
        "spent": account.spent,
        "issued": account.issued,
    }


def _from_row(row: Row[Any]) -> Account:
    return Account(
        guild_id=row.guild_id,
        member_id=row.member_id,
        period=row.period,
        allowance=row.allowance,
        granted=row.granted,
        held=row.held,
        spent=row.spent,
        issued=row.issued,
    )


def _keys(guild_id: int, member_id: int) -> dict[str, int]:
    return {"the_guild": guild_id, "the_member": member_id}
