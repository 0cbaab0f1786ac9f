"""Credit movements, as decided by the domain, in a given transaction."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.credits import (
    Account,
    Budget,
    Movement,
    PossibleCost,
    RiskOutcome,
    decide_grant,
    decide_hold,
    decide_settlement,
    decided_cost,
    month_end,
    month_of,
    open_period,
    period_end,
    period_of,
    unknown_cost,
)
from bot.domain.errors import BudgetSpentError, FaultKind, InsufficientCreditsError
from bot.domain.jobs import Job
from db.accounts import AccountRepository
from db.budgets import BudgetRepository
from db.ledger import LedgerRepository
from db.locks import COUNTING_FREE_REPEATS, advisory_lock
from db.risks import RiskRepository

SYSTEM_ACTOR = 0
"""The actor of automatic movements."""

_REPEATS_WITHIN: Final = timedelta(days=1)


class Ledger:
    """Moves credits.

    `allowance` is credits a day; `budget` is the most that the operator may owe for all guilds together a month.
    `free_repeats` is how many lost replies of a member within a day release their hold at once.
    """

    def __init__(self, *, allowance: int, budget: int, new_id: Callable[[], str], free_repeats: int = 2) -> None:
        self._allowance = allowance
        self._free_repeats = free_repeats
        self._budget = budget
        self._new_id = new_id

    def available(self, connection: Connection, guild_id: int, member_id: int, now: datetime) -> Account:
        """Return today's account without writing anything."""
        account = AccountRepository(connection).find(guild_id, member_id) or Account(
            guild_id=guild_id, member_id=member_id
        )
        return open_period(account, period_of(now), self._allowance)[0]

    def require(self, connection: Connection, account: Account, needed: int, now: datetime) -> None:
        """Check that an account of today can pay.

        Raises:
            InsufficientCreditsError: it has fewer credits; the error says what a whole day has.
        """
        if account.available >= needed:
            return
        raise InsufficientCreditsError(
            needed=needed,
            available=account.available,
            renews_at=period_end(now),
            allowance=self._allowance,
            granted=account.granted + LedgerRepository(connection).held_grants(account.guild_id, account.member_id),
        )

    def hold(self, connection: Connection, job: Job, insert_job: Callable[[], None], now: datetime) -> Account:
        """Hold the job's price, insert the job and return the account.

        The budget comes last: its row is shared, and its lock blocks all other holds until the commit.

        Raises:
            InsufficientCreditsError: if the account has too few credits; do not commit.
            BudgetSpentError: if the month's budget is spent; do not commit.
        """
        place = job.place
        account = self._open_today(connection, place.guild_id, place.member_id, now)
        self.require(connection, account, job.price, now)
        account, hold, movement = decide_hold(account, job.id, job.price, now)
        insert_job()
        AccountRepository(connection).save(account)
        LedgerRepository(connection).add_hold(hold, account)
        self._record(connection, account, movement, now, actor=place.member_id, reason="imagine", job_id=job.id)
        if not BudgetRepository(connection).reserve(month_of(now), job.price, self._budget):
            raise BudgetSpentError(renews_at=month_end(now))
        return account

    def settle(
        self,
        connection: Connection,
        job: Job,
        charge: int,
        reason: str,
        now: datetime,
        possible_cost: PossibleCost | None = None,
    ) -> None:
        """End the job's hold and charge `charge` of it.

        The member gets the rest back; of the budget, `possible_cost` stays used. Account and budget are locked in the
        order of `hold`.
        """
        hold = LedgerRepository(connection).get_hold(job.id)
        account = AccountRepository(connection).lock(job.place.guild_id, job.place.member_id)
        account, movement = decide_settlement(account, hold, charge)
        AccountRepository(connection).save(account)
        self._record(
            connection, account, movement, now, actor=SYSTEM_ACTOR, reason=reason, job_id=job.id, settles=job.id
        )
        if possible_cost is not None:
            RiskRepository(connection).add(job, possible_cost, hold.month, now)
            movement = unknown_cost(possible_cost.amount)
            reason = possible_cost.cause
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=reason, job_id=job.id)
        at_risk = 0 if possible_cost is None else possible_cost.amount
        BudgetRepository(connection).settle(hold.month, held=hold.amount, captured=charge, at_risk=at_risk)

    def decide_possible_costs(self, connection: Connection, job: Job, outcome: RiskOutcome, now: datetime) -> None:
        """Record the provider's word on an ended job's possible costs."""
        account = Account(guild_id=job.place.guild_id, member_id=job.place.member_id)
        for risk in RiskRepository(connection).list_open(job.id):
            if not RiskRepository(connection).decide(job.id, risk.number, outcome, now):
                continue
            movement = decided_cost(risk.amount, outcome)
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=outcome, job_id=job.id)
            BudgetRepository(connection).decide(risk.month, risk.amount, captured=outcome is RiskOutcome.OWED)

    def has_free_repeat(self, connection: Connection, member_id: int, now: datetime) -> bool:
        """Return whether a lost reply releases the member's hold at once.

        The operator pays for each such release, so a member has few of them in a day. Call it before `settle`, in the
        same transaction: no other one decides in between.
        """
        # The account's lock is too little: a member has one in each guild.
        advisory_lock(connection, COUNTING_FREE_REPEATS)
        released = RiskRepository(connection).count_since(member_id, FaultKind.REPLY_LOST, now - _REPEATS_WITHIN)
        return released < self._free_repeats

    def budget(self, connection: Connection, now: datetime) -> Budget:
        """Return this month's budget."""
        return BudgetRepository(connection).find(month_of(now), self._budget)

    def grant(
        self,
        connection: Connection,
        *,
        guild_id: int,
        member_id: int,
        amount: int,
        actor: int,
        reason: str,
        now: datetime,
    ) -> Account:
        """Give a member credits without expiry and return the account."""
        account = self._open_today(connection, guild_id, member_id, now)
        account, movement = decide_grant(account, amount)
        AccountRepository(connection).save(account)
        self._record(connection, account, movement, now, actor=actor, reason=reason)
        return account

    def _open_today(self, connection: Connection, guild_id: int, member_id: int, now: datetime) -> Account:
        account = AccountRepository(connection).lock(guild_id, member_id)
        account, movements = open_period(account, period_of(now), self._allowance)
        for movement in movements:
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason="daily allowance")
        return account

    def _record(
        self,
        connection: Connection,
        account: Account,
        movement: Movement,
        now: datetime,
        *,
        actor: int,
        reason: str,
        job_id: str | None = None,
        settles: str | None = None,
    ) -> None:
        LedgerRepository(connection).add(
            movement,
            id=self._new_id(),
            account=account,
            actor_id=actor,
            reason=reason,
            at=now,
            job_id=job_id,
            settles=settles,
        )
