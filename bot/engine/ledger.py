"""Credit movements, as decided by the domain, in a given transaction."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from sqlalchemy import Connection

from bot.domain.allowances import (
    MAX_CREDITS,
    Allowance,
    AllowanceSource,
    Period,
    PurchasedAllowance,
    applicable,
    kind_of,
    period_at,
    period_named,
)
from bot.domain.credits import (
    Account,
    Budget,
    Movement,
    MovementKind,
    PossibleCost,
    RiskOutcome,
    decide_grant,
    decide_hold,
    decide_reset,
    decide_settlement,
    decide_take,
    decided_cost,
    issue_on_demand,
    month_end,
    month_of,
    open_period,
    unknown_cost,
)
from bot.domain.errors import (
    BudgetSpentError,
    FaultKind,
    GrantTooLargeError,
    InsufficientCreditsError,
    NothingGrantedError,
    NothingUsedError,
)
from bot.domain.guild_budgets import AlertLevels, GuildLimits
from bot.domain.jobs import InteractionContext, Job
from bot.domain.premium import PremiumPlan, is_usable_in, with_purchases
from bot.engine.member_identity import MemberIdentity
from db.accounts import AccountRepository
from db.allowances import AllowanceRepository, JobRules
from db.budget_alerts import BudgetAlertRepository
from db.budgets import ALL_GUILDS, BudgetRepository
from db.entitlements import EntitlementRepository
from db.ledger import LedgerRepository
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTerms:
    """The rules for a member's credits at a time.

    `guild_budget` is the most that the guild's jobs may cost in the month, None if unlimited. `is_used_elsewhere`: the
    member has bought an allowance, and uses it in another guild now.
    """

    allowance: Allowance
    period: Period
    zone: tzinfo = UTC
    guild_budget: int | None = None
    is_used_elsewhere: bool = False

    @property
    def role_id(self) -> int | None:
        """The role of the allowance, for `Hold`."""
        return None if self.allowance.source is AllowanceSource.MEMBER else self.allowance.role_id

    def renews_at(self, account: Account) -> datetime:
        """Return the time of the next allowance of an account under these terms.

        After a move of the time zone to the west, the account's period may not have begun yet. It has its allowance.
        """
        is_ahead = account.period > self.period.key and kind_of(account.period) is self.period.kind
        return (period_named(account.period, self.zone) if is_ahead else self.period).end


class Ledger:
    """Moves credits.

    `allowance` is credits a day where a guild has set none; `budget` is the most that the operator may owe for all
    guilds together a month, `guild_budget` the same for each guild without a cap. `free_repeats` is how many lost
    replies of a member within a day release their hold at once. `identity` finds what is kept of members who return.
    `premium` are the credits that members can buy at Discord.
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
        self._identity = identity
        self._premium = premium or PremiumPlan()
        self._sold = [sku_id for sku_id, benefit in self._premium.benefits.items() if not benefit.is_grant]
        self._allowance = allowance
        self._free_repeats = free_repeats
        self._budget = budget
        self._guild_budget = guild_budget
        self._alerts = alerts or AlertLevels()
        self._new_id = new_id

    def terms(
        self,
        connection: Connection,
        guild_id: int,
        member_id: int,
        now: datetime,
        roles: Collection[int],
        rules: JobRules | None = None,
    ) -> CreditTerms:
        """Return the member's allowance, its period and the guild's budget.

        `rules` are those of the guild for this member, if they are read already.
        """
        if rules is None:
            rules = AllowanceRepository(connection).rules(guild_id, member_id, roles)
        zone = rules.settings.zone
        allowance = applicable(rules.entries, member_id, roles, self._allowance)
        purchased = self.purchases(connection, guild_id, member_id, now)
        usable = [each for each in purchased if is_usable_in(each, guild_id, period_at(now, each.period, zone).key)]
        allowance = with_purchases(allowance, usable)
        return CreditTerms(
            allowance=allowance,
            period=period_at(now, allowance.period, zone),
            zone=zone,
            guild_budget=self._limits(guild_id, rules).lowest,
            is_used_elsewhere=len(usable) < len(purchased),
        )

    def purchases(
        self, connection: Connection, guild_id: int, member_id: int, now: datetime
    ) -> list[PurchasedAllowance]:
        """Return the purchased allowances of a member and a guild."""
        if not self._sold:
            return []
        found = []
        for row in EntitlementRepository(connection).list_active(guild_id, member_id, self._sold, now):
            benefit = self._premium.benefits[row.sku_id]
            if benefit.period is None or (row.is_test and not self._premium.takes_tests):
                continue
            found.append(
                PurchasedAllowance(
                    entitlement_id=row.id,
                    amount=benefit.amount,
                    period=benefit.period,
                    until=row.ends_at,
                    of_guild=row.member_id == 0,
                    guild_id=row.guild_id,
                    period_used=row.period,
                )
            )
        return found

    def guild_limits(self, connection: Connection, guild_id: int) -> GuildLimits:
        """Return the limits of a guild's month."""
        return self._limits(guild_id, AllowanceRepository(connection).rules(guild_id, 0, ()))

    def _limits(self, guild_id: int, rules: JobRules) -> GuildLimits:
        if not guild_id:
            return GuildLimits()
        operators = self._guild_budget if rules.budget_cap is None else rules.budget_cap
        return GuildLimits(admins=rules.settings.monthly_budget, operators=operators)

    @property
    def default_allowance(self) -> int:
        """Credits a day where a guild has set none."""
        return self._allowance

    def terms_in_force(
        self,
        connection: Connection,
        guild_id: int,
        member_id: int,
        now: datetime,
        roles: Collection[int] | None,
    ) -> CreditTerms:
        """Return the terms of `available`."""
        return self.view(connection, guild_id, member_id, now, roles)[1]

    def available(
        self,
        connection: Connection,
        guild_id: int,
        member_id: int,
        now: datetime,
        roles: Collection[int] | None = None,
    ) -> Account:
        """Return the account as of now without writing anything.

        Without `roles`, which come with interactions only, a member's own allowance counts, else the one last in force.
        """
        return self.view(connection, guild_id, member_id, now, roles)[0]

    def view(
        self,
        connection: Connection,
        guild_id: int,
        member_id: int,
        now: datetime,
        roles: Collection[int] | None = None,
    ) -> tuple[Account, CreditTerms]:
        """Return the account of `available` and its terms."""
        account = AccountRepository(connection).find(guild_id, member_id)
        if account is None and (kept_as := self.kept_as(connection, member_id)) != member_id:
            kept, terms = self.view(connection, guild_id, kept_as, now, roles)
            return replace(kept, member_id=member_id), terms
        account = account or Account(guild_id=guild_id, member_id=member_id)
        terms = self._terms_of(connection, account, now, roles)
        return self._opened(connection, account, terms)[0], terms

    def _terms_of(
        self, connection: Connection, account: Account, now: datetime, roles: Collection[int] | None
    ) -> CreditTerms:
        """Return an account's terms; without `roles` see `available`."""
        rules = AllowanceRepository(connection).rules(account.guild_id, account.member_id, roles or ())
        terms = self.terms(connection, account.guild_id, account.member_id, now, roles or (), rules)
        if roles is not None or not account.period or terms.allowance.source is AllowanceSource.MEMBER:
            return terms
        kind = kind_of(account.period)
        return replace(
            terms,
            allowance=Allowance(amount=account.issued, period=kind, source=AllowanceSource.LAST),
            period=period_at(now, kind, rules.settings.zone),
        )

    def kept_as(self, connection: Connection, member_id: int) -> int:
        """Return the id of a member's kept credits; see `MemberIdentity`."""
        return member_id if self._identity is None else self._identity.kept_as(connection, member_id)

    def require(self, connection: Connection, account: Account, terms: CreditTerms, needed: int) -> None:
        """Check that an account can pay under its terms.

        Raises:
            InsufficientCreditsError: it has fewer credits; the error says what a whole period has.
        """
        if account.can_pay(needed):
            return
        raise InsufficientCreditsError(
            needed=needed,
            available=account.allowance + account.granted,
            renews_at=terms.renews_at(account),
            allowance=terms.allowance.amount,
            granted=account.granted + LedgerRepository(connection).held_grants(account.guild_id, account.member_id),
            period=terms.allowance.period,
            in_force=terms.allowance,
        )

    def hold(
        self,
        connection: Connection,
        job: Job,
        insert_job: Callable[[], None],
        now: datetime,
        rules: JobRules | None = None,
    ) -> Account:
        """Hold the job's price, insert the job and return the account.

        `rules` are those of the guild for this member, if this transaction has read them already.
        The budgets come last: their rows are shared, and the lock of all guilds' blocks all other holds until the
        commit.

        Raises:
            InsufficientCreditsError: if the account has too few credits; do not commit.
            BudgetSpentError: if a month's budget is spent; do not commit.
        """
        place = job.place
        terms = self._use_terms(connection, job.place, now, rules)
        account = self._open(connection, place.guild_id, place.member_id, terms, now)
        if terms.allowance.purchase is not None and terms.allowance.purchase.is_unused:
            LedgerRepository(connection).forgive(account, terms.period.begin)
        self.require(connection, account, terms, job.price)
        account, issued = issue_on_demand(account, job.price)
        for movement in issued:
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=UNLIMITED_REASON)
        account, hold, movement = decide_hold(account, job.id, job.price, now, role_id=terms.role_id)
        insert_job()
        AccountRepository(connection).save(account)
        LedgerRepository(connection).add_hold(hold, account)
        self._record(connection, account, movement, now, actor=place.member_id, reason="imagine", job_id=job.id)
        if place.guild_id:
            self._reserve(connection, place.guild_id, job.price, terms.guild_budget, now)
        if not job.own_key:
            self._reserve(connection, ALL_GUILDS, job.price, self._budget, now)
        return account

    def _use_terms(
        self, connection: Connection, place: InteractionContext, now: datetime, rules: JobRules | None
    ) -> CreditTerms:
        """Return the terms of a hold; its purchased allowance is used here."""
        while True:
            terms = self.terms(connection, place.guild_id, place.member_id, now, place.roles, rules)
            bought, period = terms.allowance.purchase, terms.period.key
            if bought is None or bought.of_guild or (bought.guild_id, bought.period_used) == (place.guild_id, period):
                return terms
            if EntitlementRepository(connection).move(
                bought.entitlement_id,
                guild_id=place.guild_id,
                period=period,
                from_guild=bought.guild_id,
                from_period=bought.period_used,
            ):
                return terms

    def _reserve(self, connection: Connection, guild_id: int, price: int, limit: int | None, now: datetime) -> None:
        """Hold a price in a budget; an alert is due once it reaches a percentage.

        Raises:
            BudgetSpentError: the budget does not cover the price; do not commit.
        """
        reserved = BudgetRepository(connection, guild_id).reserve(month_of(now), price, limit)
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

    def settle(
        self,
        connection: Connection,
        job: Job,
        charge: int,
        reason: str,
        now: datetime,
        possible_cost: PossibleCost | None = None,
    ) -> None:
        """End the hold of an ended job and charge `charge` of it.

        The member gets the rest back; of the budgets, `possible_cost` stays used. Account and budgets are locked in the
        order of `hold`.
        """
        account = AccountRepository(connection).lock(job.place.guild_id, job.place.member_id)
        hold = LedgerRepository(connection).get_hold(job.id)  # behind the lock, as a reset changes it
        used = None
        if hold.period != account.period:
            period = self._period_of(connection, account)
            used = LedgerRepository(connection).spent_allowance(account, period)
        before = account.granted
        account, movement = decide_settlement(account, hold, charge, used=used)
        AccountRepository(connection).save(account)
        self._record(
            connection, account, movement, now, actor=SYSTEM_ACTOR, reason=reason, job_id=job.id, settles=job.id
        )
        if hold.granted and self._premium.is_on:
            self._take_owed(connection, account, job, held=hold.granted, returned=account.granted - before, now=now)
        if possible_cost is not None:
            RiskRepository(connection).add(job, possible_cost, hold.month, now)
            movement = unknown_cost(possible_cost.amount)
            reason = possible_cost.cause
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=reason, job_id=job.id)
        at_risk = 0 if possible_cost is None else possible_cost.amount
        for budget in _budgets(connection, job):
            budget.settle(hold.month, held=hold.amount, captured=charge, at_risk=at_risk)

    def decide_possible_costs(self, connection: Connection, job: Job, outcome: RiskOutcome, now: datetime) -> None:
        """Record the provider's word on an ended job's possible costs."""
        for risk in RiskRepository(connection).list_open(job.id):
            # The job is from before the provider was asked; its member may be deleted since.
            account = Account(guild_id=job.place.guild_id, member_id=risk.member_id)
            if not RiskRepository(connection).decide(job.id, risk.number, outcome, now):
                continue
            movement = decided_cost(risk.amount, outcome)
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=outcome, job_id=job.id)
            for budget in _budgets(connection, job):
                budget.decide(risk.month, risk.amount, captured=outcome is RiskOutcome.OWED)

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
        account = self._lock(connection, guild_id, member_id)
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
        account = self._lock(connection, guild_id, member_id)
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
        account = self._lock(connection, guild_id, member_id)
        taken = min(amount, account.granted)
        self._take_refunded(connection, account, taken, now)
        held = LedgerRepository(connection).held_grants(guild_id, member_id)
        return taken, min(amount - taken, held)

    def _take_owed(
        self, connection: Connection, account: Account, job: Job, *, held: int, returned: int, now: datetime
    ) -> None:
        """Take refunded credits from the `returned` ones of an ended job.

        The others are spent, and no longer owed.
        """
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
        account = self._lock(connection, guild_id, member_id)
        account, movements = self._opened(connection, account, self._terms_of(connection, account, now, roles))
        used = account.spent
        if not used:
            raise NothingUsedError
        account, given = decide_reset(account)
        AccountRepository(connection).save(account)
        LedgerRepository(connection).forgive(account, self._period_of(connection, account).begin)
        for movement in movements:
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason="allowance")
        for movement in given:
            self._record(connection, account, movement, now, actor=actor, reason=reason)
        return account, used

    def _open(
        self, connection: Connection, guild_id: int, member_id: int, terms: CreditTerms, now: datetime
    ) -> Account:
        """Return the locked account under its terms; the movements are recorded."""
        account = self._lock(connection, guild_id, member_id)
        before = account.period
        account, movements = self._opened(connection, account, terms)
        reason = CHANGED_REASON if account.period == before else f"{terms.allowance.source} allowance"
        for movement in movements:
            self._record(connection, account, movement, now, actor=SYSTEM_ACTOR, reason=reason)
        return account

    def _opened(
        self, connection: Connection, account: Account, terms: CreditTerms
    ) -> tuple[Account, tuple[Movement, ...]]:
        """Return an account under its terms, and the movements for it.

        In a new period, what jobs have spent since its begin counts: after a change of the time zone or of the kind of
        period, the old period was another. A member's own purchase begins with nothing spent.
        """
        bought = terms.allowance.purchase
        if bought is not None and bought.is_unused:
            return open_period(replace(account, spent=0), terms.period.key, terms.allowance.amount)
        period, spent = terms.period, 0
        if account.period and account.period != period.key:
            spent = LedgerRepository(connection).spent_allowance(account, period)
        return open_period(account, period.key, terms.allowance.amount, spent=spent)

    def _lock(self, connection: Connection, guild_id: int, member_id: int) -> Account:
        """Return the locked account. A returning member gets the old one back."""

        def restore() -> None:
            if self._identity is not None:
                self._identity.restore(connection, member_id)

        return AccountRepository(connection).lock(guild_id, member_id, restore)

    def _period_of(self, connection: Connection, account: Account) -> Period:
        rules = AllowanceRepository(connection).rules(account.guild_id, account.member_id, ())
        return period_named(account.period, rules.settings.zone)

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


def _budgets(connection: Connection, job: Job) -> list[BudgetRepository]:
    """Return the budgets of a job, in the order of locking.

    The operator owes nothing for a job with the guild's own keys.
    """
    guild_id = job.place.guild_id
    of_guild = [BudgetRepository(connection, guild_id)] if guild_id else []
    return of_guild if job.own_key else [*of_guild, BudgetRepository(connection)]
