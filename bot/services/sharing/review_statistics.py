"""Figures of a server's review, by week and by moderator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from statistics import median
from typing import Final

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.errors import NotAllowedError
from bot.domain.lazy_text import LazyText
from bot.engine.clock import Clock
from bot.services.jobs import Actor
from db.audit_log import AuditLogRepository
from db.database import Database
from db.guilds import GuildRepository

WEEKS: Final = 8

_SUBMITTED: Final = ("share.submit", "share.resubmit")
_APPROVED: Final = "share.approve"
_REFUSED: Final = "share.refuse"
_DECIDED: Final = (_APPROVED, _REFUSED, "share.ask")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFigures:
    """Figures of a week, or of a moderator.

    `median_seconds` is the median time to a decision, None without one.
    """

    submitted: int = 0
    approved: int = 0
    refused: int = 0
    asked: int = 0
    median_seconds: float | None = None

    @property
    def decided(self) -> int:
        """The decisions."""
        return self.approved + self.refused + self.asked

    @property
    def approval_rate(self) -> float | None:
        """The share of approvals, None without an approval or a refusal."""
        final = self.approved + self.refused
        return self.approved / final if final else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewStatistics:
    """Figures by the begin of the week, latest first, and by moderator."""

    weeks: tuple[tuple[datetime, ReviewFigures], ...]
    moderators: tuple[tuple[int, ReviewFigures], ...]


class ReviewStatisticsService:
    """Reads figures from the audit log."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, actor: Actor) -> ReviewStatistics:
        """Return the figures of the actor's server since some weeks.

        Weeks begin on Monday in the server's time zone. What the server's rule approved is no decision.

        Raises:
            NotAllowedError: the actor does not moderate the server.
        """
        if not actor.moderator:
            raise NotAllowedError(LazyText("a moderator"))
        now = self._clock.now()

        def read(connection: Connection) -> tuple[tzinfo, tuple[AuditEntry, ...]]:
            zone = GuildRepository(connection).settings(actor.guild_id).zone
            since = week_of(now, zone) - timedelta(weeks=WEEKS - 1)
            actions = (*_SUBMITTED, *_DECIDED)
            return zone, AuditLogRepository(connection).list_of_actions(actor.guild_id, actions=actions, since=since)

        zone, entries = await self._database.read(read)
        by_week: dict[datetime, list[AuditEntry]] = {}
        by_moderator: dict[int, list[AuditEntry]] = {}
        for entry in entries:
            by_week.setdefault(week_of(entry.at, zone), []).append(entry)
            if _is_decision(entry):
                by_moderator.setdefault(entry.actor_id, []).append(entry)
        people = [(member_id, _figures(found)) for member_id, found in by_moderator.items()]
        return ReviewStatistics(
            weeks=tuple((week, _figures(by_week[week])) for week in sorted(by_week, reverse=True)),
            moderators=tuple(sorted(people, key=lambda each: (-each[1].decided, each[0]))),
        )


def week_of(at: datetime, zone: tzinfo) -> datetime:
    """Return the begin of a time's week in a time zone."""
    local = at.astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    return datetime(monday.year, monday.month, monday.day, tzinfo=zone)


def _is_decision(entry: AuditEntry) -> bool:
    """Return whether a moderator decided a waiting submission."""
    return entry.action in _DECIDED and "waited" in entry.detail


def _figures(entries: Sequence[AuditEntry]) -> ReviewFigures:
    decided = [entry for entry in entries if _is_decision(entry)]
    waited = [int(entry.detail["waited"]) for entry in decided]
    approved = sum(entry.action == _APPROVED for entry in decided)
    refused = sum(entry.action == _REFUSED for entry in decided)
    return ReviewFigures(
        submitted=sum(entry.action in _SUBMITTED for entry in entries),
        approved=approved,
        refused=refused,
        asked=len(decided) - approved - refused,
        median_seconds=median(waited) if waited else None,
    )
