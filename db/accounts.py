"""Accounts: a member's credits in a community."""

from dataclasses import asdict

from sqlalchemy import Connection, Select, select, update

from bot.domain.credits import Account
from db.dialects import insert
from db.tables import accounts


class AccountRepository:
    """Accounts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, community_id: int, member_id: int) -> Account | None:
        """Return the account as it was last saved, or None."""
        row = self._connection.execute(_select(community_id, member_id)).first()
        return None if row is None else Account(**row._mapping)

    def lock(self, community_id: int, member_id: int) -> Account:
        """Return the account, made empty if missing, locked until the transaction ends."""
        statement = _select(community_id, member_id).with_for_update()
        row = self._connection.execute(statement).first()
        if row is None:
            account = Account(community_id=community_id, member_id=member_id)
            self._connection.execute(
                insert(self._connection, accounts).values(asdict(account)).on_conflict_do_nothing()
            )
            row = self._connection.execute(statement).one()
        return Account(**row._mapping)

    def save(self, account: Account) -> None:
        """Write back an account that `lock` returned."""
        self._connection.execute(
            update(accounts)
            .where(accounts.c.community_id == account.community_id, accounts.c.member_id == account.member_id)
            .values(period=account.period, allowance=account.allowance, granted=account.granted, held=account.held)
        )


def _select(community_id: int, member_id: int) -> "Select[tuple[int, int, str, int, int, int]]":
    return select(accounts).where(accounts.c.community_id == community_id, accounts.c.member_id == member_id)
