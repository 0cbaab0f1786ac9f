"""Statistics: a server's jobs, credits, success and waiting time by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from bot.domain.money import ModelMoney
from bot.domain.time_zones import zone_of

TOP_MEMBERS: Final = 10
"""Members listed with their own credits; the others are one sum."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days of a time zone.

    `first` and `last` are included. `begin` and `end`, in UTC, are the first moment of `first` and the first one after
    `last`. `offsets` are the zone's differences from UTC in seconds, each with the moment of its start; the first one
    holds from `begin`.
    """

    zone: str
    first: date
    last: date
    begin: datetime
    end: datetime
    offsets: tuple[tuple[datetime, int], ...]

    @classmethod
    def until(cls, now: datetime, days: int, zone: str | None = None) -> Self:
        """Return the last `days` days of a zone, today included.

        They are days of UTC without a zone, or if there is no such zone.
        """
        place = zone_of(zone)
        last = now.astimezone(place).date()
        first = last - (days - 1) * _DAY
        begin, end = _midnight(first, place), _midnight(last + _DAY, place)
        return cls(zone=place.key, first=first, last=last, begin=begin, end=end, offsets=_offsets(begin, end, place))

    @property
    def days(self) -> tuple[date, ...]:
        """Every day, the earliest first."""
        return tuple(self.first + number * _DAY for number in range((self.last - self.first).days + 1))


def _midnight(day: date, place: ZoneInfo) -> datetime:
    """Return the first moment of a day, also if its midnight is skipped."""
    return datetime.combine(day, time(), place).astimezone(UTC)


def _offsets(begin: datetime, end: datetime, place: ZoneInfo) -> tuple[tuple[datetime, int], ...]:
    """Return the differences from UTC, each with its start."""
    found = [(begin, _offset(begin, place))]
    at = begin
    while at < end:
        following = min(at + _DAY, end)
        # Two changes within one day would be missed, but zones change months apart.
        if _offset(following, place) != found[-1][1]:
            found.append((_change(at, following, place), _offset(following, place)))
        at = following
    return tuple(found)


def _change(before: datetime, after: datetime, place: ZoneInfo) -> datetime:
    """Return the first second with the offset of `after`."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset(middle, place) == _offset(after, place):
            after = middle
        else:
            before = middle
    return after


def _offset(moment: datetime, place: ZoneInfo) -> int:
    difference = moment.astimezone(place).utcoffset() or timedelta()
    return round(difference.total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Seconds from the command to the pictures.

    `median` is the time within which half of the successful jobs were done, `late` that of 90 % of them.
    """

    median: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Jobs and their credits.

    `done` jobs made pictures. `failed` ones ended without, but not by a cancel. The others were cancelled or are live.
    `credits` are those captured.
    """

    jobs: int = 0
    done: int = 0
    failed: int = 0
    credits: int = 0

    def __add__(self, other: Self) -> "Counts":
        return Counts(
            jobs=self.jobs + other.jobs,
            done=self.done + other.done,
            failed=self.failed + other.failed,
            credits=self.credits + other.credits,
        )

    @property
    def success_percent(self) -> float | None:
        """Share of the done jobs among done and failed ones; None if none."""
        ended = self.done + self.failed
        return round(100 * self.done / ended, 1) if ended else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day's jobs by model, counted at their command.

    `waiting` is None without a done job.
    """

    day: date
    models: Mapping[str, Counts]
    waiting: Waiting | None = None

    @property
    def total(self) -> Counts:
        """The sum of all models."""
        return sum(self.models.values(), Counts())


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCredits:
    """The jobs of a member and the credits captured for them."""

    member_id: int
    jobs: int
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleCredits:
    """Jobs under a role's allowance and the credits captured for them.

    `role_id` is 0 for the server's or the operator's allowance, None for a member's own.
    """

    role_id: int | None
    jobs: int
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A period's numbers.

    Deleted jobs count. `members` are the top ones by credits; `other_members` counts those after them, with
    `other_jobs` and `other_credits`. `money` is for the operator alone and None unless asked for.
    """

    period: Period
    days: tuple[Day, ...]
    members: tuple[MemberCredits, ...]
    other_members: int
    other_jobs: int
    other_credits: int
    roles: tuple[RoleCredits, ...]
    waiting: Waiting | None
    money: tuple[ModelMoney, ...] | None = None

    @property
    def total(self) -> Counts:
        """The sum of all days."""
        return sum((day.total for day in self.days), Counts())

    @property
    def models(self) -> Mapping[str, Counts]:
        """The sum of each model, the most used first."""
        sums: dict[str, Counts] = {}
        for day in self.days:
            for model, counts in day.models.items():
                sums[model] = sums.get(model, Counts()) + counts
        return dict(sorted(sums.items(), key=lambda each: (-each[1].jobs, each[0])))
