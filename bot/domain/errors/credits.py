"""Errors of credits and of the ledger."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class CreditsError(AtelierError):
    """The credits or the budget do not allow it; nothing was held."""

    code = "credits"


class InsufficientCreditsError(CreditsError):
    """`needed` credits, but only `available` to spend.

    The allowance is renewed at `renews_at`.
    """

    code = "insufficient_credits"

    def __init__(self, *, needed: int, available: int, renews_at: datetime) -> None:
        super().__init__()
        self.needed = needed
        self.available = available
        self.renews_at = renews_at


class BudgetSpentError(CreditsError):
    """The operator's monthly budget has no room for this.

    It is renewed at `renews_at`.
    """

    code = "budget_spent"

    def __init__(self, *, renews_at: datetime) -> None:
        super().__init__()
        self.renews_at = renews_at


class LedgerError(AtelierError):
    """The ledger would not balance: our fault, never a member's."""

    code = "books"

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail
