"""Prompt rules of guilds, and their matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from bot.domain.bans import BanScope
from bot.domain.errors import PromptRuleGoneError
from bot.domain.prompt_rules import (
    Match,
    PromptField,
    PromptRule,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleSource,
    PromptRuleState,
)
from db.dialects import insert
from db.due_reports import claim_due_reports, has_due_reports
from db.guilds import GuildRepository
from db.tables import bans, communities, prompt_blocks, prompt_rules

_COLUMNS: Final = [column.label(column.key) for column in prompt_rules.c]
_LIST: Final = select(*_COLUMNS).where(prompt_rules.c.guild_id == bindparam("the_guild")).order_by(prompt_rules.c.id)
_VERSION: Final = select(communities.c.rules_version).where(communities.c.id == bindparam("the_guild"))
_LOCKED: Final = _VERSION.with_for_update()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRule:
    """A guild's rule and the author of its last change."""

    rule: PromptRule
    set_by: int
    set_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptBlock:
    """A stored match. `words` is empty once prompts of its age are erased."""

    id: str
    guild_id: int
    member_id: int
    rule_id: str
    rule_name: str
    source: PromptRuleSource
    field: PromptField
    words: str
    is_dry: bool
    at: datetime
    counted_at: datetime | None = None
    report_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalBan:
    """A ban after refused prompts, to be reported; `block_id` is the last one."""

    block_id: str
    guild_id: int
    member_id: int
    refusals: int
    until: datetime | None


class PromptRuleRepository:
    """Prompt rules within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, guild_id: int) -> None:
        """Lock a guild's rules against other changes."""
        GuildRepository(self._connection).add(guild_id)
        self._connection.execute(_LOCKED, {"the_guild": guild_id})

    def version(self, guild_id: int) -> str | None:
        """Return the version of a guild's rules; None without any."""
        version: str | None = self._connection.execute(_VERSION, {"the_guild": guild_id}).scalar()
        return version

    def set_version(self, guild_id: int, version: str) -> None:
        """Store a new version, after a change; versions are never used again."""
        self._connection.execute(update(communities).where(communities.c.id == guild_id).values(rules_version=version))

    def list(self, guild_id: int) -> tuple[StoredRule, ...]:
        """Return a guild's rules, oldest first."""
        return tuple(_from_row(row) for row in self._connection.execute(_LIST, {"the_guild": guild_id}))

    def get(self, guild_id: int, rule_id: str) -> StoredRule:
        """Return a guild's rule; raises `PromptRuleGoneError` if there is none."""
        for row in self._connection.execute(_LIST, {"the_guild": guild_id}):
            if row.id == rule_id:
                return _from_row(row)
        raise PromptRuleGoneError

    def add(self, rules: Sequence[StoredRule]) -> None:
        """Insert rules."""
        if rules:
            self._connection.execute(insert(self._connection, prompt_rules), [_values(each) for each in rules])

    def set_state(self, guild_id: int, rule_id: str, state: PromptRuleState, *, by: int, at: datetime) -> None:
        """Change a rule's state."""
        row = (prompt_rules.c.guild_id == guild_id) & (prompt_rules.c.id == rule_id)
        self._connection.execute(update(prompt_rules).where(row).values(state=state, set_by=by, set_at=at))

    def remove(self, guild_id: int, rule_id: str) -> None:
        """Delete a rule."""
        row = (prompt_rules.c.guild_id == guild_id) & (prompt_rules.c.id == rule_id)
        self._connection.execute(delete(prompt_rules).where(row))


