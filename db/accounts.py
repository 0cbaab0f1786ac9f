"""Accounts: a member's credits in a community."""

from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select, update

from bot.domain.credits import Account
from db.dialects import insert_unless_there
from db.tables import accounts

_WHOSE: Final = (accounts.c.guild_id == bindparam("the_guild"), accounts.c.member_id == bindparam("the_member"))
# Built once: building a statement anew costs several times what running it does.
_FIND: Final = select(accounts).where(*_WHOSE)
_LOCK: Final = _FIND.with_for_update()
_INSERT: Final = insert_unless_there(accounts)
_SAVE: Final = update(accounts).where(*_WHOSE)


class AccountRepository:
    """Accounts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, guild_id: int, member_id: int) -> Account | None:
        """Return the account as it was last saved, or None."""
        row = self._connection.execute(_FIND, _whose(guild_id, member_id)).first()
        return None if row is None else _from_row(row)

    def lock(self, guild_id: int, member_id: int) -> Account:
        """Return the account, made empty if missing, locked until the transaction ends."""
        whose = _whose(guild_id, member_id)
        row = self._connection.execute(_LOCK, whose).first()
        if row is None:
            account = Account(guild_id=guild_id, member_id=member_id)
            self._connection.execute(_INSERT[self._connection.dialect.name], asdict(account))
            row = self._connection.execute(_LOCK, whose).one()
        return _from_row(row)

    def save(self, account: Account) -> None:
        """Write back an account that `lock` returned."""
        self._connection.execute(
            _SAVE,
            {
                **_whose(account.guild_id, account.member_id),
                "period": account.period,
                "allowance": account.allowance,
                "granted": account.granted,
                "held": account.held,
            },
        )


def _from_row(row: Row[Any]) -> Account:
    return Account(
        guild_id=row.guild_id,
        member_id=row.member_id,
        period=row.period,
        allowance=row.allowance,
        granted=row.granted,
        held=row.held,
    )


def _whose(guild_id: int, member_id: int) -> dict[str, int]:
    return {"the_guild": guild_id, "the_member": member_id}
