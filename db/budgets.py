"""Monthly budgets, of each guild and of all together."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, union, update

from bot.domain.credits import Budget
from db.dialects import InsertUnlessThere, padded
from db.tables import budgets, communities

# Built once: building a statement costs several times as much as running it.
_INSERT: Final = InsertUnlessThere(budgets)
_OF_MONTH: Final = (budgets.c.month == bindparam("of_month")) & (budgets.c.guild_id == bindparam("the_guild"))
# More than a month of any guild takes, and still an integer of the database.
_NO_LIMIT: Final = 2_000_000_000
_USED: Final = budgets.c.held + budgets.c.captured + budgets.c.at_risk
_LIST_USED: Final = select(budgets.c.guild_id, budgets.c.month, _USED.label("used")).where(
    budgets.c.month.in_(bindparam("months", expanding=True)),
    budgets.c.guild_id.in_(bindparam("guilds", expanding=True)),
)
_RESERVE: Final = (
    update(budgets)
    .where(_OF_MONTH, _USED + bindparam("more") <= bindparam("most"))
    .values(held=budgets.c.held + bindparam("more"))
    .returning(budgets.c.held, budgets.c.captured, budgets.c.at_risk, budgets.c.alerted)
)
_SETTLE: Final = (
    update(budgets)
    .where(_OF_MONTH)
    .values(
        held=budgets.c.held - bindparam("no_longer_held"),
        captured=budgets.c.captured + bindparam("now_captured"),
        at_risk=budgets.c.at_risk + bindparam("now_at_risk"),
    )
)


ALL_GUILDS: Final = 0
"""The guild id of the operator's budget, which is for all guilds together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A budget after a reservation, and its highest percentage with an alert."""

    budget: Budget
    alerted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChange:
    """Ended reservations of `held` credits, with `captured` charged.

    `at_risk` stays reserved because the operator may owe it.
    """

    held: int = 0
    captured: int = 0
    at_risk: int = 0

    def __add__(self, other: "BudgetChange") -> "BudgetChange":
        """Return both changes as one."""
        return BudgetChange(
            held=self.held + other.held,
            captured=self.captured + other.captured,
            at_risk=self.at_risk + other.at_risk,
        )


class BudgetRepository:
    """Budgets of one guild, or of all, within one transaction."""

    def __init__(self, connection: Connection, guild_id: int = ALL_GUILDS) -> None:
        self._connection = connection
        self._guild_id = guild_id

    def reserve(self, month: str, amount: int, limit: int | None) -> Reservation | None:
        """Add `amount` to the held credits up to `limit`, if there is one.

        Held and captured credits and those at risk count together. Return None if the limit would be exceeded; then
        nothing is held.
        """
        limit = _NO_LIMIT if limit is None else limit
        if (reserved := self._add(month, amount, limit)) is not None:
            return reserved
        fresh = {"guild_id": self._guild_id, "month": month, "held": 0, "captured": 0}
        self._connection.execute(_INSERT.on(self._connection), fresh)
        return self._add(month, amount, limit)

    def list_used(self, months: Collection[str], guilds: Collection[int]) -> dict[tuple[int, str], int]:
        """Return the used credits of budgets, by guild and month."""
        keys = {"months": padded(months), "guilds": padded(guilds)}
        return {(row.guild_id, row.month): row.used for row in self._connection.execute(_LIST_USED, keys)}

    def settle(self, month: str, change: BudgetChange) -> None:
        """End reservations."""
        self._change(month, held=change.held, captured=change.captured, at_risk=change.at_risk)

    def decide(self, month: str, amount: int, *, captured: bool) -> None:
        """End the risk of an amount: the operator owes it, or not."""
        self._change(month, held=0, captured=amount if captured else 0, at_risk=-amount)

    def used(self, month: str) -> int:
        """Return the credits held, captured and at risk in a month."""
        return self._connection.execute(select(_USED).where(self._is(month))).scalar() or 0

    def find(self, month: str, limit: int) -> Budget:
        """Return the budget of a month."""
        columns = budgets.c.held, budgets.c.captured, budgets.c.at_risk
        row = self._connection.execute(select(*columns).where(self._is(month))).first()
        held, captured, at_risk = (0, 0, 0) if row is None else row
        return Budget(month=month, limit=limit, held=held, captured=captured, at_risk=at_risk)

    def list_months(self, limit: int) -> tuple[Budget, ...]:
        """Return the budgets of all months, oldest first."""
        columns = budgets.c.month, budgets.c.held, budgets.c.captured, budgets.c.at_risk
        statement = select(*columns).where(budgets.c.guild_id == self._guild_id).order_by(budgets.c.month)
        rows = self._connection.execute(statement)
        return tuple(Budget(limit=limit, **row._mapping) for row in rows)

    def list_guilds(self, month: str) -> tuple[int, ...]:
        """Return the guilds with jobs in a month, or with a limit."""
        limited = or_(communities.c.monthly_budget.is_not(None), communities.c.budget_cap.is_not(None))
        of_month = select(budgets.c.guild_id).where(budgets.c.month == month, budgets.c.guild_id != ALL_GUILDS)
        statement = union(of_month, select(communities.c.id).where(limited))
        return tuple(sorted(self._connection.execute(statement).scalars()))

    def list_with_jobs(self, month: str) -> tuple[int, ...]:
        """Return the guilds with jobs in a month, and 0 for all."""
        statement = select(budgets.c.guild_id).where(budgets.c.month == month).order_by(budgets.c.guild_id)
        return tuple(self._connection.execute(statement).scalars())

    def alerted(self, month: str) -> int | None:
        """Return the highest percentage with an alert; None without jobs."""
        return self._connection.execute(select(budgets.c.alerted).where(self._is(month))).scalar()

    def _change(self, month: str, *, held: int, captured: int, at_risk: int) -> None:
        changes = {"no_longer_held": held, "now_captured": captured, "now_at_risk": at_risk}
        self._connection.execute(_SETTLE, {"of_month": month, "the_guild": self._guild_id, **changes})

    def _add(self, month: str, amount: int, limit: int) -> Reservation | None:
        keys = {"of_month": month, "the_guild": self._guild_id, "more": amount, "most": limit}
        row = self._connection.execute(_RESERVE, keys).first()
        if row is None:
            return None
        budget = Budget(month=month, limit=limit, held=row.held, captured=row.captured, at_risk=row.at_risk)
        return Reservation(budget=budget, alerted=row.alerted)

    def _is(self, month: str) -> ColumnElement[bool]:
        return (budgets.c.month == month) & (budgets.c.guild_id == self._guild_id)
