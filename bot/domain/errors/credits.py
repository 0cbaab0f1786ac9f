"""Errors of credits and of the ledger."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.allowances import Allowance, PeriodKind
from bot.domain.errors.base import AtelierError


class CreditsError(AtelierError):
    """The credits or the budget do not allow it; nothing was held."""

    code = "credits"


class Remedy(StrEnum):
    """The change to make a request affordable within a day."""

    FEWER = "fewer"  # pictures
    LESS_DETAIL = "less_detail"
    EITHER = "either"
    BOTH = "both"
    NONE = "none"  # even one picture without detail costs more


@dataclass(frozen=True, slots=True, kw_only=True)
class AffordableOffer:
    """A smaller version of a refused request, stored as a confirmation.

    `detail` is None if it was not lowered.
    """

    confirmation_id: str
    images: int
    detail: int | None
    price: int


class InsufficientCreditsError(CreditsError):
    """`needed` credits, but only `available` to spend.

    The allowance is renewed at `renews_at`. `allowance` is that of a whole `period`, None if unknown; `granted` is all
    that the member has in granted credits, held ones included; `in_force` is the allowance with its source. Once the
    refused request is known, `remedy` is what fits it; `offer` is a smaller request that was stored.
    """

    code = "insufficient_credits"

    def __init__(
        self,
        *,
        needed: int,
        available: int,
        renews_at: datetime,
        allowance: int | None = None,
        granted: int = 0,
        period: PeriodKind = PeriodKind.DAY,
        in_force: Allowance | None = None,
    ) -> None:
        super().__init__()
        self.needed = needed
        self.available = available
        self.renews_at = renews_at
        self.allowance = allowance
        self.granted = granted
        self.period = period
        self.in_force = in_force
        self.remedy = Remedy.EITHER
        self.offer: AffordableOffer | None = None

    @property
    def most_in_a_period(self) -> int | None:
        """The most credits of the member in any period, if known."""
        return None if self.allowance is None else self.allowance + self.granted

    @property
    def exceeds_any_period(self) -> bool:
        """True if no later allowance covers the price."""
        return self.most_in_a_period is not None and self.needed > self.most_in_a_period


class BudgetSpentError(CreditsError):
    """A monthly budget has no room for this.

    It is renewed at `renews_at`. `of_guild`: it is the server's, else the operator's for all servers.
    """

    code = "budget_spent"

    def __init__(self, *, renews_at: datetime, of_guild: bool = False) -> None:
        super().__init__()
        self.renews_at = renews_at
        self.of_guild = of_guild


class BudgetLimitError(CreditsError):
    """A limit of a server's budget is no number, or above the `highest` one.

    `by_operator`: the operator sets the highest.
    """

    code = "budget_limit"

    def __init__(self, typed: str, *, highest: int, by_operator: bool = False) -> None:
        super().__init__()
        self.typed = typed
        self.highest = highest
        self.by_operator = by_operator


class LedgerError(AtelierError):
    """The ledger would not balance: our fault, never a member's."""

    code = "books"

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail
