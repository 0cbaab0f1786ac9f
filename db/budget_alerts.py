"""Alerts about budgets: the highest due percentage for each recipient."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, exists, select, update

from db.budgets import ALL_GUILDS
from db.dialects import insert
from db.tables import budget_alerts, budgets


class AlertTarget(StrEnum):
    """The recipient of an alert."""

    OWNER = "owner"
    WEBHOOK = "webhook"
    CHANNEL = "channel"
    """The server's log channel."""
    CLOSED = "closed"
    """The owner, once a month: the server's log channel cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAlert:
    """An alert to send; `tries` counts the earlier ones."""

    guild_id: int
    month: str
    target: AlertTarget
    percentage: int
    tries: int


_KEY: Final = (budget_alerts.c.guild_id, budget_alerts.c.month, budget_alerts.c.target)
_UNSENT: Final = budget_alerts.c.percentage > budget_alerts.c.sent


class BudgetAlertRepository:
    """Alerts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def raise_to(self, guild_id: int, month: str, percentage: int, now: datetime) -> None:
        """Make an alert due unless a percentage as high already was, this month.

        A lower one that was not sent yet is replaced.
        """
        of_month = (budgets.c.guild_id == guild_id) & (budgets.c.month == month)
        raised = update(budgets).where(of_month, budgets.c.alerted < percentage).values(alerted=percentage)
        if self._connection.execute(raised).rowcount != 1:
            return
        second = AlertTarget.WEBHOOK if guild_id == ALL_GUILDS else AlertTarget.CHANNEL
        for target in (AlertTarget.OWNER, second):
            values = {"percentage": percentage, "tries": 0, "due_at": now}
            key = {"guild_id": guild_id, "month": month, "target": target}
            statement = insert(self._connection, budget_alerts).values(key | values | {"sent": 0})
            self._connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=values))

    def has_due(self, month: str, now: datetime) -> bool:
        """Return whether any alert of a month is due."""
        due = and_(budget_alerts.c.due_at <= now, budget_alerts.c.month == month, _UNSENT)
        return bool(self._connection.execute(select(exists().where(due))).scalar_one())

    def claim(self, month: str, now: datetime, *, lease: timedelta, most: int) -> tuple[DueAlert, ...]:
        """Take due alerts; nobody else gets them before the lease ends."""
        due = and_(budget_alerts.c.due_at <= now, budget_alerts.c.month == month, _UNSENT)
        rows = self._connection.execute(select(budget_alerts).where(due).order_by(*_KEY).limit(most)).all()
        claimed = []
        for row in rows:
            alert = DueAlert(
                guild_id=row.community_id,
                month=row.month,
                target=AlertTarget(row.target),
                percentage=row.percentage,
                tries=row.tries,
            )
            same = _of(alert) & (budget_alerts.c.percentage == row.percentage)
            taken = update(budget_alerts).where(same, due).values(due_at=now + lease, tries=row.tries + 1)
            if self._connection.execute(taken).rowcount == 1:
                claimed.append(alert)
        return tuple(claimed)

    def mark_sent(self, alert: DueAlert) -> None:
        """Record that an alert was sent, or given up."""
        sent = update(budget_alerts).where(_of(alert), budget_alerts.c.sent < alert.percentage)
        self._connection.execute(sent.values(sent=alert.percentage))

    def retry(self, alert: DueAlert, at: datetime) -> None:
        """Make an alert due again, unless a higher percentage replaced it."""
        same = budget_alerts.c.percentage == alert.percentage
        self._connection.execute(update(budget_alerts).where(_of(alert), same).values(due_at=at))

    def report_closed(self, alert: DueAlert, now: datetime) -> None:
        """Schedule the month's message about an unreachable log channel."""
        values = {
            "guild_id": alert.guild_id,
            "month": alert.month,
            "target": AlertTarget.CLOSED,
            "percentage": alert.percentage,
            "sent": 0,
            "tries": 0,
            "due_at": now,
        }
        statement = insert(self._connection, budget_alerts).values(values)
        self._connection.execute(statement.on_conflict_do_nothing(index_elements=_KEY))


def _of(alert: DueAlert) -> ColumnElement[bool]:
    return (
        (budget_alerts.c.guild_id == alert.guild_id)
        & (budget_alerts.c.month == alert.month)
        & (budget_alerts.c.target == alert.target)
    )
