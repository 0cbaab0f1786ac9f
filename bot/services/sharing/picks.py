"""A server's picks of a week: the posts with most votes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.audit_log import AuditEntry
from bot.domain.errors import NotAllowedError, NotOfferedError, PicksPostedError, SharingOffError
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind, guild_subject
from bot.domain.sharing.submissions import SubmissionState
from bot.engine.clock import Clock
from bot.services.jobs import Actor
from bot.services.sharing.showcase import Wake
from bot.services.sharing.snapshots import SubmissionSnapshot, read_snapshot
from db.audit_log import AuditLogRepository
from db.database import Database
from db.guilds import GuildRepository
from db.outbox import OutboxRepository
from db.votes import PickRepository, VoteRepository

MOST_PICKS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A picked post with its votes of the week."""

    snapshot: SubmissionSnapshot
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekPicks:
    """Picks of a server's week, which begins at `since`; best first.

    `week` is the ordinal of its Monday.
    """

    guild_id: int
    week: int
    since: datetime
    picks: tuple[Pick, ...]
    is_posted: bool


class PickService:
    """Picks of weeks, posted once each."""

    def __init__(self, *, database: Database, clock: Clock, new_id: Callable[[], str], wake: Wake) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._wake = wake

    async def preview(self, actor: Actor) -> WeekPicks:
        """Return the picks of the actor's server in its present week.

        Raises:
            NotAllowedError: the actor does not moderate the server.
        """
        _require_moderator(actor)
        now = self._clock.now()
        return await self._database.read(lambda connection: _present(connection, actor.guild_id, now))

    async def post(self, actor: Actor, week: int) -> WeekPicks:
        """Post the picks of the present week in the showcase.

        Raises:
            NotAllowedError: the actor does not moderate the server.
            SharingOffError: the server has no showcase channel.
            NotOfferedError: the week is over, or nobody has voted.
            PicksPostedError: the picks of this week are posted already.
        """
        _require_moderator(actor)
        now = self._clock.now()

        def write(connection: Connection) -> tuple[WeekPicks, str]:
            picks, guild_id = _present(connection, actor.guild_id, now), actor.guild_id
            if GuildRepository(connection).settings(guild_id).showcase_channel_id is None:
                raise SharingOffError(is_review=False)
            if picks.is_posted and picks.week == week:
                raise PicksPostedError
            if picks.week != week or not picks.picks:
                raise NotOfferedError
            chosen = [(each.snapshot.submission.id, each.votes) for each in picks.picks]
            if not PickRepository(connection).add(guild_id, week, chosen):
                raise PicksPostedError
            AuditLogRepository(connection).add(
                AuditEntry(
                    id=self._new_id(),
                    guild_id=guild_id,
                    actor_id=actor.member_id,
                    action="share.picks",
                    at=now,
                    detail={"submissions": [submission_id for submission_id, _ in chosen]},
                )
            )
            message_id = OutboxRepository(connection).request(
                MessageKind.PICKS,
                guild_subject(guild_id),
                new_id=self._new_id(),
                guild_id=guild_id,
                at=now,
                number=week,
            )
            return picks, message_id

        picks, message_id = await self._database.write(write)
        self._wake([message_id])
        return picks

    async def posted(self, guild_id: int, week: int) -> WeekPicks:
        """Return a week's posted picks that are still in the showcase."""
        return await self._database.read(lambda connection: _posted(connection, guild_id, week))


def _require_moderator(actor: Actor) -> None:
    if not actor.moderator or not actor.guild_id:
        raise NotAllowedError(LazyText("a moderator"))


def _present(connection: Connection, guild_id: int, now: datetime) -> WeekPicks:
    zone = GuildRepository(connection).settings(guild_id).zone
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    since = datetime.combine(monday, time(), zone)
    week = monday.toordinal()
    if PickRepository(connection).list_of_week(guild_id, week):
        return _posted(connection, guild_id, week, since)
    leading = VoteRepository(connection).list_leading(guild_id, since, now + timedelta(seconds=1), MOST_PICKS)
    picks = tuple(Pick(snapshot=read_snapshot(connection, each), votes=votes) for each, votes in leading)
    return WeekPicks(guild_id=guild_id, week=week, since=since, picks=picks, is_posted=False)


def _posted(connection: Connection, guild_id: int, week: int, since: datetime | None = None) -> WeekPicks:
    if since is None:
        zone = GuildRepository(connection).settings(guild_id).zone
        since = datetime.combine(datetime.fromordinal(week).date(), time(), zone)
    found = [
        Pick(snapshot=read_snapshot(connection, submission_id), votes=votes)
        for submission_id, votes in PickRepository(connection).list_of_week(guild_id, week)
    ]
    shown = tuple(each for each in found if each.snapshot.submission.state is SubmissionState.APPROVED)
    return WeekPicks(guild_id=guild_id, week=week, since=since, picks=shown, is_posted=True)
