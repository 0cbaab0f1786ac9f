"""Movements of a member's credits, as they are read again later."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from bot.domain.credits import LedgerAccount, MovementKind, Posting

_SPENDABLE: Final = (LedgerAccount.ALLOWANCE, LedgerAccount.GRANTED)


class LedgerFilter(StrEnum):
    """The movements to list."""

    ALL = "all"
    SPENT = "spent"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A movement of a member's credits.

    `postings` are all of its postings. `actor_id` is 0 for the ledger itself and for the operator.
    """

    id: str
    kind: MovementKind
    at: datetime
    job_id: str | None
    actor_id: int
    reason: str
    postings: tuple[Posting, ...]

    @property
    def change(self) -> int:
        """Credits gained for spending, negative if lost."""
        return sum(each.amount for each in self.postings if each.account in _SPENDABLE)

    @property
    def held(self) -> int:
        """Held credits, negative if they are no longer held."""
        return sum(each.amount for each in self.postings if each.account is LedgerAccount.HELD)

    @property
    def charged(self) -> int:
        """Credits paid."""
        return sum(each.amount for each in self.postings if each.account is LedgerAccount.EARNED)
