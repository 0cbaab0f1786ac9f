"""Messages about the bot's arrival in a server."""

from dataclasses import dataclass

from discord import ui

from bot.ui.buttons import ADMIT, END_ADMISSION, LEAVE, SETUP, guild_target
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import escaped, number
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, GREY, payload_view


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildCard:
    """A server as its card for the owner shows it."""

    id: int
    name: str
    members: int | None


def greeting(guild_id: int, *, is_admitted: bool) -> ui.LayoutView:
    """Return the bot's first message in a server, with the way to its setup."""
    lines = [f"## {_('An image studio for this server')}"]
    if is_admitted:
        lines.append(_("Members make pictures with `/imagine`. An admin can set the studio up in two minutes:"))
    else:
        lines.append(
            _(
                "Thank you for the invitation. The studio opens here once the bot's owner admits this server; "
                "*Set up* says whether that is done."
            )
        )
    button = SETUP.build(guild_target(guild_id))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), ui.ActionRow(button), accent_colour=BLURPLE))


def admission_card(guild: GuildCard, *, is_admitted: bool, by_list: bool) -> ui.LayoutView:
    """Return the owner's card about a server, with the decisions."""
    target = guild_target(guild.id)
    lines = [
        f"## {_('Admitted') if is_admitted else _('A server asks for the studio')}",
        _("**{name}** · {size}").format(name=escaped(guild.name), size=_size(guild)),
        f"-# {guild.id}",
    ]
    buttons = [LEAVE.build(target)]
    if by_list:
        lines.append(_("`COMMUNITIES` in the settings decides. Add the number to it and restart the bot."))
    elif is_admitted:
        lines.append(_("Running jobs finish if you end it; new ones are refused."))
        buttons.insert(0, END_ADMISSION.build(target))
    else:
        buttons.insert(0, ADMIT.build(target))
    colour = GREEN if is_admitted else AMBER
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), ui.ActionRow(*buttons), accent_colour=colour))


def left_card(guild: GuildCard) -> ui.LayoutView:
    """Return the owner's card about a left server."""
    lines = [f"## {_('Not in this server')}", f"**{escaped(guild.name)}**", f"-# {guild.id}"]
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREY))


def _size(guild: GuildCard) -> str:
    if guild.members is None:
        return _("size unknown")
    return ngettext("{count} member", "{count} members", guild.members).format(count=number(guild.members))
