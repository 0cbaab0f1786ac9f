"""Alerts about the monthly budget to the bot's owners."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.credits import Budget, alerts_due
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from db.budgets import BudgetRepository
from db.database import Database

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 30.0
_LONGEST_RETRY_SECONDS: Final = 3600.0


class OwnerNotifier(Protocol):
    """Sends messages to the owners of the Discord application."""

    async def send_budget_alert(self, budget: Budget, percentage: int) -> bool:
        """Send an alert; return False if it reached nobody."""
        ...


class BudgetAlerts:
    """Alerts the owners once a month for each reached percentage.

    The database remembers what was logged and sent, so neither a restart nor another process repeats it. `cheapest` is
    the lowest price of a picture.
    """

    def __init__(
        self, *, database: Database, ledger: Ledger, notifier: OwnerNotifier, clock: Clock, cheapest: int
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._notifier = notifier
        self._clock = clock
        self._cheapest = cheapest
        self._failures = 0
        self._not_before = float("-inf")

    async def run(self) -> None:
        """Check the budget until cancelled."""
        while True:
            try:
                await self.check()
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("budget.not_checked")
            await self._clock.wait(asyncio.Event(), _CHECK_SECONDS)

    async def check(self) -> None:
        """Log and send the due alerts.

        An alert that reached nobody is sent again later.
        """
        now = self._clock.now()
        budget = await self._database.read(lambda connection: self._ledger.budget(connection, now))
        reached = alerts_due(budget, self._cheapest)
        unsent = await self._database.read(
            lambda connection: BudgetRepository(connection).unsent_alerts(budget.month, reached)
        )
        for percentage in unsent:
            if await self._database.write(_recording(budget.month, percentage, BudgetRepository.record_alert_logged)):
                _log.warning(
                    "budget.reached",
                    percentage=percentage,
                    month=budget.month,
                    limit=budget.limit,
                    held=budget.held,
                    captured=budget.captured,
                    at_risk=budget.at_risk,
                    left=budget.left,
                )
        for percentage in unsent:
            if self._clock.monotonic() < self._not_before or not await self._send(budget, percentage):
                return

    async def _send(self, budget: Budget, percentage: int) -> bool:
        if not await self._notifier.send_budget_alert(budget, percentage):
            pause = min(_CHECK_SECONDS * 2.0 ** min(self._failures, 10), _LONGEST_RETRY_SECONDS)
            self._failures += 1
            self._not_before = self._clock.monotonic() + pause
            _log.warning("budget.alert_not_sent", percentage=percentage, retry_in=pause)
            return False
        self._failures = 0
        await self._database.write(_recording(budget.month, percentage, BudgetRepository.record_alert_sent))
        return True


def _recording(
    month: str, percentage: int, record: Callable[[BudgetRepository, str, int], bool]
) -> Callable[[Connection], bool]:
    return lambda connection: record(BudgetRepository(connection), month, percentage)
