"""The pages of `/help` with every command. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from discord import ui

from bot.ui.buttons import HELP, NO_TARGET
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import command_link, fitting
from bot.ui.render.job_card import BLURPLE, payload_view
from bot.ui.truncation import cut

_LONGEST_DESCRIPTION: Final = 100
# The rest is for the heading and the menus.
_ROOM_FOR_COMMANDS: Final = 3600
# Discord hides the first two from members; the others refuse them.
_GROUPS_OF_MODERATORS: Final = frozenset({"studio", "review", "challenge"})
_CREDITS_OF_ADMINS: Final = frozenset({"allowance", "grant", "reset", "take"})


class HelpPage(IntEnum):
    """A page of `/help`. Buttons hold the numbers."""

    STEPS = 0
    COMMANDS = 1
    MODERATORS = 2


_LABELS: Final = {
    HelpPage.STEPS: N_("First steps"),
    HelpPage.COMMANDS: N_("All commands"),
    HelpPage.MODERATORS: N_("For moderators"),
}


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command with its description in English."""

    name: str
    description: str

    @property
    def is_for_moderators(self) -> bool:
        """True if members cannot use it."""
        group, _space, name = self.name.partition(" ")
        return group in _GROUPS_OF_MODERATORS or (group == "credits" and name in _CREDITS_OF_ADMINS)


def command_list(
    page: HelpPage,
    commands: Sequence[CommandEntry],
    menus: Sequence[str],
    command_ids: Mapping[str, int],
) -> ui.LayoutView:
    """Return the commands of members, or those of moderators and admins.

    `menus` are the names of message menus.
    """
    is_for_moderators = page is HelpPage.MODERATORS
    listed = sorted(
        (each for each in commands if each.is_for_moderators is is_for_moderators), key=lambda each: each.name
    )
    lines = [
        f"{command_link(each.name, command_ids)} {cut(_(each.description), _LONGEST_DESCRIPTION)}" for each in listed
    ]
    title = _("Commands of moderators and admins") if is_for_moderators else _("All commands")
    shown = [f"## {title}", *fitting(lines, _ROOM_FOR_COMMANDS)]
    if is_for_moderators:
        begin = _("An admin begins with {setup}: it says what is missing.")
        shown.append("-# " + begin.format(setup=command_link("studio_setup", command_ids)))
        # Discord hides them from others without a word.
        offered = _("Discord offers `/studio` to members with Manage Server.")
        others = _("Admins open it to moderators under *Server Settings > Integrations*.")
        shown.append(f"-# {offered} {others}")
    elif menus:
        names = ", ".join(f"*{each}*" for each in sorted(menus))
        shown.append(f"-# {_('In the menu of a message, under Apps: {menus}').format(menus=names)}")
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(shown)), accent_colour=BLURPLE)
    container.add_item(help_pages(page))
    return payload_view(container)


def help_pages(current: HelpPage) -> ui.ActionRow[ui.LayoutView]:
    """Return the buttons for the pages of `/help`."""
    return ui.ActionRow(
        *(
            HELP.build(NO_TARGET, label=_(label), picture=page, disabled=page is current)
            for page, label in _LABELS.items()
        )
    )
