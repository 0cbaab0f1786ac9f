"""Audit of accounts, holds and budgets against the ledger's postings."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select

from bot.domain.credits import LedgerAccount, MovementKind, RiskOutcome
from bot.domain.jobs import LIVE
from db.budgets import ALL_GUILDS
from db.tables import accounts, budgets, entitlements, holds, jobs, movements, postings, risks

_INTO: Final = 1
_OUT_OF: Final = -1
# The accounts that a movement of each kind changes, and the sign.
_ACCOUNTS_OF: Final[dict[str, dict[str, int]]] = {
    MovementKind.ALLOWANCE: {LedgerAccount.ALLOWANCE: _INTO, LedgerAccount.ISSUED: _OUT_OF},
    MovementKind.EXPIRE: {LedgerAccount.ALLOWANCE: _OUT_OF, LedgerAccount.EXPIRED: _INTO},
    MovementKind.GRANT: {LedgerAccount.GRANTED: _INTO, LedgerAccount.ISSUED: _OUT_OF},
    MovementKind.TAKE: {LedgerAccount.GRANTED: _OUT_OF, LedgerAccount.ISSUED: _INTO},
    MovementKind.RESET: {LedgerAccount.ALLOWANCE: _INTO, LedgerAccount.ISSUED: _OUT_OF},
    MovementKind.PURCHASE: {LedgerAccount.GRANTED: _INTO, LedgerAccount.ISSUED: _OUT_OF},
    MovementKind.REFUND: {LedgerAccount.GRANTED: _OUT_OF, LedgerAccount.ISSUED: _INTO},
    MovementKind.HOLD: {
        LedgerAccount.ALLOWANCE: _OUT_OF,
        LedgerAccount.GRANTED: _OUT_OF,
        LedgerAccount.HELD: _INTO,
    },
    MovementKind.CAPTURE: {
        LedgerAccount.HELD: _OUT_OF,
        LedgerAccount.EARNED: _INTO,
        LedgerAccount.ALLOWANCE: _INTO,
        LedgerAccount.EXPIRED: _INTO,
        LedgerAccount.GRANTED: _INTO,
    },
    MovementKind.RELEASE: {
        LedgerAccount.HELD: _OUT_OF,
        LedgerAccount.ALLOWANCE: _INTO,
        LedgerAccount.EXPIRED: _INTO,
        LedgerAccount.GRANTED: _INTO,
    },
    MovementKind.UNKNOWN_COST: {LedgerAccount.UNKNOWN: _INTO, LedgerAccount.ISSUED: _OUT_OF},
    MovementKind.RISK_OWED: {LedgerAccount.UNKNOWN: _OUT_OF, LedgerAccount.OWED: _INTO},
    MovementKind.RISK_DROPPED: {LedgerAccount.UNKNOWN: _OUT_OF, LedgerAccount.ISSUED: _INTO},
}


def audit(connection: Connection) -> list[str]:
    """Return one line per discrepancy; empty if the ledger balances."""
    return [
        *_unbalanced_movements(connection),
        *_misplaced_postings(connection),
        *_wrong_accounts(connection),
        *_missing_accounts(connection),
        *_rewound_accounts(connection),
        *_overfull_accounts(connection),
        *_forgetful_accounts(connection),
        *_wrong_holds(connection),
        *_wrong_members(connection),
        *_wrong_purchases(connection),
        *_wrong_splits(connection),
        *_wrong_charges(connection),
        *_wrong_risks(connection),
        *_wrong_budgets(connection),
    ]


def _sum_of(book: LedgerAccount, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    matches = and_(postings.c.book == book, *conditions)
    return func.coalesce(func.sum(case((matches, postings.c.amount), else_=0)), 0)


def _unbalanced_movements(connection: Connection) -> Iterator[str]:
    total = func.sum(postings.c.amount)
    for row in connection.execute(
        select(postings.c.movement_id, total.label("total")).group_by(postings.c.movement_id).having(total != 0)
    ):
        yield f"movement {row.movement_id} sums to {row.total}, not to zero"
    empty = select(movements.c.id).outerjoin(postings).where(postings.c.movement_id.is_(None))
    for row in connection.execute(empty):
        yield f"movement {row.id} has no postings"


def _misplaced_postings(connection: Connection) -> Iterator[str]:
    """Find movements with a posting that their kind does not have."""
    sign = case((postings.c.amount > 0, _INTO), else_=_OUT_OF)
    found = select(movements.c.kind, postings.c.book, sign.label("sign"), func.min(movements.c.id).label("example"))
    found = found.add_columns(func.count().label("number")).join(postings)
    for row in connection.execute(found.group_by(movements.c.kind, postings.c.book, sign)):
        if _ACCOUNTS_OF.get(row.kind, {}).get(row.book) != row.sign:
            direction = "into" if row.sign == _INTO else "out of"
            yield (
                f"{row.number} movements of kind {row.kind} post {direction} {row.book}, "
                f"which that kind does not; one is {row.example}"
            )


def _wrong_accounts(connection: Connection) -> Iterator[str]:
    ledger = (
        select(
            movements.c.guild_id,
            movements.c.member_id,
            _sum_of(LedgerAccount.GRANTED).label("granted"),
            _sum_of(LedgerAccount.HELD).label("held"),
            func.coalesce(
                func.sum(
                    case(
                        (
                            and_(postings.c.book == LedgerAccount.ALLOWANCE, postings.c.period == accounts.c.period),
                            postings.c.amount,
                        ),
                        else_=0,
                    )
                ),
                0,
            ).label("allowance"),
            _sum_of(LedgerAccount.ALLOWANCE).label("all_allowances"),
        )
        .join(postings)
        .outerjoin(
            accounts,
            and_(
                accounts.c.guild_id == movements.c.guild_id,
                accounts.c.member_id == movements.c.member_id,
            ),
        )
        .group_by(movements.c.guild_id, movements.c.member_id)
        .subquery()
    )
    rows = connection.execute(
        select(
            accounts,
            func.coalesce(ledger.c.granted, 0).label("ledger_granted"),
            func.coalesce(ledger.c.held, 0).label("ledger_held"),
            func.coalesce(ledger.c.allowance, 0).label("ledger_allowance"),
            func.coalesce(ledger.c.all_allowances, 0).label("ledger_all_allowances"),
        ).outerjoin(
            ledger,
            and_(ledger.c.guild_id == accounts.c.guild_id, ledger.c.member_id == accounts.c.member_id),
        )
    )
    for row in rows:
        for book, ledger_amount in (
            ("granted", row.ledger_granted),
            ("held", row.ledger_held),
            ("allowance", row.ledger_allowance),
            # A remainder of another period would be neither spendable nor expired.
            ("allowance", row.ledger_all_allowances),
        ):
            amount = row._mapping[book]
            if amount != ledger_amount:
                yield (
                    f"account of member {row.member_id} in guild {row.guild_id}: "
                    f"{book} is {amount}, the ledger says {ledger_amount}"
                )


def _wrong_purchases(connection: Connection) -> Iterator[str]:
    """Find credits of purchases granted twice, or not at all."""
    moved = (
        select(movements.c.guild_id, movements.c.member_id, postings.c.amount)
        .join(postings)
        .where(movements.c.kind == MovementKind.PURCHASE, postings.c.book == LedgerAccount.GRANTED)
    )
    bought = select(entitlements.c.guild_id, entitlements.c.member_id, -entitlements.c.granted.label("amount")).where(
        entitlements.c.granted.is_not(None)
    )
    both = moved.union_all(bought).subquery()
    surplus = func.sum(both.c.amount)
    wanted = select(both.c.guild_id, both.c.member_id, surplus.label("surplus"))
    for row in connection.execute(wanted.group_by(both.c.guild_id, both.c.member_id).having(surplus != 0)):
        yield (
            f"account of member {row.member_id} in guild {row.guild_id}: the ledger has {row.surplus:+d} credits of"
            " purchases beyond those that were bought"
        )


def _missing_accounts(connection: Connection) -> Iterator[str]:
    belongs = and_(accounts.c.guild_id == movements.c.guild_id, accounts.c.member_id == movements.c.member_id)
    rows = connection.execute(
        select(movements.c.guild_id, movements.c.member_id)
        .outerjoin(accounts, belongs)
        .where(accounts.c.member_id.is_(None))
        .distinct()
    )
    for row in rows:
        yield f"account of member {row.member_id} in guild {row.guild_id} is missing, the ledger has movements"


def _rewound_accounts(connection: Connection) -> Iterator[str]:
    """Find accounts with a period older than their last one in the ledger.

    Such an account would be issued an allowance a second time. Each hold and each movement of an allowance names its
    period. Keys of one kind of period have one length; after another kind, a period may go back, because its jobs are
    counted again.
    """
    latest_first = func.row_number().over(
        partition_by=(movements.c.guild_id, movements.c.member_id),
        order_by=(movements.c.at.desc(), movements.c.id.desc()),
    )
    of_allowance = and_(postings.c.movement_id == movements.c.id, postings.c.book == LedgerAccount.ALLOWANCE)
    of_hold = and_(holds.c.job_id == movements.c.job_id, movements.c.kind == MovementKind.HOLD)
    period = func.coalesce(postings.c.period, holds.c.period)
    named = (
        select(movements.c.guild_id, movements.c.member_id, period.label("period"), latest_first.label("place"))
        .outerjoin(postings, of_allowance)
        .outerjoin(holds, of_hold)
        .where(period.is_not(None))
        .subquery()
    )
    belongs = and_(named.c.guild_id == accounts.c.guild_id, named.c.member_id == accounts.c.member_id)
    rows = connection.execute(
        select(accounts.c.guild_id, accounts.c.member_id, accounts.c.period, named.c.period.label("latest"))
        .join(named, belongs)
        .where(
            named.c.place == 1,
            func.length(named.c.period) == func.length(accounts.c.period),
            named.c.period > accounts.c.period,
        )
    )
    for row in rows:
        yield (
            f"account of member {row.member_id} in guild {row.guild_id}: "
            f"period is {row.period!r}, the ledger has an allowance of {row.latest}"
        )


def _overfull_accounts(connection: Connection) -> Iterator[str]:
    """Find accounts with more of the allowance left than they may have.

    An unlimited allowance is issued with each hold, so nothing of it is left over.
    """
    unspent = case((accounts.c.issued > accounts.c.spent, accounts.c.issued - accounts.c.spent), else_=0)
    rows = connection.execute(select(accounts).where(or_(accounts.c.spent < 0, accounts.c.allowance > unspent)))
    for row in rows:
        of_allowance = "unlimited" if row.issued is None else row.issued
        yield (
            f"account of member {row.member_id} in guild {row.guild_id}: {row.allowance} of the allowance is left, "
            f"but {row.spent} of {of_allowance} is spent"
        )


def _forgetful_accounts(connection: Connection) -> Iterator[str]:
    """Find accounts with less spent than the jobs of their period used.

    Such an account would be issued the difference again. More may be spent: after a change of the period, jobs that
    were made in it count as well.
    """
    # Of a settled hold, the allowance is charged first.
    is_whole = or_(jobs.c.charged.is_(None), jobs.c.charged >= holds.c.allowance)
    used = func.sum(case((is_whole, holds.c.allowance), else_=jobs.c.charged))
    belongs = and_(
        holds.c.guild_id == accounts.c.guild_id,
        holds.c.member_id == accounts.c.member_id,
        holds.c.period == accounts.c.period,
        ~holds.c.forgiven,
    )
    key = (accounts.c.guild_id, accounts.c.member_id, accounts.c.period, accounts.c.spent)
    rows = connection.execute(
        select(*key, used.label("used"))
        .join(holds, belongs)
        .join(jobs, jobs.c.id == holds.c.job_id)
        .group_by(*key)
        .having(used > accounts.c.spent)
    )
    for row in rows:
        yield (
            f"account of member {row.member_id} in guild {row.guild_id}: {row.spent} is spent in {row.period}, "
            f"its jobs used {row.used}"
        )


def _wrong_holds(connection: Connection) -> Iterator[str]:
    settled = movements.c.id.is_not(None)
    live = jobs.c.state.in_(LIVE)
    rows = connection.execute(
        select(jobs.c.id, jobs.c.state, holds.c.job_id.label("hold"), movements.c.id.label("settlement"))
        .outerjoin(holds, holds.c.job_id == jobs.c.id)
        .outerjoin(movements, movements.c.settles == jobs.c.id)
        .where(or_(holds.c.job_id.is_(None), and_(live, settled), and_(~live, ~settled)))
    )
    for row in rows:
        problem = "has no hold" if row.hold is None else "is settled" if row.settlement else "is not settled"
        yield f"job {row.id} is {row.state} and its hold {problem}" if row.hold else f"job {row.id} {problem}"


def _wrong_members(connection: Connection) -> Iterator[str]:
    """Find holds and movements of another member than their job's."""
    for table in (holds, movements):
        is_same = and_(table.c.guild_id == jobs.c.guild_id, table.c.member_id == jobs.c.member_id)
        rows = connection.execute(
            select(jobs.c.id, jobs.c.member_id, table.c.member_id.label("other"))
            .join(jobs, jobs.c.id == table.c.job_id)
            .where(~is_same)
        )
        for row in rows:
            yield f"job {row.id} is of member {row.member_id}, its {table.name} of member {row.other}"


