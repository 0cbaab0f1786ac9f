"""Handler of *Undo* in a card's menu."""

from typing import Any, Final

import discord

from bot.domain.errors import NotOfferedError
from bot.services.versions import VersionService
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.handlers.interactions import actor_of
from bot.ui.i18n import use_locale
from bot.ui.render.confirmation import version_note

_QUIET: Final = discord.AllowedMentions.none()


class VersionHandlers:
    """Goes back to the version before an edit. It costs nothing."""

    def __init__(self, *, versions: VersionService, messages: JobMessages) -> None:
        self._versions = versions
        self._messages = messages

    async def go_back(self, interaction: discord.Interaction[Any], job_id: str) -> None:
        """Answer with a note about the version before.

        A later mention in reply to the note, or in its thread, starts from that version. Nothing is uploaded again: a
        deletion of the earlier card leaves no copy. Raises the errors of `VersionService.get_previous`.

        Raises:
            NotOfferedError: the card of the version before is in another channel, or private.
        """
        previous = await self._versions.get_previous(job_id, actor_of(interaction))
        link = self._messages.link(previous)
        if link is None or previous.is_private or previous.place.channel_id != interaction.channel_id:
            raise NotOfferedError
        with use_locale((interaction.guild_locale or interaction.locale).value):
            note = version_note(previous, link)
        await interaction.response.send_message(view=note, allowed_mentions=_QUIET)
