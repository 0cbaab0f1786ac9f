from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from bot.domain.credits import (
    Account,
    Hold,
    LedgerAccount,
    Movement,
    decide_grant,
    decide_hold,
    decide_settlement,
    issue_on_demand,
    open_period,
    period_of,
)
from bot.domain.errors import InsufficientCreditsError

START = datetime(2026, 2, 27, 12, tzinfo=UTC)


class Bookkeeping(RuleBasedStateMachine):
    """Any sequence of days, grants, holds and settlements.

    Its account is compared with the postings after every step.
    """

    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(guild_id=1, member_id=2)
        self.now = START
        self.open: dict[str, Hold] = {}
        self.postings: list[tuple[LedgerAccount, str, int]] = []

    def record(self, *movements: Movement) -> None:
        """Append postings, as the database does."""
        for movement in movements:
            assert sum(posting.amount for posting in movement.postings) == 0
            assert all(posting.amount for posting in movement.postings)
            ledger = [posting.account for posting in movement.postings]
            assert len(ledger) == len(set(ledger))  # the schema has one posting a book
            self.postings += [(posting.account, posting.period, posting.amount) for posting in movement.postings]

    def total(self, book: LedgerAccount, period: str | None = None) -> int:
        """Return the sum of an account, of one period or of all."""
        return sum(amount for each, day, amount in self.postings if each is book and period in (None, day))

    @rule(hours=st.integers(-72, 72), allowance=st.none() | st.integers(0, 50))
    def open_period(self, hours: int, allowance: int | None) -> None:
        """Let time pass, or set the clock back; the allowance may change."""
        self.now += timedelta(hours=hours)
        before = self.account
        self.account, movements = open_period(self.account, period_of(self.now), allowance)
        if self.account.period != before.period:
            assert self.account.period > before.period
            assert self.account.spent == 0
        else:
            assert self.account.spent == before.spent
        self.record(*movements)

    @rule(amount=st.integers(1, 60))
    def grant(self, amount: int) -> None:
        """Grant credits."""
        self.account, movement = decide_grant(self.account, amount)
        self.record(movement)

    @rule(target=holds, amount=st.integers(1, 60))
    def hold(self, amount: int) -> str:
        """Hold credits for a job, perhaps more than available."""
        name = f"job {len(self.postings)} {len(self.open)}"
        self.account, issued = issue_on_demand(self.account, amount)
        self.record(*issued)
        if amount > self.account.allowance + self.account.granted:
            with pytest.raises(InsufficientCreditsError):
                decide_hold(self.account, name, amount, self.now)
            return ""
        self.account, hold, movement = decide_hold(self.account, name, amount, self.now)
        assert hold.amount == amount
        assert hold.granted == 0 or self.account.allowance == 0
        self.open[name] = hold
        self.record(movement)
        return name

    @rule(name=consumes(holds), share=st.floats(0, 1))
    def settle(self, name: str, share: float) -> None:
        """Settle a hold at any time."""
        if not name:
            return
        hold = self.open.pop(name)
        charge = round(hold.amount * share)
        before = self.account
        self.account, movement = decide_settlement(before, hold, charge)
        self.record(movement)
        returned = hold.amount - charge
        back = (self.account.allowance - before.allowance) + (self.account.granted - before.granted)
        gone = sum(posting.amount for posting in movement.postings if posting.account is LedgerAccount.EXPIRED)
        assert back + gone == returned
        assert self.account.granted - before.granted == hold.granted - max(0, charge - hold.allowance)
        back_allowance = max(0, hold.allowance - charge)
        if hold.period != before.period:
            assert gone == back_allowance
        elif before.issued is not None and before.spent <= before.issued:
            assert gone == 0

    @invariant()
    def the_sum_is_zero(self) -> None:
        """Check that no credit is created or lost."""
        assert sum(amount for _, _, amount in self.postings) == 0

    @invariant()
    def nothing_is_negative(self) -> None:
        """Check the account, and each day of the ledger."""
        assert min(self.account.allowance, self.account.granted, self.account.held) >= 0
        for period in {day for book, day, _ in self.postings if book is LedgerAccount.ALLOWANCE}:
            assert self.total(LedgerAccount.ALLOWANCE, period) >= 0

    @invariant()
    def the_account_is_what_the_ledger_says(self) -> None:
        """Check that the account equals its postings.

        Held credits equal the sum of the open holds.
        """
        assert self.account.allowance == self.total(LedgerAccount.ALLOWANCE, self.account.period)
        assert self.account.allowance == self.total(LedgerAccount.ALLOWANCE)
        assert self.account.granted == self.total(LedgerAccount.GRANTED)
        assert self.account.held == self.total(LedgerAccount.HELD) == sum(hold.amount for hold in self.open.values())

    @invariant()
    def the_rest_is_what_was_not_spent(self) -> None:
        """Check that nothing but the allowance in force can be spent of it."""
        unspent = 0 if self.account.issued is None else max(0, self.account.issued - self.account.spent)
        assert self.account.allowance == unspent


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.__doc__ = "The ledger balances after any sequence of days, grants, holds and settlements."
TestBookkeeping.settings = settings(max_examples=60, stateful_step_count=30)
