"""The operator's monthly budget: credits held and captured in all guilds."""

from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from db.dialects import insert_unless_there
from db.tables import budgets

# Built once: building a statement costs several times as much as running it.
_INSERT: Final = insert_unless_there(budgets)
_OF_MONTH: Final = budgets.c.month == bindparam("of_month")
_RESERVE: Final = (
    update(budgets)
    .where(_OF_MONTH, budgets.c.held + budgets.c.captured + bindparam("more") <= bindparam("most"))
    .values(held=budgets.c.held + bindparam("more"))
)
_SETTLE: Final = (
    update(budgets)
    .where(_OF_MONTH)
    .values(held=budgets.c.held - bindparam("no_longer_held"), captured=budgets.c.captured + bindparam("now_captured"))
)


class BudgetRepository:
    """Budgets within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reserve(self, month: str, amount: int, limit: int) -> bool:
        """Add `amount` to the held credits up to `limit`.

        Held and captured credits count together. Return False if the limit would be exceeded; then nothing is held.
        """
        if self._add(month, amount, limit):
            return True
        fresh = {"month": month, "held": 0, "captured": 0}
        self._connection.execute(_INSERT[self._connection.dialect.name], fresh)
        return self._add(month, amount, limit)

    def settle(self, month: str, *, held: int, captured: int) -> None:
        """End a reservation of `held` with `captured` charged."""
        self._connection.execute(_SETTLE, {"of_month": month, "no_longer_held": held, "now_captured": captured})

    def used(self, month: str) -> int:
        """Return the credits held and captured in a month."""
        statement = select(budgets.c.held + budgets.c.captured).where(budgets.c.month == month)
        return self._connection.execute(statement).scalar() or 0

    def _add(self, month: str, amount: int, limit: int) -> bool:
        result = self._connection.execute(_RESERVE, {"of_month": month, "more": amount, "most": limit})
        return result.rowcount == 1
