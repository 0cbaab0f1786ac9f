"""Answers about pauses to admins and owners."""

from collections.abc import Sequence
from typing import Final

import discord
from discord import ui

from bot.domain.pauses import Pause, Pauses
from bot.services.pauses import BegunPause
from bot.ui.buttons import EVERYTHING, KEEP_RUNNING, PAUSE_ALL, PAUSE_ALL_NOW, RESUME_ALL, ButtonSpec
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import ago, escaped, first_of, number
from bot.ui.render.job_card import AMBER, GREEN, payload_view
from bot.ui.render.pauses import paused

_MOST_PAUSES: Final = 5


def guild_paused(begun: BegunPause) -> str:
    """Return the answer to `/studio pause`."""
    if begun.replaced is not None:
        return "\n".join([_replaced(begun.pause, begun.replaced), _("`/studio resume` ends the pause.")])
    return "\n".join(
        [
            _("The studio is paused in this server. New pictures are refused with your reason; running ones finish."),
            _("Queued ones wait, and can be cancelled. `/studio resume` ends the pause."),
        ]
    )


def _replaced(pause: Pause, earlier: Pause) -> str:
    """Return the words for a pause of a paused server."""
    said = _("The studio was paused here already, {when}.").format(when=ago(earlier.at))
    if pause.reason == earlier.reason:
        return f"{said} {_('The reason stays the same.')}"
    before = _("Its reason was: {reason}").format(reason=escaped(earlier.reason)) if earlier.reason else ""
    now = _("Members now read your new reason.") if pause.reason else _("Members now read no reason.")
    return "\n".join(line for line in (f"{said} {now}", before) if line)


def guild_resumed(remaining: Sequence[Pause], *, ended: bool) -> str:
    """Return the answer to `/studio resume`.

    `remaining` are the operator's pauses for the server, `ended` whether the admins' own was there.
    """
    said = (
        _("The studio is open again in this server.")
        if ended
        else _("The studio is not paused by this server's admins.")
    )
    if not remaining:
        return said
    only = _("Only the operator can end that pause.") if len(remaining) == 1 else _("Only the operator can end those.")
    return "\n".join([_("Your pause is over.") if ended else said, *_listed(remaining), only])


def _listed(pauses: Sequence[Pause]) -> list[str]:
    """Return lines for the first pauses, and the number of the others."""
    return first_of([paused(each) for each in pauses], _MOST_PAUSES)


def ask_pause_panel() -> ui.LayoutView:
    """Return the question before everything is paused."""
    text = _("Pause everything, in every server? New pictures are refused; running ones finish, and queued ones wait.")
    return _panel(text, AMBER, PAUSE_ALL_NOW, KEEP_RUNNING)


def all_paused_panel(pause: Pause) -> ui.LayoutView:
    """Return the state of a paused studio, with the way back."""
    text = _("Everything is paused since {when}. Running pictures finish; queued ones wait.")
    return _panel(text.format(when=ago(pause.at)), AMBER, RESUME_ALL)


def all_resumed_panel(remaining: Pauses, *, changed: bool) -> ui.LayoutView:
    """Return the state of a running studio; `remaining` are its other pauses."""
    if not changed:
        return _panel(_("Nothing was changed: the studio was not paused."), GREEN)
    if not remaining:
        return _panel(_("The studio is open again."), GREEN)
    lines, servers = _listed(remaining.of_operator(0)), len(remaining.guilds)
    if servers:
        lines.append(
            ngettext("{count} server is still paused.", "{count} servers are still paused.", servers).format(
                count=number(servers)
            )
        )
    ends = _("`atelier resume` ends those of the operator.")
    return _panel("\n".join([_("The pause of everything is over."), *lines, ends]), AMBER)


def pause_all_row() -> ui.ActionRow[ui.LayoutView]:
    """Return the button to pause everything."""
    return ui.ActionRow(PAUSE_ALL.build(EVERYTHING))


def _panel(text: str, colour: discord.Colour, *buttons: ButtonSpec) -> ui.LayoutView:
    row = [ui.ActionRow(*(spec.build(EVERYTHING) for spec in buttons))] if buttons else []
    return payload_view(ui.Container(ui.TextDisplay(text), *row, accent_colour=colour))
