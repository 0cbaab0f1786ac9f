"""The buttons that turn the pages of `/history`."""

from typing import Any, ClassVar

import discord

from bot.services.history import Direction
from bot.ui.buttons.base import JobButton, answering, studio_of
from bot.ui.i18n import N_


class _PageButton(JobButton, action="none", label=""):
    """Shows the page next to a job's in place of it."""

    direction: ClassVar[Direction]

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Turn the page."""
        await studio_of(interaction).gallery.turn(interaction, self.job_id, self.direction)


class NewerButton(_PageButton, action="newer", label=N_("Newer")):
    """Turns a page towards now."""

    direction = Direction.NEWER


class OlderButton(_PageButton, action="older", label=N_("Older")):
    """Turns a page towards the past."""

    direction = Direction.OLDER
