"""Random changes of roles, allowances, zones, budgets, grants and jobs.

Whatever is set, and in whatever order, the limits hold and the ledger balances.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from fractions import Fraction
from typing import Any, ClassVar, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection, case, func, select

from bot.domain.allowances import AllowanceEntry, PeriodKind
from bot.domain.errors import BudgetSpentError, InsufficientCreditsError, NothingGrantedError, NothingUsedError
from bot.domain.jobs import Job
from bot.engine.ledger import Ledger
from db.allowances import AllowanceRepository
from db.audit import audit
from db.budgets import BudgetRepository
from db.database import Database
from db.guilds import GuildRepository
from db.incremental_audit import FULL_INTERVAL, CheckpointRepository, audit_since
from db.tables import holds, jobs
from tests.engine.test_state_machine import _files
from tests.support.clock import START
from tests.support.factories import make_context, make_id, make_job, make_request
from tests.support.ledger import end, hold

T = TypeVar("T")
Key = tuple[int, int, str]
"""A guild, a member and a period."""

DEFAULT = 36
GLOBAL_BUDGET = 600
DAYS = {PeriodKind.DAY: 1, PeriodKind.WEEK: 7, PeriodKind.MONTH: 30}
ROLES = (501, 502)
# Mostly one account, so that many changes meet in it.
GUILDS = st.sampled_from([700, 700, 700, 701])
MEMBERS = st.sampled_from([1, 1, 1, 2])
AMOUNTS = st.sampled_from([None, 0, 12, 24, 36, 60])
ZONES = st.sampled_from([None, "UTC", "Pacific/Auckland", "Pacific/Honolulu", "Europe/Berlin"])


class AllowanceMachine(RuleBasedStateMachine):
    """Two members in two guilds over the real ledger on SQLite."""

    HOLDERS: ClassVar = st.sampled_from([(0, 0), (0, 0), (501, 0), (502, 0), (0, 1)])

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.url = self.run(_files()[1].create(migrated=True))
        self.database = self.run(Database.open(self.url))
        self.ledger = Ledger(allowance=DEFAULT, budget=GLOBAL_BUDGET, new_id=make_id)
        self.now = START
        self.roles: dict[tuple[int, int], set[int]] = {}
        self.entries: dict[tuple[int, int, int], AllowanceEntry] = {}
        self.budgets: dict[int, int | None] = {}
        self.open_jobs: list[Job] = []
        # The largest allowance in force at a hold since the last reset, by period; infinite if it was unlimited.
        self.largest: dict[Key, float] = {}

    def teardown(self) -> None:
        """Close and delete the database."""
        self.run(self.database.close())
        self.run(_files()[1].drop(self.url))
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self.runner.run(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction."""
        return self.run(self.database.write(work))

    @rule(guild=GUILDS, member=MEMBERS, role=st.sampled_from(ROLES))
    def toggle_role(self, guild: int, member: int, role: int) -> None:
        """Give a member a role, or take it."""
        self.roles.setdefault((guild, member), set()).symmetric_difference_update({role})

    @rule(
        guild=GUILDS,
        holder=HOLDERS,
        amount=AMOUNTS,
        period=st.sampled_from(PeriodKind),
        drained=MEMBERS,
    )
    def set_allowance(
        self, guild: int, holder: tuple[int, int], amount: int | None, period: PeriodKind, drained: int
    ) -> None:
        """Set an allowance, and spend all of a member's."""
        entry = AllowanceEntry(amount=amount, period=period, role_id=holder[0], member_id=holder[1])
        self.entries[guild, *holder] = entry
        self.write(lambda each: AllowanceRepository(each).set(guild, entry))
        self.drain_one(guild, drained)

    @rule(guild=GUILDS, holder=HOLDERS)
    def remove_allowance(self, guild: int, holder: tuple[int, int]) -> None:
        """Remove an allowance, if there is one."""
        known = self.entries.pop((guild, *holder), None)
        removed = self.write(
            lambda each: AllowanceRepository(each).remove(guild, role_id=holder[0], member_id=holder[1])
        )
        assert removed is (known is not None)

    @rule(guild=GUILDS, zone=ZONES)
    def move_zone(self, guild: int, zone: str | None) -> None:
        """Change the time zone."""
        self.write(lambda each: GuildRepository(each).change_settings(guild, {"time_zone": zone}))

    @rule(guild=GUILDS, offset=st.sampled_from([-14, -13, -7, -1, 6, 12]), weeks=st.booleans())
    def cross(self, guild: int, offset: int, weeks: bool) -> None:
        """Move the zone during a hold, perhaps by way of a week, and spend all."""
        self.hold_one(guild, 1, 1)
        self.wait(1)
        self.move_zone(guild, f"Etc/GMT{offset:+}")
        if weeks:
            self.grant(guild, 1, 12)
            self.set_allowance(guild, (0, 0), 0, PeriodKind.WEEK, 1)
            self.set_allowance(guild, (0, 0), DEFAULT, PeriodKind.DAY, 1)
        if self.open_jobs:
            self.settle(0, 0)
        self.drain_one(guild, 1)

    @rule(guild=GUILDS, limit=st.sampled_from([None, None, 24, 120]))
    def set_budget(self, guild: int, limit: int | None) -> None:
        """Change a guild's budget."""
        self.budgets[guild] = limit
        self.write(lambda each: GuildRepository(each).change_settings(guild, {"monthly_budget": limit}))

    @rule(hours=st.sampled_from([1, 12, 24, 24 * 20]))
    def wait(self, hours: int) -> None:
        """Let time pass."""
        self.now += timedelta(hours=hours)

    @rule(guild=GUILDS, member=MEMBERS, amount=st.integers(1, 40))
    def grant(self, guild: int, member: int, amount: int) -> None:
        """Grant credits."""
        self.write(
            lambda each: self.ledger.grant(
                each, guild_id=guild, member_id=member, amount=amount, actor=9, reason="", now=self.now
            )
        )

    @rule(guild=GUILDS, member=MEMBERS, amount=st.integers(1, 40))
    def take(self, guild: int, member: int, amount: int) -> None:
        """Take granted credits back: never more than there are."""
        before = self.balance(guild, member)[1]
        try:
            account, taken = self.write(
                lambda each: self.ledger.take(
                    each, guild_id=guild, member_id=member, amount=amount, actor=9, reason="", now=self.now
                )
            )
        except NothingGrantedError:
            assert before == 0
            return
        assert (taken, account.granted) == (min(amount, before), before - taken)

    @rule(guild=GUILDS, member=MEMBERS, known=st.booleans())
    def reset(self, guild: int, member: int, known: bool) -> None:
        """Give the used allowance back, with or without known roles."""
        roles = self.roles_of(guild, member) if known else None
        try:
            account, _ = self.write(
                lambda each: self.ledger.reset(
                    each, guild_id=guild, member_id=member, roles=roles, actor=9, reason="", now=self.now
                )
            )
        except NothingUsedError:
            return
        self.largest[guild, member, account.period] = 0

    @rule(guild=GUILDS, member=MEMBERS, images=st.integers(1, 4))
    def hold(self, guild: int, member: int, images: int) -> None:
        """Hold a job."""
        self.hold_one(guild, member, images)

    def hold_one(self, guild: int, member: int, images: int) -> None:
        """Hold a job exactly if the balance and the budgets allow it."""
        place = make_context(guild_id=guild, member_id=member, roles=tuple(self.roles_of(guild, member)))
        job = make_job(place=place, request=make_request(images=images), created_at=self.now, due_at=self.now)
        available = self.balance(guild, member)[0]
        try:
            account = self.write(lambda each: hold(each, self.ledger, job, self.now))
        except InsufficientCreditsError:
            assert available is not None
            assert available < job.price
            return
        except BudgetSpentError:
            limit = self.budgets.get(guild)
            is_guilds = limit is not None and self.used(guild) + job.price > limit
            assert is_guilds or self.used(0) + job.price > GLOBAL_BUDGET
            return
        assert available is None or job.price <= available
        for budget, limit in ((guild, self.budgets.get(guild)), (0, GLOBAL_BUDGET)):
            assert limit is None or self.used(budget) <= limit
        self.open_jobs.append(job)
        key = (guild, member, account.period)
        amount = self.in_force(guild, member)
        self.largest[key] = max(self.largest.get(key, 0), float("inf") if amount is None else amount)

    def drain_one(self, guild: int, member: int) -> None:
        """Hold five jobs: as many as the largest amount allows."""
        for _ in range(5):
            self.hold_one(guild, member, 1)

    @precondition(lambda self: self.open_jobs)
    @rule(which=st.integers(0, 1000), images=st.integers(0, 4))
    def settle(self, which: int, images: int) -> None:
        """End a job and charge some of its images."""
        job = self.open_jobs.pop(which % len(self.open_jobs))
        charge = min(job.price, 12 * images)
        self.write(lambda each: end(each, self.ledger, job, charge, self.now))

    @rule()
    def audited(self) -> None:
        """Store a checkpoint, as the daily audit does."""
        checkpoint = self.run(self.database.read(lambda each: audit_since(each, self.now))).checkpoint
        assert checkpoint is not None
        self.write(lambda each: CheckpointRepository(each).save(checkpoint))

    @invariant()
    def ledger_balances(self) -> None:
        """Compare accounts, holds and budgets with the postings."""
        assert self.run(self.database.read(audit)) == []

    @invariant()
    def incremental_audit_suspects_nothing(self) -> None:
        """Expect no full audit of a sound ledger."""
        earlier = self.run(self.database.read(lambda each: CheckpointRepository(each).find()))
        if earlier is not None and self.now - earlier.full_at < FULL_INTERVAL:
            assert not self.run(self.database.read(lambda each: audit_since(each, self.now))).is_full

    @invariant()
    def no_period_exceeds_its_largest_allowance(self) -> None:
        """Sum the used allowance in each period."""
        used = case((jobs.c.charged < holds.c.allowance, jobs.c.charged), else_=holds.c.allowance)
        key = (holds.c.guild_id, holds.c.member_id, holds.c.period)
        statement = select(*key, func.sum(used)).join(jobs, jobs.c.id == holds.c.job_id)
        statement = statement.where(~holds.c.forgiven).group_by(*key)
        for guild, member, period, spent in self.run(self.database.read(lambda each: each.execute(statement).all())):
            assert spent <= self.largest[guild, member, period]

    def roles_of(self, guild: int, member: int) -> list[int]:
        """Return the present roles of a member."""
        return sorted(self.roles.get((guild, member), ()))

    def balance(self, guild: int, member: int) -> tuple[int | None, int]:
        """Return a member's spendable credits, and the granted ones."""
        account = self.run(
            self.database.read(
                lambda each: self.ledger.available(each, guild, member, self.now, self.roles_of(guild, member))
            )
        )
        return account.available, account.granted

    def used(self, guild: int) -> int:
        """Return the used part of a budget."""
        return self.run(self.database.read(lambda each: BudgetRepository(each, guild).used(f"{self.now:%Y-%m}")))

    def in_force(self, guild: int, member: int) -> int | None:
        """Return the amount of the expected allowance."""
        own = self.entries.get((guild, 0, member))
        of_roles = [each for role in self.roles_of(guild, member) if (each := self.entries.get((guild, role, 0)))]
        everyones = self.entries.get((guild, 0, 0))
        if own is not None:
            return own.amount
        if any(each.amount is None for each in of_roles):
            return None
        if of_roles:
            return max(
                of_roles, key=lambda each: (Fraction(each.amount or 0, DAYS[each.period]), DAYS[each.period])
            ).amount
        return DEFAULT if everyones is None else everyones.amount


def generosity(entry: AllowanceEntry) -> tuple[Fraction, int]:
    """Return the credits a day, and the days of the period."""
    return Fraction(entry.amount or 0, DAYS[entry.period]), DAYS[entry.period]


TestAllowances = AllowanceMachine.TestCase
TestAllowances.__doc__ = "Any order of changes: no limit is exceeded, and the ledger balances."
TestAllowances.settings = settings(max_examples=12, stateful_step_count=50)
