"""Budgets of single servers: limits, and the alerts about them."""

from collections.abc import Collection
from dataclasses import dataclass

from bot.domain.allowances import MAX_CREDITS
from bot.domain.credits import Budget
from bot.domain.errors import BudgetLimitError

NO_LIMIT = "none"
"""The word for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildLimits:
    """The limits of a server's month in credits; None if there is none.

    `operators` is the operator's for this server, else for each server; `admins` is the admins' own.
    """

    admins: int | None = None
    operators: int | None = None

    @property
    def lowest(self) -> int | None:
        """The limit in force."""
        return min((each for each in (self.admins, self.operators) if each is not None), default=None)


def parse_limit(typed: str) -> int | None:
    """Return a limit as typed; None for "none".

    Digits only: "1.000" and "1,000" are a thousand in some places and one in others.

    Raises:
        BudgetLimitError: it is neither.
    """
    word = typed.strip().casefold()
    if word == NO_LIMIT:
        return None
    if not (word.isascii() and word.isdigit()) or len(word) > len(str(MAX_CREDITS)) or int(word) > MAX_CREDITS:
        raise BudgetLimitError(typed, highest=MAX_CREDITS)
    return int(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLevels:
    """The percentages of a budget with an alert.

    100 is always among them: the budget is spent, because it does not cover the `cheapest` picture.
    """

    percentages: Collection[int] = (50, 80, 95, 100)
    cheapest: int = 1

    def highest(self, budget: Budget) -> int:
        """Return the highest reached percentage of a budget, or 0."""
        if budget.is_spent(self.cheapest):
            return 100
        reached = (each for each in self.percentages if each < 100 and 100 * budget.used >= each * budget.limit)  # noqa: PLR2004 - per cent
        return max(reached, default=0)
