"""Credit movements, as decided by the domain, in a given transaction."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.allowances import MAX_CREDITS, AllowanceSource, Period, period_named
from bot.domain.credits import (
    Account,
    Budget,
    Movement,
    MovementKind,
    RiskOutcome,
    decide_grant,
    decide_reset,
    decide_take,
    decided_cost,
    month_end,
    month_of,
)
from bot.domain.errors import (
    BudgetSpentError,
    FaultKind,
    GrantTooLargeError,
    NothingGrantedError,
    NothingUsedError,
)
from bot.domain.guild_budgets import AlertLevels
from bot.domain.jobs import Job
from bot.domain.premium import PremiumPlan
from bot.engine.credit_reader import CreditReader
from bot.engine.member_identity import MemberIdentity
from db.accounts import AccountRepository
from db.allowances import AllowanceRepository
from db.budget_alerts import BudgetAlertRepository
from db.budgets import ALL_GUILDS, BudgetRepository
from db.entitlements import EntitlementRepository
from db.ledger import LedgerEntry, LedgerRepository
from db.locks import COUNTING_FREE_REPEATS, advisory_lock
from db.risks import RiskRepository

SYSTEM_ACTOR = 0
"""The actor of automatic movements."""

UNLIMITED_REASON: Final = "unlimited allowance"
"""The reason of a movement that issues an unlimited allowance for one hold."""
CHANGED_REASON: Final = "changed allowance"
"""The reason of the movements of an allowance that changed within its period."""

PREMIUM_REASON: Final = f"{AllowanceSource.PREMIUM} allowance"
"""The reason of the movements of a purchased allowance in a new period."""
REFUND_REASON: Final = "refund"
"""The reason of the movement that takes purchased credits back."""

_REPEATS_WITHIN: Final = timedelta(days=1)


class Ledger(CreditReader):
    """Moves credits.

    `budget` is the most that the operator may owe for all guilds together a month. `free_repeats` is how many lost
    replies of a member within a day release their hold at once. For the others see `CreditReader`.
    """

    def __init__(
        self,
        *,
        allowance: int,
        budget: int,
        new_id: Callable[[], str],
        guild_budget: int | None = None,
        alerts: AlertLevels | None = None,
        free_repeats: int = 2,
        identity: MemberIdentity | None = None,
        premium: PremiumPlan | None = None,
    ) -> None:
        super().__init__(allowance=allowance, guild_budget=guild_budget, identity=identity, premium=premium)
        self._free_repeats = free_repeats
        self._budget = budget
        self._alerts = alerts or AlertLevels()
        self._new_id = new_id

    @property
    def month_limit(self) -> int:
        """The operator's limit for a month of all guilds."""
        return self._budget

    def reserve(self, connection: Connection, guild_id: int, amount: int, limit: int | None, now: datetime) -> None:
        """Hold credits in a budget; an alert is due once it reaches a percentage.

        Raises:
            BudgetSpentError: the budget does not cover them; do not commit.
        """
        reserved = BudgetRepository(connection, guild_id).reserve(month_of(now), amount, limit)
        if reserved is None:
            raise BudgetSpentError(renews_at=month_end(now), of_guild=guild_id != ALL_GUILDS)
        if limit is not None and (reached := self._alerts.highest(reserved.budget)) > reserved.alerted:
            BudgetAlertRepository(connection).raise_to(guild_id, month_of(now), reached, now)

    def has_unraised_alert(self, connection: Connection, guild_id: int, now: datetime) -> bool:
        """Return whether a budget has reached a percentage without an alert.

        It has if its limit was lowered.
        """
        alerted = BudgetRepository(connection, guild_id).alerted(month_of(now))
        return alerted is not None and self._highest_alert(connection, guild_id, now) > alerted

    def raise_alert(self, connection: Connection, guild_id: int, now: datetime) -> None:
        """Make the alert of a budget due after a change of its limit."""
        if reached := self._highest_alert(connection, guild_id, now):
            BudgetAlertRepository(connection).raise_to(guild_id, month_of(now), reached, now)

    def _highest_alert(self, connection: Connection, guild_id: int, now: datetime) -> int:
        if guild_id != ALL_GUILDS and self.guild_limits(connection, guild_id).lowest is None:
            return 0
        return self._alerts.highest(self.guild_budget(connection, guild_id, now))

    def decide_possible_costs(self, connection: Connection, job: Job, outcome: RiskOutcome, now: datetime) -> None:
        """Record the provider's word on an ended job's possible costs."""
        for risk in RiskRepository(connection).list_open(job.id):
            # The job is from before the provider was asked; its member may be deleted since.
            account = Account(guild_id=job.place.guild_id, member_id=risk.member_id)
            if not RiskRepository(connection).decide(job.id, risk.number, outcome, now):
                continue
            movement = decided_cost(risk.amount, outcome)
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=outcome, job_id=job.id)
            for guild_id in budgets_of(job):
                BudgetRepository(connection, guild_id).decide(
                    risk.month, risk.amount, captured=outcome is RiskOutcome.OWED
                )

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
        """Return this month's budget of all guilds."""
        return BudgetRepository(connection).find(month_of(now), self._budget)

    def guild_budget(self, connection: Connection, guild_id: int, now: datetime) -> Budget:
        """Return this month's budget of a guild.

        Its limit is the guild's, else that of all guilds.
        """
        limit = self.guild_limits(connection, guild_id).lowest
        return BudgetRepository(connection, guild_id).find(month_of(now), self._budget if limit is None else limit)

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
        kind: MovementKind = MovementKind.GRANT,
    ) -> Account:
        """Give a member credits without expiry and return the account.

        Raises:
            GrantTooLargeError: the member would have more than `MAX_CREDITS`, held ones included.
        """
        account = self.lock(connection, guild_id, member_id)
        room = MAX_CREDITS - account.granted - LedgerRepository(connection).held_grants(guild_id, member_id)
        if amount > room:
            raise GrantTooLargeError(room)
        account, movement = decide_grant(account, amount, kind)
        AccountRepository(connection).save(account)
        self._record(connection, account, movement, now, actor=actor, reason=reason)
        return account

    def take(
        self,
        connection: Connection,
        *,
        guild_id: int,
        member_id: int,
        amount: int,
        actor: int,
        reason: str,
        now: datetime,
    ) -> tuple[Account, int]:
        """Take granted credits back, at most those there are.

        Return the account and the number taken. Held credits stay with their jobs.

        Raises:
            NothingGrantedError: there is none to take.
        """
        account = self.lock(connection, guild_id, member_id)
        if not account.granted:
            raise NothingGrantedError(held=LedgerRepository(connection).held_grants(guild_id, member_id))
        taken = min(amount, account.granted)
        account, movement = decide_take(account, taken)
        AccountRepository(connection).save(account)
        self._record(connection, account, movement, now, actor=actor, reason=reason)
        return account, taken

    def refund(
        self, connection: Connection, *, guild_id: int, member_id: int, amount: int, now: datetime
    ) -> tuple[int, int]:
        """Take purchased credits back, at most those there are.

        Return the number taken, and how many of the others are held by jobs.
        """
        account = self.lock(connection, guild_id, member_id)
        taken = min(amount, account.granted)
        self._take_refunded(connection, account, taken, now)
        held = LedgerRepository(connection).held_grants(guild_id, member_id)
        return taken, min(amount - taken, held)

    def take_owed(
        self, connection: Connection, account: Account, job: Job, *, held: int, returned: int, now: datetime
    ) -> None:
        """Take refunded credits from the `returned` ones of an ended job.

        The others are spent, and no longer owed.
        """
        if not self._premium.is_on:
            return
        repository = EntitlementRepository(connection)
        for row in repository.list_owed(account.guild_id, account.member_id, job.created_at):
            part = min(row.to_take_back, held)
            taken = min(part, returned)
            account = self._take_refunded(connection, account, taken, now)
            repository.owe(row.id, row.to_take_back - part)
            held, returned = held - part, returned - taken

    def _take_refunded(self, connection: Connection, account: Account, amount: int, now: datetime) -> Account:
        if not amount:
            return account
        account, movement = decide_take(account, amount, MovementKind.REFUND)
        AccountRepository(connection).save(account)
        self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=REFUND_REASON)
        return account

    def reset(
        self,
        connection: Connection,
        *,
        guild_id: int,
        member_id: int,
        roles: Collection[int] | None,
        actor: int,
        reason: str,
        now: datetime,
    ) -> tuple[Account, int]:
        """Give back the allowance used in this period.

        What counted in it is forgiven under later allowances, too. What earlier periods used is not. Return the
        account and what was used. Without `roles`, the allowance is that of `available`.

        Raises:
            NothingUsedError: nothing of it is used.
        """
        account = self.lock(connection, guild_id, member_id)
        account, movements = self.opened(connection, account, self._terms_of(connection, account, now, roles))
        used = account.spent
        if not used:
            raise NothingUsedError
        account, given = decide_reset(account)
        AccountRepository(connection).save(account)
        LedgerRepository(connection).forgive(account, self.period_of(connection, account).begin)
        for movement in movements:
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason="allowance")
        for movement in given:
            self._record(connection, account, movement, now, actor=actor, reason=reason)
        return account, used

    def lock(self, connection: Connection, guild_id: int, member_id: int) -> Account:
        """Return the locked account. A returning member gets the old one back."""

        def restore() -> None:
            if self._identity is not None:
                self._identity.restore(connection, member_id)

        return AccountRepository(connection).lock(guild_id, member_id, restore)

    def period_of(self, connection: Connection, account: Account) -> Period:
        """Return the period of an account's allowance."""
        rules = AllowanceRepository(connection).rules(account.guild_id, account.member_id, ())
        return period_named(account.period, rules.settings.zone)

    def entry(
        self,
        account: Account,
        movement: Movement,
        now: datetime,
        *,
        actor: int = SYSTEM_ACTOR,
        reason: str,
        job_id: str | None = None,
        settles: str | None = None,
    ) -> LedgerEntry:
        """Return the entry of an account's movement."""
        return LedgerEntry(
            id=self._new_id(),
            guild_id=account.guild_id,
            member_id=account.member_id,
            movement=movement,
            actor_id=actor,
            reason=reason,
            at=now,
            job_id=job_id,
            settles=settles,
        )

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
        entry = self.entry(account, movement, now, actor=actor, reason=reason, job_id=job_id, settles=settles)
        LedgerRepository(connection).add_all([entry])


def budgets_of(job: Job) -> list[int]:
    """Return the guilds of a job's budgets, in the order of locking.

    The operator owes nothing for a job with the guild's own keys.
    """
    of_guild = [job.place.guild_id] if job.place.guild_id else []
    return of_guild if job.own_key else [*of_guild, ALL_GUILDS]


def locking_order(budget: tuple[int, str]) -> tuple[bool, int, str]:
    """Return the place of a guild's month; all guilds' comes last.

    Its lock blocks all other holds, and two transactions must not wait for each other.
    """
    guild_id, month = budget
    return guild_id == ALL_GUILDS, guild_id, month
