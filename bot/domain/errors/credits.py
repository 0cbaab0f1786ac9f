"""Errors of credits and of the ledger."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class CreditsError(AtelierError):
    """The books do not allow it; nothing was held."""

    code = "credits"


class InsufficientCreditsError(CreditsError):
    """`needed` credits, `available` to spend; the allowance is renewed at `renews_at`."""

    code = "insufficient_credits"

    def __init__(self, *, needed: int, available: int, renews_at: datetime) -> None:
        super().__init__()
        self.needed = needed
        self.available = available
        self.renews_at = renews_at


class BudgetSpentError(CreditsError):
    """The operator's budget of the month has no room for this; it is renewed at `renews_at`."""

    code = "budget_spent"

    def __init__(self, *, renews_at: datetime) -> None:
        super().__init__()
        self.renews_at = renews_at


class LedgerError(AtelierError):
    """The ledger would not balance: a fault of ours, never of a member."""

    code = "books"

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail
