"""Reaching a job's one message on Discord: with the interaction's token while it lives, then with the bot's."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import discord
from discord import ui
from discord.utils import MISSING

from bot.domain.jobs import Job
from bot.engine.clock import Clock

_TOKEN_DEAD = {10015, 50027}  # unknown webhook, invalid webhook token
_MESSAGE_GONE = {10008, 10003, 50001, 10004}  # unknown message, channel or guild; no access any more


Files = Callable[[], list[discord.File]]


class Reached(Enum):
    """What became of an edit."""

    SHOWN = auto()
    GONE = auto()  # the message is not there, or cannot be reached by any way


class JobMessages:
    """Edits and finds the cards."""

    def __init__(self, *, client: discord.Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def edit(self, job: Job, view: ui.LayoutView, files: Files | None) -> Reached:
        """Show `view` on the job's message; `files` makes what replaces its attachments, None leaves them.

        Raises `discord.HTTPException` or a connection's error where trying again may help.
        """

        def attachments() -> Any:
            # Made anew for each try: a request closes the files that it sent.
            return MISSING if files is None else files()

        quiet = discord.AllowedMentions.none()
        if job.token_alive(self._clock.now()):
            try:
                original: Any = "@original"
                webhook = self._webhook(job)
                await webhook.edit_message(original, view=view, attachments=attachments(), allowed_mentions=quiet)
            except discord.HTTPException as error:
                if error.code in _MESSAGE_GONE:
                    return Reached.GONE
                if error.code not in _TOKEN_DEAD:
                    raise
            else:
                return Reached.SHOWN
        if job.place.message_id is None:
            return Reached.GONE
        channel = self._client.get_partial_messageable(job.place.channel_id, guild_id=job.place.community_id)
        message = channel.get_partial_message(job.place.message_id)
        try:
            await message.edit(view=view, attachments=attachments(), allowed_mentions=quiet)
        except (discord.NotFound, discord.Forbidden):
            return Reached.GONE
        return Reached.SHOWN

    async def find(self, job: Job) -> bool | None:
        """Return whether the interaction has an answer; None where Discord cannot be asked now."""
        if not job.token_alive(self._clock.now()):
            return False
        try:
            await self._webhook(job).fetch_message("@original")  # type: ignore[arg-type]
        except discord.NotFound:
            return False
        except (discord.HTTPException, OSError):
            return None
        return True

    def _webhook(self, job: Job) -> discord.Webhook:
        return discord.Webhook.partial(job.place.application_id, job.place.token or "", client=self._client)