class PromptBlockRepository:
    """Matches of prompt rules within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, block: PromptBlock) -> bool:
        """Insert a match; return False if its id is already stored."""
        values = {column.key: getattr(block, column.key) for column in prompt_blocks.c}
        statement = insert(self._connection, prompt_blocks).values(values).on_conflict_do_nothing()
        return self._connection.execute(statement).rowcount == 1

    def find(self, block_id: str) -> PromptBlock | None:
        """Return a match, or None."""
        row = self._connection.execute(_blocks().where(prompt_blocks.c.id == block_id)).first()
        return None if row is None else _block(row)

    def list_uncounted(self, guild_id: int, member_id: int, since: datetime) -> tuple[PromptBlock, ...]:
        """Return a member's uncounted refusals, oldest first."""
        own = (prompt_blocks.c.guild_id == guild_id) & (prompt_blocks.c.member_id == member_id)
        new = (prompt_blocks.c.at > since) & prompt_blocks.c.counted_at.is_(None) & prompt_blocks.c.is_dry.is_(False)
        rows = self._connection.execute(_blocks().where(own, new).order_by(prompt_blocks.c.at, prompt_blocks.c.id))
        return tuple(_block(row) for row in rows)

    def mark_counted(self, block_ids: Sequence[str], at: datetime, *, report_at: datetime) -> None:
        """Record refusals as counted for a ban; the last one is reported then."""
        these = prompt_blocks.c.id.in_(block_ids)
        self._connection.execute(update(prompt_blocks).where(these).values(counted_at=at))
        last = prompt_blocks.c.id == block_ids[-1]
        self._connection.execute(update(prompt_blocks).where(last).values(report_at=report_at))

    def has_reports(self, now: datetime) -> bool:
        """Return whether a report is due."""
        return has_due_reports(self._connection, prompt_blocks, now)

    def claim_reports(self, now: datetime, again_at: datetime) -> tuple[RefusalBan, ...]:
        """Return the due reports; they are due again at a later time.

        Another process that claims them at once gets none.
        """
        rows = claim_due_reports(self._connection, prompt_blocks, now, again_at)
        return tuple(self._ban(_block(row)) for row in rows)

    def mark_reported(self, block_ids: Sequence[str]) -> None:
        """Record that reports are done."""
        if block_ids:
            these = prompt_blocks.c.id.in_(block_ids)
            self._connection.execute(update(prompt_blocks).where(these).values(report_at=None))

    def _ban(self, block: PromptBlock) -> RefusalBan:
        own = (prompt_blocks.c.guild_id == block.guild_id) & (prompt_blocks.c.member_id == block.member_id)
        counted = select(func.count()).where(own, prompt_blocks.c.counted_at == block.counted_at)
        ban = select(bans.c.until).where(
            bans.c.guild_id == block.guild_id, bans.c.member_id == block.member_id, bans.c.scope == BanScope.STUDIO
        )
        return RefusalBan(
            block_id=block.id,
            guild_id=block.guild_id,
            member_id=block.member_id,
            refusals=self._connection.execute(counted).scalar_one(),
            until=self._connection.execute(ban).scalar(),
        )

    def list(self, guild_id: int, *, limit: int, rule_id: str | None = None) -> tuple[PromptBlock, ...]:
        """Return a guild's matches, or those of a rule, latest first."""
        statement = _blocks().where(prompt_blocks.c.guild_id == guild_id)
        if rule_id is not None:
            statement = statement.where(prompt_blocks.c.rule_id == rule_id)
        rows = self._connection.execute(
            statement.order_by(prompt_blocks.c.at.desc(), prompt_blocks.c.id.desc()).limit(limit)
        )
        return tuple(_block(row) for row in rows)

    def count_of_member(self, guild_id: int, member_id: int, since: datetime) -> int:
        """Return the number of a member's refusals since a time."""
        own = (prompt_blocks.c.guild_id == guild_id) & (prompt_blocks.c.member_id == member_id)
        refused = prompt_blocks.c.is_dry.is_(False) & (prompt_blocks.c.at >= since)
        return self._connection.execute(select(func.count()).where(own, refused)).scalar_one()

    def count(self, guild_id: int, rule_id: str) -> int:
        """Return the number of a rule's matches."""
        of_rule = (prompt_blocks.c.guild_id == guild_id) & (prompt_blocks.c.rule_id == rule_id)
        return self._connection.execute(select(func.count()).where(of_rule)).scalar_one()

    def erase_words_before(self, moment: datetime) -> int:
        """Erase the words of earlier matches; return how many."""
        old = (prompt_blocks.c.at < moment) & (prompt_blocks.c.words != "")
        return self._connection.execute(update(prompt_blocks).where(old).values(words="")).rowcount

    def purge_before(self, moment: datetime) -> int:
        """Delete earlier matches; return how many."""
        return self._connection.execute(delete(prompt_blocks).where(prompt_blocks.c.at < moment)).rowcount


def block_of(
    match: Match, *, block_id: str, guild_id: int, member_id: int, at: datetime, is_dry: bool = False
) -> PromptBlock:
    """Return the record of a match."""
    rule = match.rule
    return PromptBlock(
        id=block_id,
        guild_id=guild_id,
        member_id=member_id,
        rule_id=rule.id,
        rule_name=rule.name or ("" if rule.source is PromptRuleSource.OPERATOR else rule.text),
        source=rule.source,
        field=match.field,
        words=match.words,
        is_dry=is_dry,
        at=at,
    )


def _blocks() -> Any:
    return select(*[column.label(column.key) for column in prompt_blocks.c])


def _block(row: Row[Any]) -> PromptBlock:
    values = dict(row._mapping)
    return PromptBlock(**values | {"source": PromptRuleSource(values["source"]), "field": PromptField(values["field"])})


def _values(stored: StoredRule) -> dict[str, Any]:
    rule = stored.rule
    return {
        "id": rule.id,
        "guild_id": rule.guild_id,
        "kind": rule.kind,
        "text": rule.text,
        "state": rule.state,
        "scope": rule.scope,
        "name": rule.name,
        "set_by": stored.set_by,
        "set_at": stored.set_at,
    }


def _from_row(row: Row[Any]) -> StoredRule:
    rule = PromptRule(
        id=row.id,
        guild_id=row.guild_id,
        kind=PromptRuleKind(row.kind),
        text=row.text,
        state=PromptRuleState(row.state),
        scope=PromptRuleScope(row.scope),
        name=row.name,
    )
    return StoredRule(rule=rule, set_by=row.set_by, set_at=row.set_at)