def _wrong_splits(connection: Connection) -> Iterator[str]:
    """Find holds unequal to the ledger's postings or to the job's price."""
    taken = (
        select(
            movements.c.job_id,
            (-_sum_of(LedgerAccount.ALLOWANCE)).label("allowance"),
            (-_sum_of(LedgerAccount.GRANTED)).label("granted"),
            func.max(postings.c.period).label("period"),
        )
        .join(postings)
        .where(movements.c.kind == MovementKind.HOLD)
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
            )
        )
    )
    for row in rows:
        yield (
            f"hold of job {row.job_id}: {row.allowance} of the allowance of {row.period} and {row.granted} granted, "
            f"the ledger took {row.taken_allowance} and {row.taken_granted}, the price is {row.price}"
        )


def _wrong_charges(connection: Connection) -> Iterator[str]:
    earned = (
        select(movements.c.settles.label("job_id"), _sum_of(LedgerAccount.EARNED).label("earned"))
        .join(postings)
        .where(movements.c.settles.is_not(None))
        .group_by(movements.c.settles)
        .subquery()
    )
    rows = connection.execute(
        select(jobs.c.id, jobs.c.charged, earned.c.earned)
        .join(earned, earned.c.job_id == jobs.c.id)
        .where(func.coalesce(jobs.c.charged, literal(-1)) != earned.c.earned)
    )
    for row in rows:
        yield f"job {row.id} says charged {row.charged}, the ledger says {row.earned}"


