"""Holds of new jobs: decided one after another, written at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.allowances import PurchasedAllowance
from bot.domain.credits import Account, Hold, decide_hold, issue_on_demand, month_end, month_of
from bot.domain.errors import BudgetSpentError, InsufficientCreditsError
from bot.domain.jobs import Job
from bot.engine.credit_reader import CreditTerms
from bot.engine.ledger import CHANGED_REASON, UNLIMITED_REASON, Ledger, budgets_of, locking_order
from db.accounts import AccountKey, AccountRepository
from db.allowances import AllowanceRepository, JobRules
from db.batches import AloneError
from db.budgets import ALL_GUILDS, BudgetRepository
from db.entitlements import EntitlementRepository
from db.jobs import JobRepository
from db.ledger import LedgerEntry, LedgerRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldDecision:
    """A job's hold, the member's account after it, and the budgets it uses.

    `budgets` has the limits by guild; None is no limit.
    """

    job: Job
    account: Account
    hold: Hold
    entries: tuple[LedgerEntry, ...]
    budgets: dict[int, int | None]


class HoldBatch:
    """The holds of one transaction.

    It locks the accounts of the jobs' members. Nothing is written before `write`, and rare cases raise `AloneError`,
    unless the transaction `is_alone`: it is undone as a whole then.
    """

    def __init__(self, ledger: Ledger, connection: Connection, jobs: Sequence[Job], *, is_alone: bool) -> None:
        self._ledger = ledger
        self._connection = connection
        self._is_alone = is_alone
        keys = {_key(job) for job in jobs}
        self._accounts = AccountRepository(connection).lock_all(keys) if jobs else {}
        missing = keys - self._accounts.keys()
        self._returning: frozenset[int] = frozenset()
        if is_alone:
            self._accounts.update({key: ledger.lock(connection, *key) for key in missing})
        elif missing:
            self._returning = ledger.list_returning(connection, {member_id for _, member_id in missing})
        self._existing = frozenset(self._accounts)
        self._decided: list[HoldDecision] = []
        self._reserved: Counter[tuple[int, str]] = Counter()
        if jobs and not is_alone:
            guilds = {ALL_GUILDS, *(job.place.guild_id for job in jobs)}
            months = {month_of(job.created_at) for job in jobs}
            self._reserved.update(BudgetRepository(connection).list_used(months, guilds))

    @property
    def decided(self) -> Sequence[HoldDecision]:
        """The holds to be written."""
        return self._decided

    def decide(self, job: Job, rules: JobRules) -> HoldDecision:
        """Return the hold of a job under its guild's rules for the member.

        Raises:
            InsufficientCreditsError: the account has too few credits.
            AloneError: the case is rare, and the transaction has other jobs.
        """
        place, now, ledger, key = job.place, job.created_at, self._ledger, _key(job)
        terms = self._terms(job, rules)
        account = self._account(key)
        before = account.period
        account, movements = ledger.opened(self._connection, account, terms)
        if account.period != before and not self._is_alone and self._has_decided(key):
            raise AloneError  # what the new period counts as spent lacks the member's other holds
        reason = CHANGED_REASON if account.period == before else f"{terms.allowance.source} allowance"
        entries = [ledger.entry(account, each, now, reason=reason) for each in movements]
        if terms.allowance.purchase is not None and terms.allowance.purchase.is_unused:
            LedgerRepository(self._connection).forgive(account, terms.period.begin)
        self._require(job, account, terms)
        account, issued = issue_on_demand(account, job.price)
        entries += [ledger.entry(account, each, now, reason=UNLIMITED_REASON) for each in issued]
        account, hold, movement = decide_hold(account, job.id, job.price, now, role_id=terms.role_id)
        entries.append(ledger.entry(account, movement, now, actor=place.member_id, reason="imagine", job_id=job.id))
        limits = {place.guild_id: terms.guild_budget, ALL_GUILDS: ledger.month_limit}
        budgets = {guild_id: limits[guild_id] for guild_id in budgets_of(job)}
        return HoldDecision(job=job, account=account, hold=hold, entries=tuple(entries), budgets=budgets)

    def add(self, decision: HoldDecision) -> None:
        """Add a hold to those to be written.

        Raises:
            BudgetSpentError: a budget does not cover it beside the others.
        """
        amount, month = decision.job.price, decision.hold.month
        if not self._is_alone:
            for guild_id, limit in decision.budgets.items():
                if limit is not None and self._reserved[guild_id, month] + amount > limit:
                    raise _spent(decision.job, guild_id)
        for guild_id in decision.budgets:
            self._reserved[guild_id, month] += amount
        self._accounts[_key(decision.job)] = decision.account
        self._decided.append(decision)

    def write(self) -> None:
        """Write the jobs and their holds, but not the budgets.

        Raises:
            DuplicateInteractionError: an interaction has a job; do not commit.
            sqlalchemy.exc.IntegrityError: the same among several, or an account was created meanwhile; do not commit.
        """
        if not self._decided:
            return
        jobs, ledger = JobRepository(self._connection), LedgerRepository(self._connection)
        self._save_accounts()  # first: another process may hold a new one, and wait for the interaction's job
        if self._is_alone:
            for each in self._decided:
                jobs.add(each.job)
        else:
            jobs.add_all([each.job for each in self._decided])
        ledger.add_holds([(each.job, each.hold) for each in self._decided])
        ledger.add_all([entry for each in self._decided for entry in each.entries])

    def reserve(self) -> None:
        """Reserve the prices in the budgets, as the last statements.

        Their rows are shared, and the lock of all guilds' blocks all other holds until the commit.

        Raises:
            BudgetSpentError: a month's budget is spent; do not commit.
        """
        amounts: Counter[tuple[int, str]] = Counter()
        last: dict[tuple[int, str], HoldDecision] = {}
        for decision in self._decided:
            for guild_id in decision.budgets:
                amounts[guild_id, decision.hold.month] += decision.job.price
                last[guild_id, decision.hold.month] = decision
        for guild_id, month in sorted(amounts, key=locking_order):
            decision, amount = last[guild_id, month], amounts[guild_id, month]
            limit = decision.budgets[guild_id]
            self._ledger.reserve(self._connection, guild_id, amount, limit, decision.job.created_at)

    def _account(self, key: AccountKey) -> Account:
        if (known := self._accounts.get(key)) is not None:
            return known
        # Of several, a new account is inserted as a whole.
        guild_id, member_id = key
        if member_id in self._returning:
            raise AloneError  # deleted since the checks of the request: an account is kept
        return Account(guild_id=guild_id, member_id=member_id)

    def _has_decided(self, key: AccountKey) -> bool:
        return any(_key(each.job) == key for each in self._decided)

    def _require(self, job: Job, account: Account, terms: CreditTerms) -> None:
        try:
            self._ledger.require(self._connection, account, terms, job.price)
        except InsufficientCreditsError as error:
            if not self._is_alone and self._has_decided(_key(job)):
                raise AloneError from error  # its words count the member's other holds, which are not written yet
            raise

    def _terms(self, job: Job, rules: JobRules) -> CreditTerms:
        """Return the terms of a hold; its purchased allowance is used here."""
        place = job.place
        while True:
            terms = self._ledger.terms(
                self._connection, place.guild_id, place.member_id, job.created_at, place.roles, rules
            )
            bought = terms.allowance.purchase
            if bought is None:
                return terms
            if not self._is_alone:
                raise AloneError
            if self._is_used_here(bought, job, terms):
                return terms

    def _is_used_here(self, bought: PurchasedAllowance, job: Job, terms: CreditTerms) -> bool:
        """Move a member's purchase to the job's guild, if it is not there.

        Return False if it was moved elsewhere meanwhile.
        """
        guild_id, period = job.place.guild_id, terms.period.key
        if bought.of_guild or (bought.guild_id, bought.period_used) == (guild_id, period):
            return True
        return EntitlementRepository(self._connection).move(
            bought.entitlement_id,
            guild_id=guild_id,
            period=period,
            from_guild=bought.guild_id,
            from_period=bought.period_used,
        )

    def _save_accounts(self) -> None:
        changed = {_key(each.job): each.account for each in self._decided}
        accounts = AccountRepository(self._connection)
        accounts.add_all([account for key, account in changed.items() if key not in self._existing])
        accounts.save_all([account for key, account in changed.items() if key in self._existing])


def hold_job(ledger: Ledger, connection: Connection, job: Job, rules: JobRules | None = None) -> Account:
    """Hold a job's price and insert it; return the member's account.

    The transaction is for this job alone. Raises as `HoldBatch` does; then it is not to be committed.
    """
    place = job.place
    if rules is None:
        rules = AllowanceRepository(connection).rules(place.guild_id, place.member_id, place.roles)
    batch = HoldBatch(ledger, connection, [job], is_alone=True)
    decision = batch.decide(job, rules)
    batch.add(decision)
    batch.write()
    batch.reserve()
    return decision.account


def _key(job: Job) -> AccountKey:
    return job.place.guild_id, job.place.member_id


def _spent(job: Job, guild_id: int) -> BudgetSpentError:
    return BudgetSpentError(renews_at=month_end(job.created_at), of_guild=guild_id != ALL_GUILDS)
