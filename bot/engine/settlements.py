"""Settlements of ended jobs: decided one after another, written at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.credits import Account, Hold, Movement, PossibleCost, decide_settlement, unknown_cost
from bot.domain.jobs import Job
from bot.engine.ledger import Ledger, budgets_of, locking_order
from db.accounts import AccountKey, AccountRepository
from db.batches import AloneError
from db.budgets import BudgetChange, BudgetRepository
from db.ledger import LedgerRepository
from db.risks import RiskRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of a job's hold, with the charge of it.

    The member gets the rest back; of the budgets, `possible_cost` stays used.
    """

    job: Job
    charge: int
    reason: str
    at: datetime
    possible_cost: PossibleCost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    settlement: Settlement
    hold: Hold
    before: Account
    account: Account
    movement: Movement


class SettlementBatch:
    """The settlements of one transaction.

    It locks accounts and budgets in the order of holds. Rare cases raise `AloneError`, unless the transaction
    `is_alone`.
    """

    def __init__(self, ledger: Ledger, connection: Connection, jobs: Sequence[Job], *, is_alone: bool) -> None:
        self._ledger = ledger
        self._connection = connection
        self._is_alone = is_alone
        self._accounts = AccountRepository(connection).lock_all({_key(job) for job in jobs})
        # Behind the locks, as a reset changes them.
        self._holds = LedgerRepository(connection).get_holds([job.id for job in jobs])
        self._decided: list[_Decision] = []

    def require_usual(self, settlement: Settlement) -> None:
        """Check that the settlement of one of the jobs may share a transaction.

        Raises:
            AloneError: the case is rare, and the transaction has other jobs.
        """
        account, hold = self._accounts.get(_key(settlement.job)), self._holds[settlement.job.id]
        is_usual = account is not None and hold.period == account.period and not hold.granted
        if not self._is_alone and (not is_usual or settlement.possible_cost is not None):
            raise AloneError

    def add(self, settlement: Settlement) -> None:
        """Add a settlement to those to be written.

        The job is written as ended before: what it was charged counts as used.
        """
        job, key = settlement.job, _key(settlement.job)
        hold = self._holds[job.id]
        account = self._accounts.get(key) or AccountRepository(self._connection).lock(*key)
        used = None
        if hold.period != account.period:
            period = self._ledger.period_of(self._connection, account)
            used = LedgerRepository(self._connection).spent_allowance(account, period)
        changed, movement = decide_settlement(account, hold, settlement.charge, used=used)
        self._accounts[key] = changed
        self._decided.append(
            _Decision(settlement=settlement, hold=hold, before=account, account=changed, movement=movement)
        )

    def write(self) -> None:
        """Write the accounts, the ledger and the budgets."""
        changed = {_key(each.settlement.job): each.account for each in self._decided}
        AccountRepository(self._connection).save_all(list(changed.values()))
        LedgerRepository(self._connection).add_all(
            [
                self._ledger.entry(
                    each.account,
                    each.movement,
                    each.settlement.at,
                    reason=each.settlement.reason,
                    job_id=each.settlement.job.id,
                    settles=each.settlement.job.id,
                )
                for each in self._decided
            ]
        )
        for each in self._decided:
            self._write_rare(each)
        self._settle_budgets()

    def _write_rare(self, decision: _Decision) -> None:
        """Take refunded credits; record a possible cost."""
        settlement, hold, account = decision.settlement, decision.hold, decision.account
        if hold.granted:
            returned = account.granted - decision.before.granted
            self._ledger.take_owed(
                self._connection, account, settlement.job, held=hold.granted, returned=returned, now=settlement.at
            )
        cost = settlement.possible_cost
        if cost is not None:
            RiskRepository(self._connection).add(settlement.job, cost, hold.month, settlement.at)
            movement = unknown_cost(cost.amount)
            entry = self._ledger.entry(account, movement, settlement.at, reason=cost.cause, job_id=settlement.job.id)
            LedgerRepository(self._connection).add_all([entry])

    def _settle_budgets(self) -> None:
        changes: dict[tuple[int, str], BudgetChange] = {}
        for each in self._decided:
            settlement = each.settlement
            cost = settlement.possible_cost
            change = BudgetChange(
                held=each.hold.amount, captured=settlement.charge, at_risk=0 if cost is None else cost.amount
            )
            for guild_id in budgets_of(settlement.job):
                budget = guild_id, each.hold.month
                changes[budget] = changes.get(budget, BudgetChange()) + change
        for guild_id, month in sorted(changes, key=locking_order):
            BudgetRepository(self._connection, guild_id).settle(month, changes[guild_id, month])


def settle(ledger: Ledger, connection: Connection, settlement: Settlement) -> None:
    """End the hold of one job."""
    batch = SettlementBatch(ledger, connection, [settlement.job], is_alone=True)
    batch.add(settlement)
    batch.write()


def _key(job: Job) -> AccountKey:
    return job.place.guild_id, job.place.member_id
