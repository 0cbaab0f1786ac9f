"""Votes for posts in the showcase."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from bot.domain.bans import BanScope
from bot.domain.errors import NotAllowedError, NotOfferedError, OwnVoteError
from bot.domain.lazy_text import LazyText
from bot.domain.outbox import MessageKind
from bot.domain.sharing.settings import VoteKind
from bot.domain.sharing.submissions import SubmissionState
from bot.domain.sharing.votes import MOST_POSTS, OLD_POST, OLD_VOTES_SHOWN_AFTER, VOTES_SHOWN_AFTER, VoteResult
from bot.engine.clock import Clock
from bot.engine.member_identity import MemberIdentity
from bot.services.job_sources import require_post
from bot.services.request_gate import check_ban
from bot.services.sharing.submissions import Sharer
from db.bans import BanRepository
from db.database import Database
from db.outbox import OutboxRepository
from db.sharing_settings import SharingSettingsRepository
from db.submissions import SubmissionRepository
from db.votes import VoteRepository

_DISCORD_EPOCH: Final = 1_420_070_400_000
_TIME_SHIFT: Final = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedVotes:
    """A post with votes by reactions. `needs_roles`: some roles vote."""

    submission_id: str
    channel_id: int
    message_id: int
    needs_roles: bool


class VoteService:
    """One vote a member for each submission, each press in one transaction."""

    def __init__(self, *, database: Database, identity: MemberIdentity, clock: Clock) -> None:
        self._database = database
        self._identity = identity
        self._clock = clock

    async def toggle(self, submission_id: str, voter: Sharer) -> VoteResult:
        """Give a vote, or take it back.

        A vote by an earlier reaction becomes one by the button, and counts once. The post shows it some seconds later,
        so that many votes are one edit.

        Raises:
            SubmissionNotFoundError: there is no such submission in the voter's server.
            SubmissionStateError: it is not in the showcase.
            NotOfferedError: the server has no votes by buttons.
            OwnVoteError: it is the voter's own.
            NotAllowedError: the voter has none of the roles for it.
            BannedError: the voter is banned from sharing or from the studio.
            DeletionRunningError: everything about the voter is being deleted.
        """
        now = self._clock.now()

        def write(connection: Connection) -> VoteResult:
            submission = require_post(connection, submission_id, voter.guild_id, lock=True)
            settings = SharingSettingsRepository(connection).get(submission.guild_id)
            if settings.votes is not VoteKind.BUTTONS:
                raise NotOfferedError
            if submission.member_id == voter.member_id:
                raise OwnVoteError
            if settings.voter_roles and not any(each in settings.voter_roles for each in voter.roles):
                raise NotAllowedError(LazyText("a member with a role for voting"))
            self._identity.welcome(connection, voter.member_id)
            check_ban(connection, submission.guild_id, voter.member_id, now, BanScope.SHARING)
            votes = VoteRepository(connection)
            has_voted = votes.add(submission_id, voter.member_id, submission.guild_id, now) or votes.set_way(
                submission_id, voter.member_id, by_reaction=False
            )
            if not has_voted:
                votes.remove(submission_id, voter.member_id)
            OutboxRepository(connection).postpone(
                MessageKind.SHOWCASE,
                submission_id,
                at=now + VOTES_SHOWN_AFTER,
                old_at=now + OLD_VOTES_SHOWN_AFTER,
                old_before=_snowflake(now - OLD_POST),
                now=now,
            )
            return VoteResult(has_voted=has_voted, count=votes.count(submission_id))

        return await self._database.write(write)

    async def list_posts(self, guild_id: int) -> tuple[PostedVotes, ...]:
        """Return a server's latest posts, if it votes by reactions."""

        def read(connection: Connection) -> tuple[PostedVotes, ...]:
            settings = SharingSettingsRepository(connection).get(guild_id)
            if settings.votes is not VoteKind.REACTIONS:
                return ()
            return tuple(
                PostedVotes(
                    submission_id=submission_id,
                    channel_id=channel_id,
                    message_id=message_id,
                    needs_roles=bool(settings.voter_roles),
                )
                for submission_id, channel_id, message_id in VoteRepository(connection).list_posts(guild_id, MOST_POSTS)
            )

        return await self._database.read(read)

    async def record_reactions(self, submission_id: str, voters: Mapping[int, tuple[int, ...]]) -> int:
        """Store the reactions of members, with their roles; return the votes.

        The member's own reaction counts for nothing, nor do those of banned members, of members who deleted their data,
        and of others without a role for voting. A reaction that was taken back is a vote no longer. Votes by buttons of
        earlier stay; one whose member reacts is a vote by reaction from then on.
        """
        now = self._clock.now()

        def write(connection: Connection) -> int:
            submission = SubmissionRepository(connection).get(submission_id, lock=True)
            settings = SharingSettingsRepository(connection).get(submission.guild_id)
            if settings.votes is not VoteKind.REACTIONS or submission.state is not SubmissionState.APPROVED:
                return 0
            bans, votes = BanRepository(connection), VoteRepository(connection)
            wanted = {
                member_id
                for member_id, roles in voters.items()
                if member_id != submission.member_id
                and (not settings.voter_roles or set(roles) & set(settings.voter_roles))
                and bans.find(submission.guild_id, member_id, now, BanScope.STUDIO, BanScope.SHARING) is None
                and not self._identity.is_gone(connection, member_id)
            }
            stored = votes.list_voters(submission_id)
            for member_id, is_reaction in stored.items():
                if is_reaction and member_id not in wanted:
                    votes.remove(submission_id, member_id)
                elif not is_reaction and member_id in wanted:
                    votes.set_way(submission_id, member_id, by_reaction=True)
            for member_id in wanted - stored.keys():
                votes.add(submission_id, member_id, submission.guild_id, now, by_reaction=True)
            return votes.count(submission_id)

        return await self._database.write(write)

    async def count(self, submission_id: str) -> int:
        """Return a submission's votes."""
        return await self._database.read(lambda connection: VoteRepository(connection).count(submission_id))


def _snowflake(at: datetime) -> int:
    """Return the lowest id that Discord gives at a time."""
    return (int(at.timestamp() * 1000) - _DISCORD_EPOCH) << _TIME_SHIFT
