"""Rules for prompts: words and patterns forbidden in requests."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

OPERATOR: Final = 0
"""The guild of the operator's rules."""


class PromptRuleKind(StrEnum):
    """The way a rule's text is searched."""

    WORD = "word"
    """A whole word; several words in their order are a phrase."""
    PHRASE = "phrase"
    SUBSTRING = "substring"
    """Letters anywhere, within words too."""
    PATTERN = "pattern"
    """A regular expression."""
    ALLOW = "allow"
    """Words in which no other rule of the same list matches."""


class PromptRuleState(StrEnum):
    """The effect of a match."""

    OFF = "off"
    DRY = "dry"
    """It is recorded, and the request goes on."""
    ON = "on"
    """The request is refused."""


class PromptRuleScope(StrEnum):
    """The requests under a rule."""

    ALL = "all"
    EDITS = "edits"
    """Those with input pictures."""


class PromptRuleSource(StrEnum):
    """The author of a rule."""

    BUILT_IN = "built_in"
    OPERATOR = "operator"
    GUILD = "guild"
    AUTOMOD = "automod"
    """A rule of a guild's AutoMod, changed at Discord alone."""


APPEALABLE: Final = frozenset({PromptRuleSource.GUILD, PromptRuleSource.AUTOMOD})
"""Sources of refusals for a guild's moderators to review."""


class PromptField(StrEnum):
    """A field of a request with a member's words."""

    PROMPT = "prompt"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRule:
    """A rule for prompts.

    `name` is shown to a refused member in place of the text. `fields` are those searched. A word with an `open_start`
    is also found at the end of longer words, one with an `open_end` at their beginning. An `is_literal` pattern is
    found as it is: it has no letters, but an emoji, for example.
    """

    id: str
    kind: PromptRuleKind
    text: str
    guild_id: int = OPERATOR
    state: PromptRuleState = PromptRuleState.ON
    scope: PromptRuleScope = PromptRuleScope.ALL
    name: str = ""
    source: PromptRuleSource = PromptRuleSource.GUILD
    fields: tuple[PromptField, ...] = (PromptField.PROMPT, PromptField.NEGATIVE)
    open_start: bool = False
    open_end: bool = False
    is_literal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A match of a rule; `words` are the matched ones as typed."""

    rule: PromptRule
    words: str
    field: PromptField = PromptField.PROMPT


class RuleProblem(StrEnum):
    """The fault of a rule's text."""

    EMPTY = "empty"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    MATCHES_ALL = "matches_all"
    MATCHES_EMPTY = "matches_empty"
    SYNTAX = "syntax"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    TOO_SIMILAR = "too_similar"
    UNSUPPORTED = "unsupported"


REFUSAL_LIFETIME: Final = timedelta(days=90)
"""The time for which refusals are kept."""
MAX_RULES: Final = 500
"""Rules of a guild."""
MAX_PATTERNS: Final = 100
"""Patterns among them."""
MAX_RULE_LENGTH: Final = 100
"""Characters of a rule; of a pattern, twice as many."""
MAX_PATTERN_LENGTH: Final = 200
MAX_RULE_NAME: Final = 80
