"""Alerts about monthly budgets to owners, log channels and a webhook."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection

from bot.domain.credits import Budget, month_of
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from bot.engine.repeat import repeat
from db.budget_alerts import AlertTarget, BudgetAlertRepository, DueAlert
from db.budgets import BudgetRepository
from db.database import Database
from db.guilds import GuildRepository

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 30.0
_LONGEST_RETRY_SECONDS: Final = 3600.0
# Longer than all requests of one alert together.
_LEASE: Final = timedelta(minutes=10)
# A start with many servers at their limits should not flood the owner.
_MOST_AT_ONCE: Final = 10
# The owner is asked again until the month ends: nobody else could be told instead.
_MOST_TRIES: Final = {AlertTarget.CHANNEL: 4, AlertTarget.WEBHOOK: 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """A budget at a percentage; guild 0 is all servers together."""

    budget: Budget
    percentage: int
    guild_id: int = 0


class OwnerNotifier(Protocol):
    """Sends messages to the owners of the Discord application."""

    async def send_budget_alert(self, alert: BudgetAlert) -> bool:
        """Send an alert; return False if it reached nobody."""
        ...

    async def send_closed_log_channel(self, guild_id: int) -> bool:
        """Send that a server's log channel takes no alerts; as above."""
        ...


class ChannelNotifier(Protocol):
    """Sends messages to servers' log channels."""

    async def send_budget_alert(self, channel_id: int, locale: str | None, alert: BudgetAlert) -> bool:
        """Send an alert; return False if it did not arrive."""
        ...


class WebhookNotifier(Protocol):
    """Sends messages to the operator's webhook."""

    async def send_budget_alert(self, alert: BudgetAlert) -> bool:
        """Send an alert; return False if it did not arrive."""
        ...


class BudgetAlerts:
    """Sends each due alert once.

    Holds and changes of limits make alerts due, in their own transactions. An alert is claimed before it is sent, so
    several processes send it once. After a crash in between it is sent again, which Discord recognizes for some
    minutes.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        owners: OwnerNotifier,
        channels: ChannelNotifier,
        webhook: WebhookNotifier | None,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._owners = owners
        self._channels = channels
        self._webhook = webhook
        self._clock = clock

    async def run(self) -> None:
        """Send due alerts until cancelled."""
        await repeat(
            self.check,
            first=self.catch_up,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("budget.not_checked"),
        )

    async def catch_up(self) -> None:
        """Make alerts due for limits that the settings lowered meanwhile.

        No hold may ever tell: a spent budget takes none.
        """
        now = self._clock.now()
        month = month_of(now)

        def read(connection: Connection) -> list[int]:
            guilds = BudgetRepository(connection).list_with_jobs(month)
            return [each for each in guilds if self._ledger.has_unraised_alert(connection, each, now)]

        for guild_id in await self._database.read(read, long_running=True):
            await self._database.write(lambda connection, at=guild_id: self._ledger.raise_alert(connection, at, now))  # type: ignore[misc]

    async def check(self) -> None:
        """Send the due alerts; those that did not arrive are due again later."""
        now = self._clock.now()
        month = month_of(now)
        if not await self._database.read(lambda connection: BudgetAlertRepository(connection).has_due(month, now)):
            return
        claimed = await self._database.write(
            lambda connection: BudgetAlertRepository(connection).claim(month, now, lease=_LEASE, most=_MOST_AT_ONCE)
        )
        for due in claimed:
            try:
                await self._deliver(due, now)
            except Exception:  # noqa: BLE001 - the others wait; this one is due again after its lease
                _log.exception("budget.alert_failed", target=due.target)

    async def _deliver(self, due: DueAlert, claimed_at: datetime) -> None:
        # Sending takes time, and the next month may have begun meanwhile: its budget is not the one that was reached.
        budget = await self._database.read(
            lambda connection: self._ledger.guild_budget(connection, due.guild_id, claimed_at)
        )
        alert = BudgetAlert(budget=budget, percentage=due.percentage, guild_id=due.guild_id)
        if due.target is AlertTarget.OWNER and due.tries == 0:
            _log_reached(alert)
        if await self._send(due, alert):
            await self._write(lambda alerts: alerts.mark_sent(due))
        elif due.tries + 1 < _MOST_TRIES.get(due.target, due.tries + 2):
            pause = min(_CHECK_SECONDS * 2.0 ** min(due.tries, 10), _LONGEST_RETRY_SECONDS)
            _log.warning("budget.alert_not_sent", target=due.target, percentage=due.percentage, retry_in=pause)
            retry_at = self._clock.now() + timedelta(seconds=pause)
            await self._write(lambda alerts: alerts.retry(due, retry_at))
        else:
            _log.error("budget.alert_given_up", target=due.target, percentage=due.percentage)
            await self._write(lambda alerts: _give_up(alerts, due, self._clock))

    async def _send(self, due: DueAlert, alert: BudgetAlert) -> bool:
        """Send an alert to its recipient; True also if there is none."""
        match due.target:
            case AlertTarget.OWNER:
                return await self._owners.send_budget_alert(alert)
            case AlertTarget.CLOSED:
                return await self._owners.send_closed_log_channel(due.guild_id)
            case AlertTarget.WEBHOOK:
                return self._webhook is None or await self._webhook.send_budget_alert(alert)
            case AlertTarget.CHANNEL:
                settings = await self._database.read(
                    lambda connection: GuildRepository(connection).settings(due.guild_id)
                )
                channel_id = settings.log_channel_id
                return channel_id is None or await self._channels.send_budget_alert(channel_id, settings.locale, alert)

    async def _write(self, change: Callable[[BudgetAlertRepository], None]) -> None:
        await self._database.write(lambda connection: change(BudgetAlertRepository(connection)))


def _give_up(alerts: BudgetAlertRepository, due: DueAlert, clock: Clock) -> None:
    alerts.mark_sent(due)
    if due.target is AlertTarget.CHANNEL:
        alerts.report_closed(due, clock.now())


def _log_reached(alert: BudgetAlert) -> None:
    budget = alert.budget
    _log.warning(
        "budget.reached",
        of_guild=bool(alert.guild_id),
        percentage=alert.percentage,
        month=budget.month,
        limit=budget.limit,
        held=budget.held,
        captured=budget.captured,
        at_risk=budget.at_risk,
        left=budget.left,
    )
