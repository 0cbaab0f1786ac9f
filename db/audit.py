"""Audit of accounts, holds and budgets against the ledger's postings."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, and_, case, func, or_, select, true

from bot.domain.credits import LedgerAccount, MovementKind
from db.audit_jobs import wrong_budgets, wrong_charges, wrong_holds, wrong_members, wrong_risks, wrong_splits
from db.audit_scope import Accounts, sum_of, within
from db.tables import accounts, entitlements, holds, jobs, movements, postings

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
    return [*_audit(connection, None), *wrong_budgets(connection)]


def audit_accounts(connection: Connection, accounts_: Accounts) -> list[str]:
    """Return one line per discrepancy of these accounts and their jobs.

    A row of another account can be a part of one, which `audit` would name better.
    """
    return list(_audit(connection, accounts_))


def _audit(connection: Connection, only: Accounts | None) -> Iterator[str]:
    for check in (
        _unbalanced_movements,
        _misplaced_postings,
        _wrong_accounts,
        missing_accounts,
        _rewound_accounts,
        _overfull_accounts,
        _forgetful_accounts,
        wrong_holds,
        wrong_members,
        _wrong_purchases,
        wrong_splits,
        wrong_charges,
        wrong_risks,
    ):
        yield from check(connection, only)


def _unbalanced_movements(connection: Connection, only: Accounts | None) -> Iterator[str]:
    total = func.sum(postings.c.amount)
    of_accounts = postings.c.movement_id.in_(select(movements.c.id).where(within(only, movements)))
    sums = select(postings.c.movement_id, total.label("total")).where(true() if only is None else of_accounts)
    for row in connection.execute(sums.group_by(postings.c.movement_id).having(total != 0)):
        yield f"movement {row.movement_id} sums to {row.total}, not to zero"
    empty = select(movements.c.id).outerjoin(postings).where(postings.c.movement_id.is_(None), within(only, movements))
    for row in connection.execute(empty):
        yield f"movement {row.id} has no postings"


def _misplaced_postings(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find movements with a posting that their kind does not have."""
    sign = case((postings.c.amount > 0, _INTO), else_=_OUT_OF)
    found = select(movements.c.kind, postings.c.book, sign.label("sign"), func.min(movements.c.id).label("example"))
    found = found.add_columns(func.count().label("number")).join(postings).where(within(only, movements))
    for row in connection.execute(found.group_by(movements.c.kind, postings.c.book, sign)):
        if _ACCOUNTS_OF.get(row.kind, {}).get(row.book) != row.sign:
            direction = "into" if row.sign == _INTO else "out of"
            yield (
                f"{row.number} movements of kind {row.kind} post {direction} {row.book}, "
                f"which that kind does not; one is {row.example}"
            )


def _wrong_accounts(connection: Connection, only: Accounts | None) -> Iterator[str]:
    ledger = (
        select(
            movements.c.guild_id,
            movements.c.member_id,
            sum_of(LedgerAccount.GRANTED).label("granted"),
            sum_of(LedgerAccount.HELD).label("held"),
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
            sum_of(LedgerAccount.ALLOWANCE).label("all_allowances"),
        )
        .join(postings)
        .outerjoin(
            accounts,
            and_(
                accounts.c.guild_id == movements.c.guild_id,
                accounts.c.member_id == movements.c.member_id,
            ),
        )
        .where(within(only, movements))
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
        )
        .outerjoin(
            ledger,
            and_(ledger.c.guild_id == accounts.c.guild_id, ledger.c.member_id == accounts.c.member_id),
        )
        .where(within(only, accounts))
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


def _wrong_purchases(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find credits of purchases granted twice, or not at all."""
    moved = (
        select(movements.c.guild_id, movements.c.member_id, postings.c.amount)
        .join(postings)
        .where(movements.c.kind == MovementKind.PURCHASE, postings.c.book == LedgerAccount.GRANTED)
        .where(within(only, movements))
    )
    bought = select(entitlements.c.guild_id, entitlements.c.member_id, -entitlements.c.granted.label("amount")).where(
        entitlements.c.granted.is_not(None), within(only, entitlements)
    )
    both = moved.union_all(bought).subquery()
    surplus = func.sum(both.c.amount)
    wanted = select(both.c.guild_id, both.c.member_id, surplus.label("surplus"))
    for row in connection.execute(wanted.group_by(both.c.guild_id, both.c.member_id).having(surplus != 0)):
        yield (
            f"account of member {row.member_id} in guild {row.guild_id}: the ledger has {row.surplus:+d} credits of"
            " purchases beyond those that were bought"
        )


def missing_accounts(connection: Connection, only: Accounts | None = None) -> Iterator[str]:
    """Find movements without an account."""
    belongs = and_(accounts.c.guild_id == movements.c.guild_id, accounts.c.member_id == movements.c.member_id)
    rows = connection.execute(
        select(movements.c.guild_id, movements.c.member_id)
        .outerjoin(accounts, belongs)
        .where(accounts.c.member_id.is_(None), within(only, movements))
        .distinct()
    )
    for row in rows:
        yield f"account of member {row.member_id} in guild {row.guild_id} is missing, the ledger has movements"


def _rewound_accounts(connection: Connection, only: Accounts | None) -> Iterator[str]:
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
        .where(period.is_not(None), within(only, movements))
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


def _overfull_accounts(connection: Connection, only: Accounts | None) -> Iterator[str]:
    """Find accounts with more of the allowance left than they may have.

    An unlimited allowance is issued with each hold, so nothing of it is left over.
    """
    unspent = case((accounts.c.issued > accounts.c.spent, accounts.c.issued - accounts.c.spent), else_=0)
    is_wrong = or_(accounts.c.spent < 0, accounts.c.allowance > unspent)
    rows = connection.execute(select(accounts).where(is_wrong, within(only, accounts)))
    for row in rows:
        of_allowance = "unlimited" if row.issued is None else row.issued
        yield (
            f"account of member {row.member_id} in guild {row.guild_id}: {row.allowance} of the allowance is left, "
            f"but {row.spent} of {of_allowance} is spent"
        )


def _forgetful_accounts(connection: Connection, only: Accounts | None) -> Iterator[str]:
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
        .where(within(only, accounts), within(only, holds))
        .group_by(*key)
        .having(used > accounts.c.spent)
    )
    for row in rows:
        yield (
            f"account of member {row.member_id} in guild {row.guild_id}: {row.spent} is spent in {row.period}, "
            f"its jobs used {row.used}"
        )
