"""The card of `/studio keys`."""

from typing import Final

import discord
from discord import ui

from bot.domain.errors import FaultKind
from bot.domain.guild_keys import GuildKey
from bot.providers.registry import display_name
from bot.services.guild_keys import GuildKeys
from bot.ui.buttons import KEY_ENTER, KEY_MENU, KEY_REMOVE, KEY_TEST, custom_id, guild_target, model_digest
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import ago, person
from bot.ui.render.job_card import AMBER, BLURPLE, GREEN, payload_view

_MOST_PROVIDERS: Final = 25
_FAULTS: Final = {
    FaultKind.GUILD_KEY_REJECTED: N_("not accepted"),
    FaultKind.GUILD_ACCOUNT_EMPTY: N_("account empty"),
    FaultKind.GUILD_KEY_UNREADABLE: N_("unreadable: enter it again"),
}


def guild_key_card(shown: GuildKeys, chosen: str | None = None, *, note: str | None = None) -> ui.LayoutView:
    """Return a server's keys by provider, with the buttons of the chosen one.

    `note` is about what was done last. No part of a key is shown.
    """
    providers = shown.providers[:_MOST_PROVIDERS]
    chosen = chosen if chosen in providers else next((each for each in providers if each in shown.keys), providers[0])
    lines = [note] if note else []
    lines.append(f"## {_('Own provider keys')}")
    lines += [_line(provider, shown.keys.get(provider)) for provider in providers]
    lines.append(f"-# {_effect(shown)}")
    target, digest, key = guild_target(shown.guild_id), model_digest(chosen), shown.keys.get(chosen)
    menu: ui.Select[ui.LayoutView] = ui.Select(
        custom_id=custom_id(KEY_MENU, target),
        options=[
            discord.SelectOption(label=display_name(each), value=each, default=each == chosen) for each in providers
        ],
    )
    buttons = []
    if chosen in shown.open:
        buttons.append(KEY_ENTER.build(target, label=None if key is None else _("Replace key"), search_id=digest))
        buttons += [KEY_TEST.build(target, search_id=digest)] if key is not None else []
    if key is not None:
        buttons.append(KEY_REMOVE.build(target, search_id=digest))
    colour = GREEN if shown.keys else BLURPLE
    if any(each.fault is not None for each in shown.keys.values()):
        colour = AMBER
    rows = (ui.TextDisplay[ui.LayoutView]("\n".join(lines)), ui.ActionRow(menu), ui.ActionRow(*buttons))
    return payload_view(ui.Container(*rows, accent_colour=colour))


def _effect(shown: GuildKeys) -> str:
    if not shown.open:
        return _("The operator has switched own keys off: new pictures do not use them.")
    if shown.keys:
        return _("New pictures here use these keys alone, and their providers bill this server.")
    return _("With a key of its own, this server's pictures use its own keys alone.")


def _line(provider: str, key: GuildKey | None) -> str:
    name = f"**{display_name(provider)}**"
    if key is None:
        return f"{name} · {_('no key')}"
    by = person(key.set_by)
    said = _("entered by {member} {when}").format(member=by, when=ago(key.set_at))
    return " · ".join([name, said, *([] if key.fault is None else [f"**{_(_FAULTS[key.fault])}**"])])
