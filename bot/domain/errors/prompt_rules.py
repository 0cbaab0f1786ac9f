"""Errors of prompt rules."""

from bot.domain.errors.base import AtelierError
from bot.domain.errors.requests import RequestError
from bot.domain.prompt_rules import Match, RuleProblem


class PromptRefusedError(RequestError):
    """A rule forbids words of the request; nothing was held.

    `block_id` is the record of the refusal, once it is stored: an appeal is about it. `typed` is the prompt of a
    command, to be given back. `text` is the whole field, which an appeal shows to a moderator.
    """

    code = "prompt_refused"

    def __init__(self, match: Match, *, text: str = "", block_id: str | None = None) -> None:
        super().__init__()
        self.match = match
        self.text = text
        self.block_id = block_id
        self.typed: str | None = None

    def __str__(self) -> str:
        """Return the code and the rule, for logs: the words are part of a prompt."""
        return f"{self.code}(rule={self.match.rule.id}, field={self.match.field})"


class PromptRuleError(AtelierError):
    """A change of prompt rules is impossible."""

    code = "prompt_rule"


class PromptRuleTextError(PromptRuleError):
    """A rule's text cannot be used.

    `said` is the fault of a pattern in the words of its compiler; `number` counts the lines of a list from 1.
    """

    code = "prompt_rule_text"

    def __init__(
        self,
        problem: RuleProblem,
        text: str,
        *,
        limit: int = 0,
        said: str = "",
        patterns: bool = False,
        number: int | None = None,
    ) -> None:
        super().__init__()
        self.problem = problem
        self.text = text
        self.limit = limit
        self.said = said
        self.patterns = patterns
        self.number = number

    def __str__(self) -> str:
        """Return the code and the problem, for logs."""
        return f"{self.code}(problem={self.problem})"


class PromptRuleGoneError(PromptRuleError):
    """The rule was removed meanwhile."""

    code = "prompt_rule_gone"


class AutoModRightError(PromptRuleError):
    """The bot may not read AutoMod's rules without Manage Server."""

    code = "automod_right"


class AutoModUnreadError(PromptRuleError):
    """Discord does not answer about AutoMod's rules."""

    code = "automod_unread"
