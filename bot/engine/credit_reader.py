"""Credits of members and their terms, read only."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from sqlalchemy import Connection

from bot.domain.allowances import (
    Allowance,
    AllowanceSource,
    Period,
    PurchasedAllowance,
    applicable,
    kind_of,
    period_at,
    period_named,
)
from bot.domain.credits import Account, Movement, open_period
from bot.domain.errors import InsufficientCreditsError
from bot.domain.guild_budgets import GuildLimits
from bot.domain.premium import PremiumPlan, is_usable_in, with_purchases
from bot.engine.member_identity import MemberIdentity
from db.accounts import AccountRepository
from db.allowances import AllowanceRepository, JobRules
from db.entitlements import EntitlementRepository
from db.ledger import LedgerRepository


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


class CreditReader:
    """Reads accounts and terms.

    `allowance` is credits a day where a guild has set none; `guild_budget` is the operator's limit for a guild without
    a cap. `identity` finds what is kept of members who return. `premium` are the credits that members can buy.
    """

    def __init__(
        self,
        *,
        allowance: int,
        guild_budget: int | None = None,
        identity: MemberIdentity | None = None,
        premium: PremiumPlan | None = None,
    ) -> None:
        self._identity = identity
        self._premium = premium or PremiumPlan()
        self._sold = [sku_id for sku_id, benefit in self._premium.benefits.items() if not benefit.is_grant]
        self._allowance = allowance
        self._guild_budget = guild_budget

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
        return self.opened(connection, account, terms)[0], terms

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

    def list_returning(self, connection: Connection, members: Collection[int]) -> frozenset[int]:
        """Return the members with something kept; see `MemberIdentity`."""
        return frozenset() if self._identity is None else self._identity.list_known(connection, members)

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

    def opened(
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
