"""The accounts of an audit, and a sum of its queries."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, and_, case, func, true

from bot.domain.credits import LedgerAccount
from db.tables import postings


@dataclass(frozen=True, slots=True)
class Accounts:
    """Some accounts of one guild; their rows alone are checked."""

    guild_id: int
    member_ids: tuple[int, ...]


def within(only: Accounts | None, table: Table) -> ColumnElement[bool]:
    """Return the condition for rows of the accounts."""
    if only is None:
        return true()
    return and_(table.c.guild_id == only.guild_id, table.c.member_id.in_(only.member_ids))


def sum_of(book: LedgerAccount, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """Return the sum of postings to an account of the ledger."""
    matches = and_(postings.c.book == book, *conditions)
    return func.coalesce(func.sum(case((matches, postings.c.amount), else_=0)), 0)
