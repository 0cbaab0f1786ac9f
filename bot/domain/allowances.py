"""Allowances of members, and their periods.

A server has entries for itself, for roles and for single members. Each is a number of credits in a day, a week or a
month, or unlimited. Periods begin at midnight in the server's time zone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from fractions import Fraction
from typing import Final

MAX_CREDITS: Final = 1_000_000_000
"""The most credits of an allowance, a grant, a budget or an account."""


class PeriodKind(StrEnum):
    """The length of an allowance's period."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


DAYS_BY_PERIOD: Final = {PeriodKind.DAY: 1, PeriodKind.WEEK: 7, PeriodKind.MONTH: 30}
"""The days of a period when different ones are compared: a month counts as 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A period of an allowance.

    `key` names it in the ledger: `2026-11-30` (day), `2026-W49` (ISO week) or `2026-11` (month). `begin` and `end` are
    in UTC.
    """

    kind: PeriodKind
    key: str
    begin: datetime
    end: datetime


def period_at(now: datetime, kind: PeriodKind = PeriodKind.DAY, zone: tzinfo = UTC) -> Period:
    """Return the period of a kind at `now` in a time zone."""
    today = now.astimezone(zone).date()
    match kind:
        case PeriodKind.DAY:
            first, last, key = today, today + timedelta(days=1), today.isoformat()
        case PeriodKind.WEEK:
            year, week, weekday = today.isocalendar()
            first = today - timedelta(days=weekday - 1)
            last, key = first + timedelta(days=7), f"{year}-W{week:02}"
        case PeriodKind.MONTH:
            first = today.replace(day=1)
            last, key = (first + timedelta(days=32)).replace(day=1), f"{today:%Y-%m}"
    return Period(kind=kind, key=key, begin=_midnight(first, zone), end=_midnight(last, zone))


def begin_of(key: str, zone: tzinfo = UTC) -> datetime:
    """Return the begin of a period in UTC; the earliest time for ""."""
    if not key:
        return datetime.min.replace(tzinfo=UTC)
    match kind_of(key):
        case PeriodKind.WEEK:
            first = date.fromisoformat(f"{key}-1")
        case PeriodKind.MONTH:
            first = date.fromisoformat(f"{key}-01")
        case PeriodKind.DAY:
            first = date.fromisoformat(key)
    return _midnight(first, zone)


def period_named(key: str, zone: tzinfo = UTC) -> Period:
    """Return the period of a key in a time zone."""
    return period_at(begin_of(key, zone), kind_of(key), zone)


def kind_of(key: str) -> PeriodKind:
    """Return the kind of a period from its key."""
    if "W" in key:
        return PeriodKind.WEEK
    return PeriodKind.MONTH if len(key) == len("2026-11") else PeriodKind.DAY


def _midnight(day: date, zone: tzinfo) -> datetime:
    """Return the begin of a day, in UTC.

    Where summer time leaves out midnight, the day begins at the first time that exists.
    """
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


class AllowanceSource(StrEnum):
    """The origin of a member's allowance, weakest first."""

    OPERATOR = "operator"
    """The operator's `DEFAULT_ALLOWANCE`: the server has set nothing."""
    SERVER = "server"
    """The server's entry for everyone."""
    ROLE = "role"
    """The most generous entry for one of the member's roles."""
    MEMBER = "member"
    """The entry for this member alone."""
    LAST = "last"
    """The one last in force: the member's roles are not known now."""
    PREMIUM = "premium"
    """A purchase at Discord, more generous than the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceEntry:
    """A stored allowance of a server.

    It is for a role, for a member, or with neither for everyone. `amount` is in credits a period: None is unlimited,
    0 gives nothing.
    """

    amount: int | None
    period: PeriodKind = PeriodKind.DAY
    role_id: int = 0
    member_id: int = 0

    @property
    def source(self) -> AllowanceSource:
        """The kind of entry."""
        if self.member_id:
            return AllowanceSource.MEMBER
        return AllowanceSource.ROLE if self.role_id else AllowanceSource.SERVER

    @property
    def generosity(self) -> tuple[bool, Fraction, int]:
        """A sort key; see `generosity_of`."""
        return generosity_of(self.amount, self.period)


def generosity_of(amount: int | None, period: PeriodKind) -> tuple[bool, Fraction, int]:
    """Return a sort key: unlimited, credits a day, then the longer period."""
    days = DAYS_BY_PERIOD[period]
    return amount is None, Fraction(amount or 0, days), days


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceChange:
    """An entry to be stored, or to be removed."""

    entry: AllowanceEntry
    removes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasedAllowance:
    """The allowance of an active purchase.

    It ends at `until`, if that is set. One `of_guild` is for each of its members. A member's own was last used in
    `guild_id`, for the period `period_used`: "" if never.
    """

    entitlement_id: int
    amount: int | None
    period: PeriodKind
    until: datetime | None = None
    of_guild: bool = False
    guild_id: int = 0
    period_used: str = ""

    @property
    def is_unused(self) -> bool:
        """True for a member's own purchase before its first use."""
        return not self.of_guild and not self.period_used


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The applicable allowance of a member, and its source.

    `amount` is in credits a period; None is unlimited. `role_id` is set if it comes from a role, `purchase` if it was
    bought.
    """

    amount: int | None
    period: PeriodKind = PeriodKind.DAY
    source: AllowanceSource = AllowanceSource.OPERATOR
    role_id: int = 0
    purchase: PurchasedAllowance | None = None


def candidates_of(
    entries: Iterable[AllowanceEntry], member_id: int, roles: Iterable[int]
) -> tuple[AllowanceEntry, ...]:
    """Return the entries for a member, their roles and everyone."""
    held = frozenset(roles)
    return tuple(
        entry
        for entry in entries
        if (entry.member_id == member_id if entry.member_id else entry.role_id in held or not entry.role_id)
    )


def applicable(entries: Iterable[AllowanceEntry], member_id: int, roles: Iterable[int], default: int) -> Allowance:
    """Return a member's allowance.

    An entry for the member beats all. Else the most generous entry of their roles counts; entries never add up. Else
    the server's entry counts, and without it the operator's `default` a day.
    """
    candidates = candidates_of(entries, member_id, roles)
    for source in (AllowanceSource.MEMBER, AllowanceSource.ROLE, AllowanceSource.SERVER):
        found = [entry for entry in candidates if entry.source is source]
        if found:
            best = max(found, key=lambda entry: (entry.generosity, entry.role_id))
            return Allowance(amount=best.amount, period=best.period, source=source, role_id=best.role_id)
    return Allowance(amount=default)
