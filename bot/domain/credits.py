"""Credits: accounts, holds and double-entry postings.

Integers only; nothing is stored here. Every change of an account comes as a `Movement` whose postings sum to zero.
An allowance belongs to a period (a day, a week or a month); granted credits do not expire; spending draws on the
allowance first.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bot.domain.allowances import MAX_CREDITS, kind_of
from bot.domain.errors import InsufficientCreditsError, LedgerError


class LedgerAccount(StrEnum):
    """An account of the ledger.

    The first three belong to the member, the rest to the operator.
    """

    ALLOWANCE = "allowance"
    GRANTED = "granted"
    HELD = "held"
    EARNED = "earned"
    ISSUED = "issued"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    OWED = "owed"


class MovementKind(StrEnum):
    """The reason for a movement of credits."""

    ALLOWANCE = "allowance"
    EXPIRE = "expire"
    GRANT = "grant"
    TAKE = "take"
    RESET = "reset"
    PURCHASE = "purchase"
    REFUND = "refund"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    UNKNOWN_COST = "unknown_cost"
    RISK_OWED = "risk_owed"
    RISK_DROPPED = "risk_dropped"


class RiskOutcome(StrEnum):
    """The provider's later word on a possible cost."""

    OWED = "owed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """`amount` credits into an account, or out of it if negative.

    `period` names the day of an allowance.
    """

    account: LedgerAccount
    amount: int
    period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Postings written together or not at all."""

    kind: MovementKind
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        """Raise `LedgerError` unless the postings balance."""
        if sum(posting.amount for posting in self.postings) != 0:
            raise LedgerError(f"{self.kind} does not sum to zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A member's credits in a guild.

    `allowance` is the rest of that of `period`. `issued` is the whole allowance in force, None if unlimited; `spent` is
    what was used of it in the period, holds included, since an admin's last reset.
    """

    guild_id: int
    member_id: int
    period: str = ""
    allowance: int = 0
    granted: int = 0
    held: int = 0
    spent: int = 0
    issued: int | None = 0

    @property
    def is_unlimited(self) -> bool:
        """Return True if no allowance limits the member."""
        return self.issued is None

    @property
    def available(self) -> int | None:
        """Credits the member can spend now, None if unlimited."""
        return None if self.is_unlimited else self.allowance + self.granted

    def can_pay(self, amount: int) -> bool:
        """Return whether the account covers an amount."""
        return self.available is None or amount <= self.available


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Credits set aside for a job, split by their source.

    `month` is the operator's budget month of the hold. `role_id` is the role that the allowance came from: 0 if from
    the server or the operator, None if it was the member's own. A `forgiven` one no longer counts as spent: a reset
    gave its allowance back.
    """

    job_id: str
    allowance: int
    granted: int
    period: str
    month: str
    role_id: int | None = 0
    forgiven: bool = False

    @property
    def amount(self) -> int:
        """All held credits."""
        return self.allowance + self.granted


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleCost:
    """A possible debt of the operator for an attempt, in credits.

    The amount is the catalogue's price. `attempt` is its number; `cause` says why no member pays.
    """

    attempt: int
    amount: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The operator's budget of a month, in credits.

    `at_risk` is what jobs that no member pays for may have cost.
    """

    month: str
    limit: int
    held: int = 0
    captured: int = 0
    at_risk: int = 0

    @property
    def used(self) -> int:
        """Credits owed by the operator, now or perhaps later."""
        return self.held + self.captured + self.at_risk

    @property
    def left(self) -> int:
        """Credits left for holds."""
        return max(0, self.limit - self.used)

    def is_spent(self, cheapest: int) -> bool:
        """Return True if it does not cover the `cheapest` picture."""
        return self.left < max(1, cheapest)


def period_of(now: datetime) -> str:
    """Return the allowance period at `now`: the UTC day, as YYYY-MM-DD."""
    return now.astimezone(UTC).date().isoformat()


def period_end(now: datetime) -> datetime:
    """Return the end of the allowance period of `now`.

    The next allowance is issued then.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)


def month_of(now: datetime) -> str:
    """Return the budget month at `now`, as YYYY-MM."""
    return period_of(now)[:7]


