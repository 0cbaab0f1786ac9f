"""The prompt rules of servers, for their admins."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.errors import PromptRuleTextError
from bot.domain.prompt_rules import (
    MAX_RULE_NAME,
    PromptField,
    PromptRule,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleState,
    RuleProblem,
)
from bot.moderation.matcher import PreparedText
from bot.moderation.rule_checks import check_rule, check_rules
from bot.services.guild_transactions import GuildTransactions
from bot.services.prompt_checks import CompiledRules
from db.prompt_rules import PromptBlockRepository, PromptRuleRepository, StoredRule
from db.recent_prompts import RecentPrompt, list_recent_prompts

TRIED_PROMPTS: Final = 500
"""Prompts of a trial."""
_MOST_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A prompt of a trial; `member_id` and `words` are None for a private job."""

    member_id: int | None
    words: str | None
    field: PromptField


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The matches of rules among a server's latest prompts.

    `recorded` counts the stored matches of one rule, dry runs included.
    """

    tried: int
    refused: int
    examples: tuple[Example, ...]
    recorded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedRules:
    """Added rules; `known` lines were there before."""

    rules: tuple[PromptRule, ...]
    known: int
    trial: Trial


class PromptRuleService:
    """Lists, tries and changes the rules of a server.

    The caller has checked that the actor is an admin. Each change has its entry in the audit log, and gives the rules a
    new version, which the next request reads.
    """

    def __init__(self, *, transactions: GuildTransactions, new_id: Callable[[], str]) -> None:
        self._transactions = transactions
        self._new_id = new_id

    async def list(self, guild_id: int) -> tuple[StoredRule, ...]:
        """Return a server's rules, latest first.

        Raises:
            NotAdmittedError: the server is not admitted.
        """
        return await self._transactions.read(
            guild_id, lambda connection, _: PromptRuleRepository(connection).list(guild_id)[::-1]
        )

    async def add(
        self,
        guild_id: int,
        lines: str,
        *,
        kind: PromptRuleKind,
        scope: PromptRuleScope,
        state: PromptRuleState,
        name: str,
        by: int,
    ) -> AddedRules:
        """Add a rule for each line; those there already are left out.

        Raises:
            PromptRuleTextError: a line cannot be used, or there are too many rules. Nothing is added then.
            NotAdmittedError: the server is not admitted.
        """
        model = PromptRule(
            id="",
            kind=kind,
            text="",
            guild_id=guild_id,
            state=PromptRuleState.ON if kind is PromptRuleKind.ALLOW else state,
            scope=PromptRuleScope.ALL if kind is PromptRuleKind.ALLOW else scope,
            name=" ".join(name.split())[:MAX_RULE_NAME],
        )
        typed = [self._rule(model, number, line) for number, line in enumerate(lines.splitlines(), 1) if line.strip()]
        if not typed:
            raise PromptRuleTextError(RuleProblem.EMPTY, "")

        def write(connection: Connection, now: datetime) -> tuple[tuple[PromptRule, ...], tuple[RecentPrompt, ...]]:
            repository = PromptRuleRepository(connection)
            repository.lock(guild_id)
            stored = [each.rule for each in repository.list(guild_id)]
            known = {_key(rule) for rule in stored}
            new = tuple({_key(rule): rule for rule in typed if _key(rule) not in known}.values())
            check_rules([*stored, *new])
            if new:
                repository.add([StoredRule(rule=rule, set_by=by, set_at=now) for rule in new])
                self._record(connection, guild_id, by, "rule.add", new[0], now, count=len(new))
            return new, list_recent_prompts(connection, guild_id, TRIED_PROMPTS)

        added, prompts = await self._transactions.write(guild_id, write)
        trial = await asyncio.to_thread(_try, added, (), prompts)
        return AddedRules(rules=added, known=len(typed) - len(added), trial=trial)

    async def try_rule(self, guild_id: int, rule_id: str) -> tuple[StoredRule, Trial]:
        """Return a rule and its trial.

        Raises:
            PromptRuleGoneError: there is no such rule.
            NotAdmittedError: the server is not admitted.
        """

        def read(
            connection: Connection, _: datetime
        ) -> tuple[StoredRule, tuple[StoredRule, ...], tuple[RecentPrompt, ...], int]:
            repository = PromptRuleRepository(connection)
            stored = repository.get(guild_id, rule_id)
            recorded = PromptBlockRepository(connection).count(guild_id, rule_id)
            prompts = list_recent_prompts(connection, guild_id, TRIED_PROMPTS)
            return stored, repository.list(guild_id), prompts, recorded

        stored, rules, prompts, recorded = await self._transactions.read(guild_id, read)
        allowed = [each.rule for each in rules if each.rule.kind is PromptRuleKind.ALLOW]
        trial = await asyncio.to_thread(_try, [stored.rule], allowed, prompts)
        return stored, replace(trial, recorded=recorded)

    async def set_state(self, guild_id: int, rule_id: str, state: PromptRuleState, *, by: int) -> None:
        """Switch a rule on, off, or to a dry run.

        Raises:
            PromptRuleGoneError: there is no such rule.
            NotAdmittedError: the server is not admitted.
        """

        def write(connection: Connection, now: datetime) -> None:
            repository = PromptRuleRepository(connection)
            repository.lock(guild_id)
            rule = repository.get(guild_id, rule_id).rule
            if rule.state is state:
                return
            repository.set_state(guild_id, rule_id, state, by=by, at=now)
            self._record(connection, guild_id, by, f"rule.{state}", rule, now)

        await self._transactions.write(guild_id, write)

    async def remove(self, guild_id: int, rule_id: str, *, by: int) -> PromptRule:
        """Remove a rule; return it.

        Raises:
            PromptRuleGoneError: there is no such rule.
            NotAdmittedError: the server is not admitted.
        """

        def write(connection: Connection, now: datetime) -> PromptRule:
            repository = PromptRuleRepository(connection)
            repository.lock(guild_id)
            rule = repository.get(guild_id, rule_id).rule
            repository.remove(guild_id, rule_id)
            self._record(connection, guild_id, by, "rule.remove", rule, now)
            return rule

        return await self._transactions.write(guild_id, write)

    def _rule(self, model: PromptRule, number: int, line: str) -> PromptRule:
        rule = replace(model, id=self._new_id(), text=line.strip())
        try:
            check_rule(rule)
        except PromptRuleTextError as error:
            error.number = number
            raise
        return rule

    def _record(
        self,
        connection: Connection,
        guild_id: int,
        by: int,
        action: str,
        rule: PromptRule,
        at: datetime,
        *,
        count: int = 1,
    ) -> None:
        """Give the rules a new version, and record the change."""
        PromptRuleRepository(connection).set_version(guild_id, self._new_id())
        detail = {"rule": rule.text, "kind": rule.kind.value} | ({"rules": count} if count > 1 else {})
        self._transactions.record(
            connection,
            action,
            guild_id=guild_id,
            actor_id=by,
            target_id=None,
            detail=detail,
            reason="",
            at=at,
        )


def _key(rule: PromptRule) -> tuple[str, str]:
    kind = PromptRuleKind.WORD if rule.kind is PromptRuleKind.PHRASE else rule.kind
    return kind, rule.text if kind is PromptRuleKind.PATTERN else rule.text.casefold()


def _try(rules: Sequence[PromptRule], allowed: Sequence[PromptRule], prompts: Collection[RecentPrompt]) -> Trial:
    """Search prompts for rules in any state."""
    tried = [replace(rule, state=PromptRuleState.ON) for rule in (*rules, *allowed)]
    compiled = CompiledRules(tried)
    refused = 0
    examples: list[Example] = []
    for prompt in prompts:
        fields = ((PromptField.PROMPT, prompt.prompt), (PromptField.NEGATIVE, prompt.negative))
        found = [
            match
            for searched, text in fields
            if text
            for match in compiled.find(PreparedText(text), searched, is_edit=prompt.is_edit)
        ]
        if not found:
            continue
        refused += 1
        if len(examples) < _MOST_EXAMPLES:
            shown = not prompt.is_private
            examples.append(
                Example(
                    member_id=prompt.member_id if shown else None,
                    words=found[0].words if shown else None,
                    field=found[0].field,
                )
            )
    return Trial(tried=len(prompts), refused=refused, examples=tuple(examples))
