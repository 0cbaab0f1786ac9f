"""Checks of requests by the prompt rules."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

from sqlalchemy import Connection

from bot.domain.automod import AutoModRule
from bot.domain.errors import PromptRefusedError
from bot.domain.jobs import InteractionContext, Job
from bot.domain.prompt_rules import (
    APPEALABLE,
    Match,
    PromptField,
    PromptRule,
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleState,
)
from bot.domain.requests import GenerationRequest
from bot.engine.clock import Clock
from bot.moderation.automod_rules import CompiledAutoModRule, compile_automod
from bot.moderation.builtin_rules import built_in_rules
from bot.moderation.matcher import ComparisonBudget, PreparedText, RuleSet
from db.appeals import AppealRepository
from db.automod import AutoModRepository
from db.prompt_rules import PromptBlock, PromptRuleRepository, block_of

_MOST_COMPILED: Final = 256
"""Guilds with their rules in memory."""
_MOST_TEXTS: Final = 60_000
"""Texts of AutoMod's rules in memory; each takes about 2 kB."""


class CompiledRules:
    """Rules of one list, compiled for edits and for other requests."""

    def __init__(self, rules: Sequence[PromptRule]) -> None:
        used = [rule for rule in rules if rule.state is not PromptRuleState.OFF]
        self._edits = RuleSet(used)
        self._texts = RuleSet(
            [rule for rule in used if rule.scope is PromptRuleScope.ALL or rule.kind is PromptRuleKind.ALLOW]
        )

    def find(self, prepared: PreparedText, searched: PromptField, *, is_edit: bool) -> list[Match]:
        """Return the matches in a field."""
        return (self._edits if is_edit else self._texts).find(prepared, searched)


