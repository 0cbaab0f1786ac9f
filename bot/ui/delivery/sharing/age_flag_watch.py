"""Watch over the age flags of channels with shared pictures."""

from typing import Final

import discord
import structlog

from bot.engine.clock import Clock
from bot.engine.repeat import repeat
from bot.services.sharing.restricted_posts import RestrictedPosts
from bot.ui.delivery.age_flags import is_flagged

_log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 60.0


class AgeFlagWatch:
    """Renders messages again after a change of their channel's age flag.

    It reads the flags as the client knows them, so that a change during an outage counts as well.
    """

    def __init__(self, *, posts: RestrictedPosts, client: discord.Client, clock: Clock) -> None:
        self._posts = posts
        self._client = client
        self._clock = clock
        self._flags: dict[int, bool] = {}

    async def run(self) -> None:
        """Check the flags until cancelled."""
        await repeat(
            self.check,
            every=_CHECK_SECONDS,
            clock=self._clock,
            on_failure=lambda: _log.exception("age_flags.not_checked"),
        )

    async def check(self) -> None:
        """Have the messages of servers with a changed flag rendered again."""
        changed: dict[int, dict[int, bool]] = {}
        for guild_id, channel_id in await self._posts.list_places():
            guild = self._client.get_guild(guild_id)
            channel = None if guild is None else guild.get_channel_or_thread(channel_id)
            if channel is None:
                continue  # of another process, an archived post, or gone
            flag = is_flagged(channel)
            if flag != self._flags.get(channel_id, True):
                changed.setdefault(guild_id, {})[channel_id] = flag
        for guild_id, flags in changed.items():
            await self._posts.refresh(guild_id)
            self._flags |= flags
