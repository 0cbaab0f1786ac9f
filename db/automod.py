"""AutoMod's rules of guilds, for prompts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from bot.domain.automod import AutoModRule, AutoModState
from db.dialects import insert
from db.due_reports import claim_due_reports, has_due_reports
from db.tables import automod_guilds, automod_rules

_FIELDS: Final = tuple(each.name for each in fields(AutoModRule))
_LISTS: Final = frozenset(_FIELDS) - {"id", "name"}
_RULES: Final = (
    select(*(automod_rules.c[name] for name in _FIELDS))
    .where(automod_rules.c.guild_id == bindparam("the_guild"))
    .order_by(automod_rules.c.id)
)
_STATE: Final = select(automod_guilds).where(automod_guilds.c.guild_id == bindparam("the_guild"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoModLoss:
    """A guild without AutoMod's rules since a time, to be reported."""

    guild_id: int
    lost_at: datetime


class AutoModRepository:
    """AutoMod's rules within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def state(self, guild_id: int) -> AutoModState:
        """Return a guild's setting, and its last reading."""
        row = self._connection.execute(_STATE, {"the_guild": guild_id}).first()
        return AutoModState() if row is None else AutoModState(is_on=True, read_at=row.read_at, lost_at=row.lost_at)

    def list(self, guild_id: int) -> tuple[AutoModRule, ...]:
        """Return a guild's rules in force, oldest first."""
        return tuple(_from_row(row) for row in self._connection.execute(_RULES, {"the_guild": guild_id}))

    def list_on(self) -> frozenset[int]:
        """Return the guilds with the setting."""
        return frozenset(self._connection.execute(select(automod_guilds.c.guild_id)).scalars())

    def list_due(self, tried_before: datetime) -> frozenset[int]:
        """Return the guilds without an answer of Discord since a time."""
        due = select(automod_guilds.c.guild_id).where(automod_guilds.c.tried_at < tried_before)
        return frozenset(self._connection.execute(due).scalars())

    def switch_on(self, guild_id: int, at: datetime) -> bool:
        """Store the setting; return False if it is on."""
        row = insert(self._connection, automod_guilds).values(guild_id=guild_id, tried_at=at)
        return self._connection.execute(row.on_conflict_do_nothing()).rowcount == 1

    def switch_off(self, guild_id: int) -> bool:
        """Remove the setting and the rules; return False if it is off."""
        self._connection.execute(delete(automod_rules).where(automod_rules.c.guild_id == guild_id))
        row = delete(automod_guilds).where(automod_guilds.c.guild_id == guild_id)
        return self._connection.execute(row).rowcount == 1

    def replace(self, guild_id: int, rules: Sequence[AutoModRule], at: datetime) -> bool:
        """Store the rules just read; return whether they changed."""
        values = {"read_at": at, "tried_at": at, "lost_at": None, "report_at": None}
        self._connection.execute(update(automod_guilds).where(automod_guilds.c.guild_id == guild_id).values(values))
        new = sorted(rules, key=lambda rule: rule.id)
        if tuple(new) == self.list(guild_id):
            return False
        self._connection.execute(delete(automod_rules).where(automod_rules.c.guild_id == guild_id))
        if new:
            self._connection.execute(
                insert(self._connection, automod_rules), [{"guild_id": guild_id, **_values(each)} for each in new]
            )
        return True

    def lose(self, guild_id: int, at: datetime) -> bool:
        """Remove the rules, and have the loss reported; return False if known."""
        row = automod_guilds.c.guild_id == guild_id
        self._connection.execute(update(automod_guilds).where(row).values(tried_at=at))
        known = update(automod_guilds).where(row, automod_guilds.c.lost_at.is_(None))
        if self._connection.execute(known.values(lost_at=at, report_at=at)).rowcount == 0:
            return False
        self._connection.execute(delete(automod_rules).where(automod_rules.c.guild_id == guild_id))
        return True

    def has_reports(self, now: datetime) -> bool:
        """Return whether a report is due."""
        return has_due_reports(self._connection, automod_guilds, now)

    def claim_reports(self, now: datetime, again_at: datetime) -> tuple[AutoModLoss, ...]:
        """Return the due reports; they are due again at a later time.

        Another process that claims them at once gets none.
        """
        rows = claim_due_reports(self._connection, automod_guilds, now, again_at)
        return tuple(AutoModLoss(guild_id=row.guild_id, lost_at=row.lost_at) for row in rows)

    def mark_reported(self, losses: Sequence[AutoModLoss]) -> None:
        """Record reports as done."""
        for each in losses:
            same = (automod_guilds.c.guild_id == each.guild_id) & (automod_guilds.c.lost_at == each.lost_at)
            self._connection.execute(update(automod_guilds).where(same).values(report_at=None))


def _values(rule: AutoModRule) -> dict[str, Any]:
    values = {name: getattr(rule, name) for name in _FIELDS}
    return {name: list(value) if name in _LISTS else value for name, value in values.items()}


def _from_row(row: Row[Any]) -> AutoModRule:
    values: dict[str, Any] = dict(row._mapping)
    return AutoModRule(**values | {name: tuple(values[name]) for name in _LISTS})