def month_end(now: datetime) -> datetime:
    """Return the end of the budget month of `now`."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def open_period(
    account: Account, period: str, allowance: int | None, *, spent: int = 0
) -> tuple[Account, tuple[Movement, ...]]:
    """Return the account with `allowance` in `period`, and the movements.

    In a new period, the rest of the old allowance expires and the new one is issued, less the `spent` credits that
    already count in it. In the same period, a changed allowance issues or expires the difference: what was spent stays
    spent. A period never goes backwards, so a clock set back cannot issue an allowance twice. An unlimited allowance is
    issued with each hold.
    """
    if kind_of(period) is kind_of(account.period) and period < account.period:
        period = account.period
    movements: list[Movement] = []
    if period != account.period:
        movements += _adjusted(account.period, -account.allowance)
        account = replace(account, period=period, allowance=0, spent=spent)
    rest = 0 if allowance is None else max(0, allowance - account.spent)
    movements += _adjusted(period, rest - account.allowance)
    return replace(account, allowance=rest, issued=allowance), tuple(movements)


def _adjusted(period: str, amount: int) -> tuple[Movement, ...]:
    """Return the movement to issue or expire allowance credits."""
    if not amount:
        return ()
    postings = (
        Posting(account=LedgerAccount.ALLOWANCE, amount=amount, period=period),
        Posting(account=LedgerAccount.ISSUED if amount > 0 else LedgerAccount.EXPIRED, amount=-amount),
    )
    return (Movement(kind=MovementKind.ALLOWANCE if amount > 0 else MovementKind.EXPIRE, postings=postings),)


def issue_on_demand(account: Account, amount: int) -> tuple[Account, tuple[Movement, ...]]:
    """Issue a hold's credits to an account with an unlimited allowance."""
    if not account.is_unlimited:
        return account, ()
    return replace(account, allowance=amount), _adjusted(account.period, amount)


def decide_grant(account: Account, amount: int, kind: MovementKind = MovementKind.GRANT) -> tuple[Account, Movement]:
    """Return the account with `amount` more granted credits (at least 1).

    Raises:
        LedgerError: the amount is below 1, or the account would exceed `MAX_CREDITS`.
    """
    if amount < 1 or account.granted + amount > MAX_CREDITS:
        raise LedgerError(f"a grant of {amount}")
    movement = Movement(
        kind=kind,
        postings=(
            Posting(account=LedgerAccount.GRANTED, amount=amount),
            Posting(account=LedgerAccount.ISSUED, amount=-amount),
        ),
    )
    return replace(account, granted=account.granted + amount), movement


def decide_take(account: Account, amount: int, kind: MovementKind = MovementKind.TAKE) -> tuple[Account, Movement]:
    """Return the account with `amount` fewer granted credits (at least 1).

    Raises:
        LedgerError: the amount is below 1, or the account has fewer.
    """
    if not 1 <= amount <= account.granted:
        raise LedgerError(f"a take of {amount} from {account.granted}")
    movement = Movement(
        kind=kind,
        postings=(
            Posting(account=LedgerAccount.GRANTED, amount=-amount),
            Posting(account=LedgerAccount.ISSUED, amount=amount),
        ),
    )
    return replace(account, granted=account.granted - amount), movement


def decide_reset(account: Account) -> tuple[Account, tuple[Movement, ...]]:
    """Return the account with its whole allowance again, and the movement.

    The holds that counted until then are forgiven: their release gives nothing back a second time. An unlimited
    allowance needs no movement.
    """
    missing = 0 if account.issued is None else account.issued - account.allowance
    changed = replace(account, allowance=account.allowance + missing, spent=0)
    if not missing:
        return changed, ()
    postings = (
        Posting(account=LedgerAccount.ALLOWANCE, amount=missing, period=account.period),
        Posting(account=LedgerAccount.ISSUED, amount=-missing),
    )
    return changed, (Movement(kind=MovementKind.RESET, postings=postings),)