@dataclass(frozen=True, slots=True, kw_only=True)
class _GuildRules:
    """A guild's own rules, and those of its AutoMod."""

    own: CompiledRules
    automod: tuple[CompiledAutoModRule, ...]

    @property
    def texts(self) -> int:
        return sum(len(each.texts.rules) for each in self.automod)

    def find_automod(self, prepared: PreparedText, searched: PromptField, place: InteractionContext) -> Iterator[Match]:
        """Yield the matches of AutoMod's rules without an exemption."""
        if place.manages_guild:
            return  # such members are exempt at Discord
        roles = (place.guild_id, *place.roles)  # the role of everyone has the id of the guild
        channels = [each for each in (place.channel_id, place.parent_channel_id) if each is not None]
        budget = ComparisonBudget()  # one for all: hostile keywords would take a second otherwise
        for each in self.automod:
            if not each.rule.exempts(roles, channels):
                yield from each.texts.find(prepared, searched, budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildTexts:
    """A guild's rules of one version, to be compiled."""

    guild_id: int
    version: str
    own: tuple[PromptRule, ...]
    automod: tuple[AutoModRule, ...]


class PromptChecks:
    """Checks requests by rules.

    The built-in ones come first, then the operator's, then a guild's, then those of its AutoMod. `operator_rules` are
    those of a file. A guild's rules are compiled once for each version of them.
    """

    def __init__(self, *, clock: Clock, new_id: Callable[[], str], operator_rules: Sequence[PromptRule] = ()) -> None:
        self._clock = clock
        self._new_id = new_id
        allowed = tuple(rule.text for rule in operator_rules if rule.kind is PromptRuleKind.ALLOW)
        self._built_in = built_in_rules(allowed)
        self._operator = CompiledRules(operator_rules)
        self._compiled: OrderedDict[int, tuple[str, _GuildRules]] = OrderedDict()
        self._lock = Lock()

    def check(
        self, connection: Connection, place: InteractionContext, request: GenerationRequest, version: str | None
    ) -> tuple[PromptBlock, ...]:
        """Check a request's words; return the matches of rules in a dry run.

        `version` is that of the guild's rules, None without any.

        Raises:
            PromptRefusedError: a rule forbids some.
        """
        guild = None if version is None else self._rules_of(connection, place.guild_id, version)
        now = self._clock.now()
        dry_matches = []
        for searched, text in words_of(request):
            prepared = PreparedText(text)
            for match in self._find(prepared, searched, guild, place, is_edit=bool(request.inputs)):
                if match.rule.state is PromptRuleState.ON:
                    if _is_allowed(connection, place, match, text, now):
                        break  # a moderator allowed these words of this member
                    raise PromptRefusedError(match, text=text)
                block = block_of(
                    match,
                    block_id=self._new_id(),
                    guild_id=place.guild_id,
                    member_id=place.member_id,
                    at=now,
                    is_dry=True,
                )
                dry_matches.append(block)
        return tuple(dry_matches)

    def has_dry_match(self, connection: Connection, job: Job) -> bool:
        """Return whether a guild's rule in its dry run matches a job's words."""
        version = PromptRuleRepository(connection).version(job.place.guild_id)
        if version is None:
            return False
        rules, is_edit = self._rules_of(connection, job.place.guild_id, version).own, bool(job.request.inputs)
        return any(
            match.rule.state is PromptRuleState.DRY
            for searched, text in words_of(job.request)
            for match in rules.find(PreparedText(text), searched, is_edit=is_edit)
        )

    def texts_of(self, connection: Connection, guild_id: int) -> GuildTexts | None:
        """Return a guild's rules; None without any."""
        version = PromptRuleRepository(connection).version(guild_id)
        return None if version is None else _read(connection, guild_id, version)

    def prepare(self, texts: GuildTexts) -> tuple[CompiledAutoModRule, ...]:
        """Compile a guild's rules before its next request; return AutoMod's.

        Thousands take seconds, so this is for a thread outside transactions. Known ones take no time.
        """
        return self._compile(texts).automod

    def _find(
        self,
        prepared: PreparedText,
        searched: PromptField,
        guild: _GuildRules | None,
        place: InteractionContext,
        *,
        is_edit: bool,
    ) -> Iterator[Match]:
        yield from self._built_in.find_always(prepared, searched)
        if is_edit:
            yield from self._built_in.find_in_edit(prepared, searched)
        yield from self._operator.find(prepared, searched, is_edit=is_edit)
        if guild is not None:
            found = guild.own.find(prepared, searched, is_edit=is_edit)
            yield from sorted(found, key=lambda match: match.rule.state is not PromptRuleState.ON)
            yield from guild.find_automod(prepared, searched, place)

    def _rules_of(self, connection: Connection, guild_id: int, version: str) -> _GuildRules:
        return self._known(guild_id, version) or self._compile(_read(connection, guild_id, version))

    def _known(self, guild_id: int, version: str) -> _GuildRules | None:
        with self._lock:
            known_version, known = self._compiled.get(guild_id, (None, None))
            if known is None or known_version != version:
                return None
            self._compiled.move_to_end(guild_id)
            return known

    def _compile(self, texts: GuildTexts) -> _GuildRules:
        if known := self._known(texts.guild_id, texts.version):
            return known
        with self._lock:
            _, before = self._compiled.get(texts.guild_id, (None, None))
        compiled = _GuildRules(
            own=CompiledRules(texts.own),
            automod=compile_automod(texts.automod, known=() if before is None else before.automod),
        )
        with self._lock:
            self._compiled.pop(texts.guild_id, None)
            self._compiled[texts.guild_id] = texts.version, compiled
            count = sum(each.texts for _, each in self._compiled.values())
            while len(self._compiled) > _MOST_COMPILED or (count > _MOST_TEXTS and len(self._compiled) > 1):
                _, (_, oldest) = self._compiled.popitem(last=False)
                count -= oldest.texts
        return compiled


def _read(connection: Connection, guild_id: int, version: str) -> GuildTexts:
    return GuildTexts(
        guild_id=guild_id,
        version=version,
        own=tuple(each.rule for each in PromptRuleRepository(connection).list(guild_id)),
        automod=AutoModRepository(connection).list(guild_id),
    )


def _is_allowed(connection: Connection, place: InteractionContext, match: Match, text: str, now: datetime) -> bool:
    """Return whether an appeal against a rule of the guild allowed a text."""
    if match.rule.source not in APPEALABLE:
        return False
    return AppealRepository(connection).allows(place.guild_id, place.member_id, text, now)


def words_of(request: GenerationRequest) -> Iterator[tuple[PromptField, str]]:
    """Yield the fields with a member's words.

    A request that only processes a picture sends no prompt.
    """
    if request.prompt and not request.keeps_picture:
        yield PromptField.PROMPT, request.prompt
    if request.negative:
        yield PromptField.NEGATIVE, request.negative
