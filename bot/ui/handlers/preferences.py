"""`/settings` as its member sees it: what they have where they choose nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import discord
from discord import app_commands, ui

from bot.domain.models import Model
from bot.domain.options import DEFAULT_MODEL, OPTIONS
from bot.domain.preferences import Preferences
from bot.services.preferences import PreferenceService
from bot.ui.command_options import STUDIO_DEFAULT, STUDIO_DEFAULT_NAME
from bot.ui.i18n import N_, _
from bot.ui.render.formatting import cut, in_credits
from bot.ui.render.job_card import BLURPLE, GREEN, payload_view

_LONGEST: Final = 100
_NAMES: Final[dict[str, str]] = {
    **{name: spec.setting.name for name, spec in OPTIONS.items() if spec.setting is not None},
    "private": N_("Private"),
    "confirm_over": N_("Ask first"),
}


class PreferenceHandlers:
    """Answers `/settings`, to one person alone. `models` are those that the studio has."""

    def __init__(self, *, preferences: PreferenceService, models: Sequence[Model]) -> None:
        self._preferences = preferences
        self._models = models

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show all settings."""
        view = preferences_panel(await self._preferences.get(interaction.user.id))
        await interaction.response.send_message(view=view, ephemeral=True)

    async def change(self, interaction: discord.Interaction[Any], chosen: Mapping[str, Any]) -> None:
        """Change what was chosen (not None), and say what became of it."""
        wanted = {name: value for name, value in chosen.items() if value is not None}
        changes = {name: None if value == STUDIO_DEFAULT else value for name, value in wanted.items()}
        before, after = await self._preferences.change(interaction.user.id, changes)
        await interaction.response.send_message(view=changed_panel(before, after), ephemeral=True)

    def models(self, typed: str) -> list[app_commands.Choice[str]]:
        """Return the models that match, after the way back to the studio's default."""
        wanted = typed.strip().casefold()
        studio = app_commands.Choice(name=f"{_(STUDIO_DEFAULT_NAME)} · {DEFAULT_MODEL}", value=STUDIO_DEFAULT)
        named = [
            app_commands.Choice(name=cut(f"{model.id} · {_(model.strength)}", _LONGEST), value=model.id)
            for model in self._models
        ]
        return [choice for choice in (studio, *named) if wanted in choice.name.casefold()] or [studio, *named]


def preferences_panel(preferences: Preferences) -> ui.LayoutView:
    """Return every setting and what it means."""
    lines = [f"## {_('Your settings')}"]
    lines += [f"**{_(name)}** · {_said(preferences, field)}" for field, name in _NAMES.items()]
    lines.append(
        "-# " + _("They go with you everywhere. What you choose in a command or by a preset comes before them.")
    )
    lines.append("-# " + _("Change them with `/settings set`."))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=BLURPLE))


def changed_panel(before: Preferences, after: Preferences) -> ui.LayoutView:
    """Return what has changed, with what it was."""
    changed = [field for field in _NAMES if getattr(before, field) != getattr(after, field)]
    if not changed:
        return preferences_panel(after)
    lines = [f"## {_('Your settings are changed')}"]
    for field in changed:
        was = _("was: {value}").format(value=_said(before, field))
        lines.append(f"**{_(_NAMES[field])}** · {_said(after, field)}\n-# {was}")
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREEN))


def _said(preferences: Preferences, field: str) -> str:
    value = getattr(preferences, field)
    match field:
        case "private":
            return _("only you see your cards") if value else _("everybody in the channel sees your cards")
        case "confirm_over":
            if value == 0:
                return _("before every picture")
            return _("before anything that costs more than {credits}").format(credits=in_credits(value))
        case _ if value is None:
            return _("{value}, the studio's default").format(value=OPTIONS[field].default)
        case _:
            return str(value)