def decide_hold(
    account: Account, job_id: str, amount: int, now: datetime, *, role_id: int | None = 0
) -> tuple[Account, Hold, Movement]:
    """Set `amount` aside, from the allowance first.

    Raises:
        InsufficientCreditsError: fewer credits are available.
        LedgerError: the amount is below 1.
    """
    if amount < 1:
        raise LedgerError(f"a hold of {amount}")
    rest = account.allowance + account.granted
    if amount > rest:
        raise InsufficientCreditsError(needed=amount, available=rest, renews_at=period_end(now))
    allowance = min(amount, account.allowance)
    hold = Hold(
        job_id=job_id,
        allowance=allowance,
        granted=amount - allowance,
        period=account.period,
        month=month_of(now),
        role_id=role_id,
    )
    changed = replace(
        account,
        allowance=account.allowance - hold.allowance,
        granted=account.granted - hold.granted,
        held=account.held + amount,
        spent=account.spent + hold.allowance,
    )
    postings = (
        Posting(account=LedgerAccount.ALLOWANCE, amount=-hold.allowance, period=hold.period),
        Posting(account=LedgerAccount.GRANTED, amount=-hold.granted),
        Posting(account=LedgerAccount.HELD, amount=amount),
    )
    return changed, hold, Movement(kind=MovementKind.HOLD, postings=_without_zeros(postings))


def decide_settlement(
    account: Account, hold: Hold, charge: int, *, used: int | None = None
) -> tuple[Account, Movement]:
    """End a hold: charge a part of it and return the rest to its source.

    The charge (0 to all) draws on the allowance first. Returned allowance credits are spendable as far as the allowance
    in force has room for them. The others go to `expired`: their period has ended, the allowance was lowered, or a
    reset gave them back already. `used` is needed after a change of period: the part of the allowance that the jobs of
    the account's period have used, this one included. `spent` does not fall below it.

    Raises:
        LedgerError: the charge is below 0 or above the hold.
    """
    if not 0 <= charge <= hold.amount:
        raise LedgerError(f"a charge of {charge} against a hold of {hold.amount}")
    charged_allowance = min(charge, hold.allowance)
    back_allowance = hold.allowance - charged_allowance
    back_granted = hold.granted - (charge - charged_allowance)
    spent = account.spent
    if not hold.forgiven:
        least = 0 if hold.period == account.period else spent if used is None else used
        spent = min(spent, max(spent - back_allowance, least))
    room = 0 if account.issued is None else max(0, account.issued - spent)
    spendable = min(back_allowance, max(0, room - account.allowance))
    changed = replace(
        account,
        allowance=account.allowance + spendable,
        granted=account.granted + back_granted,
        held=account.held - hold.amount,
        spent=spent,
    )
    returned = (
        Posting(account=LedgerAccount.HELD, amount=-hold.amount),
        Posting(account=LedgerAccount.EARNED, amount=charge),
        Posting(account=LedgerAccount.ALLOWANCE, amount=spendable, period=account.period),
        Posting(account=LedgerAccount.EXPIRED, amount=back_allowance - spendable),
        Posting(account=LedgerAccount.GRANTED, amount=back_granted),
    )
    kind = MovementKind.CAPTURE if charge else MovementKind.RELEASE
    return changed, Movement(kind=kind, postings=_without_zeros(returned))


def unknown_cost(amount: int) -> Movement:
    """Return the movement for an unpaid attempt.

    `amount` are the credits that the operator may owe the provider.
    """
    return Movement(
        kind=MovementKind.UNKNOWN_COST,
        postings=(
            Posting(account=LedgerAccount.UNKNOWN, amount=amount),
            Posting(account=LedgerAccount.ISSUED, amount=-amount),
        ),
    )


def decided_cost(amount: int, outcome: RiskOutcome) -> Movement:
    """Return the movement for a decided possible cost."""
    owed = outcome is RiskOutcome.OWED
    return Movement(
        kind=MovementKind.RISK_OWED if owed else MovementKind.RISK_DROPPED,
        postings=(
            Posting(account=LedgerAccount.UNKNOWN, amount=-amount),
            Posting(account=LedgerAccount.OWED if owed else LedgerAccount.ISSUED, amount=amount),
        ),
    )


def _without_zeros(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    return tuple(posting for posting in postings if posting.amount)
