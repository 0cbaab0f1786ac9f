"""Budgets of single servers: their state, and their limits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.budget_forecasts import PACE_DAYS, BudgetForecast, budget_forecast
from bot.domain.credits import Budget, month_end
from bot.domain.errors import BudgetLimitError
from bot.domain.guild_budgets import GuildLimits
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from db.audit_log import AuditLogRepository
from db.budgets import BudgetRepository
from db.database import Database
from db.guilds import GuildRepository
from db.spending import SpendingRepository

OPERATOR = 0
"""The actor of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildBudget:
    """A server's budget of this month.

    Without `limits`, only the budget `of_all` servers limits it, and there is no forecast. `forecast` is None
    also without enough data. `own_keys`: its jobs use its own provider keys, and `of_all` does not limit them.
    """

    budget: Budget
    limits: GuildLimits
    of_all: Budget
    renews_at: datetime
    forecast: BudgetForecast | None = None
    own_keys: bool = False

    @property
    def is_limited(self) -> bool:
        """Return True if a limit is set for the server."""
        return self.limits.lowest is not None

    @property
    def left(self) -> int:
        """Credits that jobs in the server can still hold."""
        return self.budget.left if self.own_keys else min(self.budget.left, self.of_all.left)


class BudgetService:
    """Reads servers' budgets, and changes their limits."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        new_id: Callable[[], str],
        uses_own_keys: Callable[[Connection, int], bool] = lambda *_: False,
    ) -> None:
        self._uses_own_keys = uses_own_keys
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id

    async def get(self, guild_id: int) -> GuildBudget:
        """Return a server's budget of this month."""
        return await self._database.read(lambda connection: self._read(connection, guild_id))

    async def list(self) -> tuple[Budget, tuple[tuple[int, GuildBudget], ...]]:
        """Return the budget of all, and of servers with jobs or limits."""

        def read(connection: Connection) -> tuple[Budget, tuple[tuple[int, GuildBudget], ...]]:
            of_all = self._ledger.budget(connection, self._clock.now())
            guilds = BudgetRepository(connection).list_guilds(of_all.month)
            return of_all, tuple((each, self._read(connection, each)) for each in guilds)

        return await self._database.read(read)

    async def set_limit(self, guild_id: int, amount: int | None, *, actor_id: int) -> GuildBudget:
        """Set the admins' limit; None removes it.

        A limit below what is used stops new jobs; running ones go on.

        Raises:
            BudgetLimitError: it is above what the operator gives.
        """

        def write(connection: Connection) -> GuildBudget:
            before = self._ledger.guild_limits(connection, guild_id)
            of_all = self._ledger.budget(connection, self._clock.now()).limit
            highest = of_all if before.operators is None else min(of_all, before.operators)
            if amount is not None and amount > highest:
                raise BudgetLimitError(str(amount), highest=highest, by_operator=True)
            GuildRepository(connection).change_settings(guild_id, {"monthly_budget": amount})
            if amount != before.admins:
                self._record(connection, guild_id, "budget.limit", before.admins, amount, actor_id)
            self._ledger.raise_alert(connection, guild_id, self._clock.now())
            return self._read(connection, guild_id)

        return await self._database.write(write)

    async def set_cap(self, guild_id: int, amount: int | None, *, actor_id: int = OPERATOR) -> GuildBudget:
        """Set the operator's limit for one server.

        With None, the setting for each server applies again.
        """

        def write(connection: Connection) -> GuildBudget:
            guilds = GuildRepository(connection)
            before = guilds.budget_cap(guild_id)
            guilds.set_budget_cap(guild_id, amount)
            if amount != before:
                self._record(connection, guild_id, "budget.cap", before, amount, actor_id)
            self._ledger.raise_alert(connection, guild_id, self._clock.now())
            return self._read(connection, guild_id)

        return await self._database.write(write)

    def _read(self, connection: Connection, guild_id: int) -> GuildBudget:
        now = self._clock.now()
        of_all = self._ledger.budget(connection, now)
        limits = self._ledger.guild_limits(connection, guild_id)
        budget = self._ledger.guild_budget(connection, guild_id, now)
        forecast = None
        if limits.lowest is not None:
            days = [now.date() - timedelta(days=each) for each in range(PACE_DAYS + 1)]
            spending = SpendingRepository(connection, guild_id)
            forecast = budget_forecast(budget, spending.by_day(days), now, since=spending.first_at() or now)
        return GuildBudget(
            budget=budget,
            limits=limits,
            of_all=of_all,
            renews_at=month_end(now),
            forecast=forecast,
            own_keys=self._uses_own_keys(connection, guild_id),
        )

    def _record(
        self, connection: Connection, guild_id: int, action: str, before: Any, after: Any, actor_id: int
    ) -> None:
        entry = AuditEntry(
            id=self._new_id(),
            guild_id=guild_id,
            actor_id=actor_id,
            action=action,
            at=self._clock.now(),
            detail={"before": before, "after": after},
        )
        AuditLogRepository(connection).add(entry)
