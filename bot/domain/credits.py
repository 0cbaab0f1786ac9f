"""Credits: accounts, holds and the double-entry postings that move them. Integers only, nothing is stored here.

Every change of an account comes as a `Movement` whose postings sum to zero. An allowance belongs to a period (a
day); granted credits do not expire; spending draws on the allowance first.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bot.domain.errors import InsufficientCreditsError, LedgerError


class LedgerAccount(StrEnum):
    """Where credits are. The first three belong to the member, the rest to the operator."""

    ALLOWANCE = "allowance"
    GRANTED = "granted"
    HELD = "held"
    EARNED = "earned"
    ISSUED = "issued"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class MovementKind(StrEnum):
    """Why credits moved."""

    ALLOWANCE = "allowance"
    EXPIRE = "expire"
    GRANT = "grant"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    UNKNOWN_COST = "unknown_cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """`amount` credits into (or, negative, out of) a book; `period` names the day of an allowance."""

    account: LedgerAccount
    amount: int
    period: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Postings that happen together or not at all."""

    kind: MovementKind
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        """Refuse postings that do not balance."""
        if sum(posting.amount for posting in self.postings) != 0:
            raise LedgerError(f"{self.kind} does not sum to zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A member's credits in a community. `allowance` is what is left of `period`'s."""

    guild_id: int
    member_id: int
    period: str = ""
    allowance: int = 0
    granted: int = 0
    held: int = 0

    @property
    def available(self) -> int:
        """What the member can spend now."""
        return self.allowance + self.granted


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Credits set aside for a job, with the split that says where each part came from.

    `month` is the operator's budget month that the hold counts against.
    """

    job_id: str
    allowance: int
    granted: int
    period: str
    month: str

    @property
    def amount(self) -> int:
        """All that is held."""
        return self.allowance + self.granted


def period_of(now: datetime) -> str:
    """Return the name of the allowance period at `now`: the UTC day, as YYYY-MM-DD."""
    return now.astimezone(UTC).date().isoformat()


def period_end(now: datetime) -> datetime:
    """Return when the allowance period of `now` ends and the next allowance is there."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=1)


def month_of(now: datetime) -> str:
    """Return the name of the budget month at `now`, as YYYY-MM."""
    return period_of(now)[:7]


def month_end(now: datetime) -> datetime:
    """Return when the budget month of `now` ends."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def opened_period(account: Account, period: str, allowance: int) -> tuple[Account, tuple[Movement, ...]]:
    """Return the account in `period`, with what is left of the old allowance expired and the new one issued.

    A period never goes backwards, so that a clock set back cannot issue an allowance twice.
    """
    if period <= account.period:
        return account, ()
    movements: list[Movement] = []
    if account.allowance:
        movements.append(
            Movement(
                kind=MovementKind.EXPIRE,
                postings=(
                    Posting(account=LedgerAccount.ALLOWANCE, amount=-account.allowance, period=account.period),
                    Posting(account=LedgerAccount.EXPIRED, amount=account.allowance),
                ),
            )
        )
    if allowance:
        movements.append(
            Movement(
                kind=MovementKind.ALLOWANCE,
                postings=(
                    Posting(account=LedgerAccount.ALLOWANCE, amount=allowance, period=period),
                    Posting(account=LedgerAccount.ISSUED, amount=-allowance),
                ),
            )
        )
    return replace(account, period=period, allowance=allowance), tuple(movements)


def decide_grant(account: Account, amount: int) -> tuple[Account, Movement]:
    """Return the account with `amount` more granted credits (at least 1)."""
    if amount < 1:
        raise LedgerError(f"a grant of {amount}")
    movement = Movement(
        kind=MovementKind.GRANT,
        postings=(
            Posting(account=LedgerAccount.GRANTED, amount=amount),
            Posting(account=LedgerAccount.ISSUED, amount=-amount),
        ),
    )
    return replace(account, granted=account.granted + amount), movement


def decide_hold(account: Account, job_id: str, amount: int, now: datetime) -> tuple[Account, Hold, Movement]:
    """Set `amount` aside, from the allowance first; raise `InsufficientCreditsError` when there is less."""
    if amount < 1:
        raise LedgerError(f"a hold of {amount}")
    if amount > account.available:
        raise InsufficientCreditsError(needed=amount, available=account.available, renews_at=period_end(now))
    allowance = min(amount, account.allowance)
    hold = Hold(
        job_id=job_id,
        allowance=allowance,
        granted=amount - allowance,
        period=account.period,
        month=month_of(now),
    )
    changed = replace(
        account,
        allowance=account.allowance - hold.allowance,
        granted=account.granted - hold.granted,
        held=account.held + amount,
    )
    postings = (
        Posting(account=LedgerAccount.ALLOWANCE, amount=-hold.allowance, period=hold.period),
        Posting(account=LedgerAccount.GRANTED, amount=-hold.granted),
        Posting(account=LedgerAccount.HELD, amount=amount),
    )
    return changed, hold, Movement(kind=MovementKind.HOLD, postings=_without_zeros(postings))


def decide_settlement(account: Account, hold: Hold, charge: int) -> tuple[Account, Movement]:
    """End a hold: charge part of it (0 to all), from the allowance first, and return each other part to its source.

    What came from an allowance whose period has ended goes to `expired`, because that day's credits are gone.
    """
    if not 0 <= charge <= hold.amount:
        raise LedgerError(f"a charge of {charge} against a hold of {hold.amount}")
    charged_allowance = min(charge, hold.allowance)
    back_allowance = hold.allowance - charged_allowance
    back_granted = hold.granted - (charge - charged_allowance)
    same_period = hold.period == account.period
    changed = replace(
        account,
        allowance=account.allowance + (back_allowance if same_period else 0),
        granted=account.granted + back_granted,
        held=account.held - hold.amount,
    )
    returned = (
        Posting(account=LedgerAccount.ALLOWANCE, amount=back_allowance, period=hold.period)
        if same_period
        else Posting(account=LedgerAccount.EXPIRED, amount=back_allowance)
    )
    postings = (
        Posting(account=LedgerAccount.HELD, amount=-hold.amount),
        Posting(account=LedgerAccount.EARNED, amount=charge),
        returned,
        Posting(account=LedgerAccount.GRANTED, amount=back_granted),
    )
    kind = MovementKind.CAPTURE if charge else MovementKind.RELEASE
    return changed, Movement(kind=kind, postings=_without_zeros(postings))


def unknown_cost(amount: int) -> Movement:
    """Book `amount` credits that the operator may owe a provider for a submit whose reply was lost."""
    return Movement(
        kind=MovementKind.UNKNOWN_COST,
        postings=(
            Posting(account=LedgerAccount.UNKNOWN, amount=amount),
            Posting(account=LedgerAccount.ISSUED, amount=-amount),
        ),
    )


def _without_zeros(postings: tuple[Posting, ...]) -> tuple[Posting, ...]:
    return tuple(posting for posting in postings if posting.amount)