def _wrong_risks(connection: Connection) -> Iterator[str]:
    """Find possible costs unequal to the ledger's postings."""
    booked = (
        select(
            movements.c.job_id,
            _sum_of(LedgerAccount.UNKNOWN).label("at_risk"),
            _sum_of(LedgerAccount.OWED).label("owed"),
        )
        .join(postings)
        .where(movements.c.job_id.is_not(None))
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
            )
        )
    )
    for row in rows:
        if row.stored_misplaced:
            yield f"job {row.id} has a possible cost in another month than its hold"
        has, says = (row.stored_at_risk, row.stored_owed), (row.booked_at_risk, row.booked_owed)
        if has != says:
            yield f"job {row.id} has {has[0]} at risk and {has[1]} owed, the ledger says {says[0]} and {says[1]}"


def _wrong_budgets(connection: Connection) -> Iterator[str]:
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
        for each in _budgets_of(guild, own_key=own_key):
            sums[each, month][0] += int(held)
            sums[each, month][1] += int(captured)
    for guild, own_key, month, owed, at_risk in possible:
        for each in _budgets_of(guild, own_key=own_key):
            sums[each, month][1] += int(owed)
            sums[each, month][2] += int(at_risk)
    columns = budgets.c.guild_id, budgets.c.month, budgets.c.held, budgets.c.captured, budgets.c.at_risk
    recorded = {(guild, month): amounts for guild, month, *amounts in connection.execute(select(*columns))}
    for guild, month in sorted(sums.keys() | recorded.keys()):
        has, says = recorded.get((guild, month), [0, 0, 0]), sums[guild, month]
        if has != says:
            of_guild = "" if guild == ALL_GUILDS else f" of guild {guild}"
            yield f"budget{of_guild} of {month}: held, captured and at risk are {has}, the jobs say {says}"


def _budgets_of(guild: int, *, own_key: bool) -> set[int]:
    """Return the budgets of a guild's jobs, with its own keys or without."""
    return {guild} if own_key else {guild, ALL_GUILDS}
