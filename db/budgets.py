"""The operator's budget: what all communities together hold and have captured in a month."""

from sqlalchemy import Connection, select, update

from db.dialects import insert
from db.tables import budgets


class BudgetRepository:
    """Budgets within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reserve(self, month: str, amount: int, limit: int) -> bool:
        """Count `amount` as held, unless held and captured together would pass `limit`: then return False."""
        if self._add(month, amount, limit):
            return True
        fresh = {"month": month, "held": 0, "captured": 0}
        self._connection.execute(insert(self._connection, budgets).values(fresh).on_conflict_do_nothing())
        return self._add(month, amount, limit)

    def settle(self, month: str, *, held: int, captured: int) -> None:
        """End a reservation of `held`, of which `captured` was charged."""
        self._connection.execute(
            update(budgets)
            .where(budgets.c.month == month)
            .values(held=budgets.c.held - held, captured=budgets.c.captured + captured)
        )

    def used(self, month: str) -> int:
        """Return what is held and captured in a month."""
        statement = select(budgets.c.held + budgets.c.captured).where(budgets.c.month == month)
        return self._connection.execute(statement).scalar() or 0

    def _add(self, month: str, amount: int, limit: int) -> bool:
        result = self._connection.execute(
            update(budgets)
            .where(budgets.c.month == month, budgets.c.held + budgets.c.captured + amount <= limit)
            .values(held=budgets.c.held + amount)
        )
        return result.rowcount == 1
