"""Audit of jobs: their holds, charges, possible costs and budgets."""

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import Connection, and_, case, func, literal, or_, select

from bot.domain.credits import LedgerAccount, MovementKind, RiskOutcome
from bot.domain.jobs import LIVE
from db.audit_scope import Accounts, sum_of, within
from db.budgets import ALL_GUILDS
from db.tables import budgets, holds, jobs, movements, postings, risks


def wrong_holds(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find live jobs with a settled hold, and ended ones without."""
    settled = movements.c.id.is_not(None)
    live = jobs.c.state.in_(LIVE)
    rows = connection.execute(
        select(jobs.c.id, jobs.c.state, holds.c.job_id.label("hold"), movements.c.id.label("settlement"))
        .outerjoin(holds, holds.c.job_id == jobs.c.id)
        .outerjoin(movements, movements.c.settles == jobs.c.id)
        .where(or_(holds.c.job_id.is_(None), and_(live, settled), and_(~live, ~settled)), within(only, jobs))
    )
    for row in rows:
        problem = "has no hold" if row.hold is None else "is settled" if row.settlement else "is not settled"
        yield f"job {row.id} is {row.state} and its hold {problem}" if row.hold else f"job {row.id} {problem}"


def wrong_members(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find holds and movements of another member than their job's."""
    # A job's hold is found by its key. Its movements are found by their accounts alone.
    for table, searched in ((holds, jobs), (movements, movements)):
        is_same = and_(table.c.guild_id == jobs.c.guild_id, table.c.member_id == jobs.c.member_id)
        rows = connection.execute(
            select(jobs.c.id, jobs.c.member_id, table.c.member_id.label("other"))
            .join(jobs, jobs.c.id == table.c.job_id)
            .where(~is_same, within(only, searched))
        )
        for row in rows:
            yield f"job {row.id} is of member {row.member_id}, its {table.name} of member {row.other}"


def wrong_splits(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find holds unequal to the ledger's postings or to the job's price."""
    taken = (
        select(
            movements.c.job_id,
            (-sum_of(LedgerAccount.ALLOWANCE)).label("allowance"),
            (-sum_of(LedgerAccount.GRANTED)).label("granted"),
            func.max(postings.c.period).label("period"),
        )
        .join(postings)
        .where(movements.c.kind == MovementKind.HOLD, within(only, movements))
        .group_by(movements.c.job_id)
        .subquery()
    )
    rows = connection.execute(
        select(holds, jobs.c.price, *(taken.c[name].label(f"taken_{name}") for name in ("allowance", "granted")))
        .join(jobs, jobs.c.id == holds.c.job_id)
        .outerjoin(taken, taken.c.job_id == holds.c.job_id)
        .where(
            or_(
                func.coalesce(taken.c.allowance, -1) != holds.c.allowance,
                func.coalesce(taken.c.granted, -1) != holds.c.granted,
                # A hold of granted credits alone names a period too, but nothing was posted for it.
                and_(holds.c.allowance > 0, taken.c.period != holds.c.period),
                holds.c.allowance + holds.c.granted != jobs.c.price,
            ),
            within(only, holds),
        )
    )
    for row in rows:
        yield (
            f"hold of job {row.job_id}: {row.allowance} of the allowance of {row.period} and {row.granted} granted, "
            f"the ledger took {row.taken_allowance} and {row.taken_granted}, the price is {row.price}"
        )


def wrong_charges(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find charges unequal to the earned credits."""
    earned = (
        select(movements.c.settles.label("job_id"), sum_of(LedgerAccount.EARNED).label("earned"))
        .join(postings)
        .where(movements.c.settles.is_not(None), within(only, movements))
        .group_by(movements.c.settles)
        .subquery()
    )
    rows = connection.execute(
        select(jobs.c.id, jobs.c.charged, earned.c.earned)
        .outerjoin(earned, earned.c.job_id == jobs.c.id)
        .where(func.coalesce(jobs.c.charged, literal(-1)) != func.coalesce(earned.c.earned, literal(-1)))
        .where(within(only, jobs))
    )
    for row in rows:
        yield f"job {row.id} says charged {row.charged}, the ledger says {row.earned}"


def wrong_risks(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find possible costs unequal to the ledger's postings."""
    booked = (
        select(
            movements.c.job_id,
            sum_of(LedgerAccount.UNKNOWN).label("at_risk"),
            sum_of(LedgerAccount.OWED).label("owed"),
        )
        .join(postings)
        .where(movements.c.job_id.is_not(None), within(only, movements))
        .group_by(movements.c.job_id)
        .subquery()
    )
    stored = (
        select(
            risks.c.job_id,
            func.sum(case((risks.c.outcome.is_(None), risks.c.amount), else_=0)).label("at_risk"),
            func.sum(case((risks.c.outcome == RiskOutcome.OWED, risks.c.amount), else_=0)).label("owed"),
            func.sum(case((risks.c.month != holds.c.month, 1), else_=0)).label("misplaced"),
        )
        .join(holds, holds.c.job_id == risks.c.job_id)
        .where(within(only, holds))
        .group_by(risks.c.job_id)
        .subquery()
    )
    of_risks = [func.coalesce(stored.c[name], 0).label(f"stored_{name}") for name in ("at_risk", "owed", "misplaced")]
    of_ledger = [func.coalesce(booked.c[name], 0).label(f"booked_{name}") for name in ("at_risk", "owed")]
    rows = connection.execute(
        select(jobs.c.id, *of_risks, *of_ledger)
        .outerjoin(stored, stored.c.job_id == jobs.c.id)
        .outerjoin(booked, booked.c.job_id == jobs.c.id)
        .where(
            or_(
                of_risks[0] != of_ledger[0],
                of_risks[1] != of_ledger[1],
                of_risks[2] > 0,
            ),
            within(only, jobs),
        )
    )
    for row in rows:
        if row.stored_misplaced:
            yield f"job {row.id} has a possible cost in another month than its hold"
        has, says = (row.stored_at_risk, row.stored_owed), (row.booked_at_risk, row.booked_owed)
        if has != says:
            yield f"job {row.id} has {has[0]} at risk and {has[1]} owed, the ledger says {says[0]} and {says[1]}"


def wrong_budgets(connection: Connection) -> Iterator[str]:
    """Find budgets unequal to the sums of their jobs."""
    sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    spent = connection.execute(
        select(
            holds.c.guild_id,
            jobs.c.own_key,
            holds.c.month,
            func.sum(case((jobs.c.state.in_(LIVE), holds.c.allowance + holds.c.granted), else_=0)),
            func.sum(func.coalesce(jobs.c.charged, 0)),
        )
        .join(jobs, jobs.c.id == holds.c.job_id)
        .group_by(holds.c.guild_id, jobs.c.own_key, holds.c.month)
    )
    possible = connection.execute(
        select(
            holds.c.guild_id,
            jobs.c.own_key,
            risks.c.month,
            func.sum(case((risks.c.outcome == RiskOutcome.OWED, risks.c.amount), else_=0)),
            func.sum(case((risks.c.outcome.is_(None), risks.c.amount), else_=0)),
        )
        .join(holds, holds.c.job_id == risks.c.job_id)
        .join(jobs, jobs.c.id == risks.c.job_id)
        .group_by(holds.c.guild_id, jobs.c.own_key, risks.c.month)
    )
    for guild, own_key, month, held, captured in spent:
        for each in budgets_of(guild, own_key=own_key):
            sums[each, month][0] += int(held)
            sums[each, month][1] += int(captured)
    for guild, own_key, month, owed, at_risk in possible:
        for each in budgets_of(guild, own_key=own_key):
            sums[each, month][1] += int(owed)
            sums[each, month][2] += int(at_risk)
    columns = budgets.c.guild_id, budgets.c.month, budgets.c.held, budgets.c.captured, budgets.c.at_risk
    recorded = {(guild, month): amounts for guild, month, *amounts in connection.execute(select(*columns))}
    for guild, month in sorted(sums.keys() | recorded.keys()):
        has, says = recorded.get((guild, month), [0, 0, 0]), sums[guild, month]
        if has != says:
            of_guild = "" if guild == ALL_GUILDS else f" of guild {guild}"
            yield f"budget{of_guild} of {month}: held, captured and at risk are {has}, the jobs say {says}"


def budgets_of(guild: int, *, own_key: bool) -> set[int]:
    """Return the budgets of a guild's jobs, with its own keys or without."""
    return {guild} if own_key else {guild, ALL_GUILDS}
