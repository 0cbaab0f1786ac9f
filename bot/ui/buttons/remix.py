"""The buttons and the menu of a card that has ended: what can be made of it, and what else can be done with it."""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Any, ClassVar, Final, Self

import discord
from discord import ui

from bot.domain.jobs import Action
from bot.ui.buttons.base import FORM, JobButton, answering, custom_id, studio_of
from bot.ui.i18n import N_, _


class _ActionButton(JobButton, action="none", label=""):
    """Makes something of a job."""

    makes: ClassVar[Action]

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Make it, or ask first what it takes to know."""
        await studio_of(interaction).workbench.act(interaction, self.job_id, self.makes)


class AgainButton(_ActionButton, action="again", label=N_("Again")):
    """Makes the same once more."""

    makes = Action.AGAIN


class VaryButton(_ActionButton, action="vary", label=N_("Vary")):
    """Makes the same from a picture."""

    makes = Action.VARY


class EditButton(_ActionButton, action="edit", label=N_("Edit")):
    """Changes a picture by a new prompt."""

    makes = Action.EDIT


class UpscaleButton(_ActionButton, action="upscale", label=N_("Upscale")):
    """Enlarges a picture."""

    makes = Action.UPSCALE


ACTION_BUTTONS: Final = (AgainButton, VaryButton, EditButton, UpscaleButton)
"""In the order of the card."""


class More(StrEnum):
    """What the menu of a card offers."""

    CUT_OUT = "cutout"
    REFERENCE = "reference"
    DETAILS = "details"
    DELETE = "delete"


_MORE: Final = {
    More.CUT_OUT: (N_("Cut out"), N_("Remove the background")),
    More.REFERENCE: (N_("Use as reference"), N_("Draw something new with it to go by")),
    More.DETAILS: (N_("Details"), N_("Every option, the price, and where it came from")),
    More.DELETE: (N_("Delete"), N_("For its member and for moderators")),
}
_MADE: Final = {More.CUT_OUT: Action.CUT_OUT, More.REFERENCE: Action.REFERENCE}


class MoreMenu(ui.DynamicItem[ui.Select[ui.LayoutView]], template="a1:more" + FORM):
    """The rest of what can be done with a card. `offered` are the entries that it has now; it answers all of them."""

    def __init__(self, job_id: str, offered: Collection[More] = tuple(More)) -> None:
        self.job_id = job_id
        options = [
            discord.SelectOption(value=entry, label=_(_MORE[entry][0]), description=_(_MORE[entry][1]))
            for entry in More
            if entry in offered
        ]
        super().__init__(ui.Select(placeholder=_("More…"), custom_id=custom_id("more", job_id), options=options))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the menu that was used."""
        del interaction, item
        return cls(match["job"])

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what was chosen."""
        workbench = studio_of(interaction).workbench
        match More(self.item.values[0]):
            case More.DETAILS:
                await workbench.details(interaction, self.job_id)
            case More.DELETE:
                await workbench.ask_delete(interaction, self.job_id)
            case making:
                await workbench.act(interaction, self.job_id, _MADE[making])


class DeleteButton(JobButton, action="delete", label=N_("Delete"), style=discord.ButtonStyle.danger):
    """Deletes a job, once it was asked whether that is meant."""

    @answering
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Delete it, and say so in place of the question."""
        await studio_of(interaction).workbench.delete(interaction, self.job_id)
