"""Votes by reactions, read from Discord when they count."""

from collections.abc import Sequence
from typing import Final

import discord
import structlog

from bot.services.sharing.votes import PostedVotes, VoteService
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import RETRYABLE, classify
from bot.ui.delivery.sharing.showcase_messages import VOTE_REACTION

_log = structlog.get_logger(__name__)

_MOST_VOTERS: Final = 1000
# Discord takes this many ids in a request for members.
_MEMBERS_AT_ONCE: Final = 100
Roles = tuple[int, ...]


class ReactionVotes:
    """Reads the reactions under a server's posts into votes.

    Discord's events of reactions are not asked for, so the reactions are read on demand.
    """

    def __init__(self, *, votes: VoteService, client: discord.Client) -> None:
        self._votes = votes
        self._client = client

    async def list_posts(self, guild_id: int) -> tuple[PostedVotes, ...]:
        """Return a server's latest posts; none without votes by reactions."""
        return await self._votes.list_posts(guild_id)

    async def read(self, guild_id: int, posts: Sequence[PostedVotes]) -> None:
        """Store the votes under posts of a server.

        A post out of reach keeps its votes of before.
        """
        members: dict[int, Roles | None] = {}
        for post in posts:
            try:
                async with bounded(REQUEST_SECONDS):
                    voters = await self._voters(guild_id, post, members)
            except Exception as error:
                kind = classify(error)
                if kind is None:
                    raise
                _log.info("votes.not_read", error=type(error).__name__)
                if kind in RETRYABLE:
                    return  # the others would not be read either
            else:
                await self._votes.record_reactions(post.submission_id, voters)

    async def _voters(self, guild_id: int, post: PostedVotes, members: dict[int, Roles | None]) -> dict[int, Roles]:
        """Return the server's members with the reaction, and their roles.

        `members` keeps the answers of Discord from post to post: None for somebody who left.
        """
        channel = self._client.get_partial_messageable(post.channel_id, guild_id=guild_id)
        message = await channel.fetch_message(post.message_id)
        found: list[int] = []
        for reaction in message.reactions:
            if str(reaction.emoji) in (VOTE_REACTION, VOTE_REACTION[0]):
                found += [user.id async for user in reaction.users(limit=_MOST_VOTERS) if not user.bot]
        unknown = [each for each in dict.fromkeys(found) if each not in members]
        guild = self._client.get_guild(guild_id)
        if guild is None:
            await self._read_members(guild_id, unknown, members)
        else:
            await self._query_members(guild, unknown, members)
        return {each: roles for each in found if (roles := members[each]) is not None}

    async def _query_members(
        self, guild: discord.Guild, unknown: Sequence[int], members: dict[int, Roles | None]
    ) -> None:
        """Read members over the gateway, many at a time."""
        for start in range(0, len(unknown), _MEMBERS_AT_ONCE):
            some = list(unknown[start : start + _MEMBERS_AT_ONCE])
            present = await guild.query_members(user_ids=some, limit=len(some), cache=False)
            members |= dict.fromkeys(some) | {each.id: tuple(role.id for role in each.roles) for each in present}

    async def _read_members(self, guild_id: int, unknown: Sequence[int], members: dict[int, Roles | None]) -> None:
        """Read members over REST: this process has no shard of the server."""
        for member_id in unknown:
            try:
                member = await self._client.http.get_member(guild_id, member_id)
            except discord.NotFound:
                members[member_id] = None
            else:
                members[member_id] = (guild_id, *(int(each) for each in member["roles"]))
