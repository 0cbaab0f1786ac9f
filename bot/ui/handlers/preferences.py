"""Handlers of `/settings` and the autocompletion of its models."""

from collections.abc import Mapping
from typing import Any, Final

import discord
from discord import app_commands

from bot.domain.catalogue import Catalogue
from bot.services.preferences import PreferenceService
from bot.ui.command_options import STUDIO_DEFAULT, STUDIO_DEFAULT_NAME
from bot.ui.i18n import _
from bot.ui.render.settings_panel import changed_panel, settings_panel
from bot.ui.truncation import cut

_LONGEST: Final = 100


class PreferenceHandlers:
    """Answers `/settings` privately."""

    def __init__(self, *, preferences: PreferenceService, catalogue: Catalogue) -> None:
        self._preferences = preferences
        self._catalogue = catalogue

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Show all settings."""
        view = settings_panel(await self._preferences.get(interaction.user.id), self._catalogue.default_model)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def change(self, interaction: discord.Interaction[Any], chosen: Mapping[str, Any]) -> None:
        """Change the chosen settings and show the changes. None is not chosen."""
        wanted = {name: value for name, value in chosen.items() if value is not None}
        changes = {name: None if value == STUDIO_DEFAULT else value for name, value in wanted.items()}
        before, after = await self._preferences.change(interaction.user.id, changes)
        view = changed_panel(before, after, self._catalogue.default_model)
        await interaction.response.send_message(view=view, ephemeral=True)

    def models(self, typed: str) -> list[app_commands.Choice[str]]:
        """Return matching models after the studio's default."""
        wanted = typed.strip().casefold()
        studio = app_commands.Choice(
            name=f"{_(STUDIO_DEFAULT_NAME)} · {self._catalogue.default_model}", value=STUDIO_DEFAULT
        )
        named = [
            app_commands.Choice(name=cut(f"{model.display_name} · {_(model.strength)}", _LONGEST), value=model.id)
            for model in self._catalogue.models
        ]
        return [choice for choice in (studio, *named) if wanted in choice.name.casefold()] or [studio, *named]
