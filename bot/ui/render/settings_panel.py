"""Panels of `/settings`."""

from typing import Final

from discord import ui

from bot.domain.options import OPTIONS
from bot.domain.preferences import Notice, Preferences
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import in_credits
from bot.ui.render.job_card import BLURPLE, GREEN, payload_view

_NAMES: Final[dict[str, str]] = {
    **{name: spec.setting.name for name, spec in OPTIONS.items() if spec.setting is not None},
    "private": N_("Private"),
    "confirm_over": N_("Ask first"),
    "notice": N_("When done"),
    "remix": N_("Again and Vary"),
    "decisions": N_("Decisions on what you share"),
}
_NOTICES: Final = {
    Notice.OFF: N_("no message"),
    Notice.PING: N_("a ping in the channel"),
    Notice.DIRECT: N_("a direct message"),
}


def settings_panel(preferences: Preferences, default_model: str) -> ui.LayoutView:
    """Return every setting with its meaning; `default_model` is the studio's."""
    lines = [f"## {_('Your settings')}"]
    lines += [f"**{_(name)}** · {_value(preferences, field, default_model)}" for field, name in _NAMES.items()]
    lines.append(
        "-# " + _("They go with you everywhere. What you choose in a command or by a preset comes before them.")
    )
    lines.append("-# " + _("Change them with `/settings set`."))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE))


def changed_panel(before: Preferences, after: Preferences, default_model: str) -> ui.LayoutView:
    """Return the changed settings with their old values."""
    changed = [field for field in _NAMES if getattr(before, field) != getattr(after, field)]
    if not changed:
        return settings_panel(after, default_model)
    lines = [f"## {_('Your settings are changed')}"]
    for field in changed:
        was = _("was: {value}").format(value=_value(before, field, default_model))
        lines.append(f"**{_(_NAMES[field])}** · {_value(after, field, default_model)}\n-# {was}")
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREEN))


def _value(preferences: Preferences, field: str, default_model: str) -> str:
    value = getattr(preferences, field)
    match field:
        case "private":
            if value is None:
                return _("the server's default, usually everybody in the channel")
            return _("only you see your cards") if value else _("everybody in the channel sees your cards")
        case "confirm_over":
            if value == 0:
                return _("before every picture")
            return _("before anything that costs more than {credits}").format(credits=in_credits(value))
        case "remix":
            return _("open for changes first") if value else _("at once, without changes")
        case "decisions":
            return _("a direct message") if value else _("no message; `/share list` shows them")
        case "notice":
            return _(_NOTICES[value])
        case _ if value is None:
            usual = default_model if field == "model" else OPTIONS[field].default
            return _("{value}, the studio's default").format(value=usual)
        case _:
            return str(value)
