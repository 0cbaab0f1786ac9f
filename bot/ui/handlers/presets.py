"""Handlers of `/preset`, its button and its autocompletion."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import discord
from discord import app_commands

from bot.domain.presets import Preset
from bot.services.jobs import Actor
from bot.services.presets import PresetService
from bot.ui.handlers.interactions import actor_of
from bot.ui.i18n import _
from bot.ui.render.preset_panels import deleted_panel, presets_panel, restored_panel, saved_panel
from bot.ui.truncation import cut

_MOST: Final = 25
_LONGEST: Final = 100


class PresetHandlers:
    """Answers `/preset` and its button, to one person alone."""

    def __init__(self, *, presets: PresetService) -> None:
        self._presets = presets

    async def save(
        self,
        interaction: discord.Interaction[Any],
        *,
        name: str,
        template: str | None,
        options: Mapping[str, Any],
        shared: bool,
    ) -> None:
        """Save a preset and show it."""
        preset, replaced = await self._presets.save(
            _actor(interaction), name=name, template=template, options=options, shared=shared
        )
        await interaction.response.send_message(view=saved_panel(preset, replaced=replaced), ephemeral=True)

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """List the presets."""
        actor = _actor(interaction)
        view = presets_panel(await self._presets.list(actor), in_server=actor.guild_id != 0)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def delete(self, interaction: discord.Interaction[Any], name: str, *, shared: bool) -> None:
        """Delete a preset, with a button that undoes it."""
        deleted = await self._presets.delete(_actor(interaction), name, shared=shared)
        await interaction.response.send_message(view=deleted_panel(deleted), ephemeral=True)

    async def restore(self, interaction: discord.Interaction[Any], mark: str) -> None:
        """Undo a deletion in the pressed message."""
        preset = await self._presets.restore(_actor(interaction), mark)
        await interaction.response.edit_message(view=restored_panel(preset))

    async def choices(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return the usable presets with a matching name."""
        return preset_choices((await self._presets.list(_actor(interaction))).by_name, typed)

    async def deletable(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return the presets this person may delete here."""
        actor = _actor(interaction)
        presets = await self._presets.list(actor)
        if interaction.namespace.for_server is True:
            return preset_choices(presets.shared if actor.moderator else (), typed)
        return preset_choices(presets.by_name if actor.moderator else presets.own, typed)


def _actor(interaction: discord.Interaction[Any]) -> Actor:
    """Return the member with guild-wide rights.

    A server's presets count in all its channels.
    """
    return actor_of(interaction, everywhere=True)


def preset_choices(presets: Iterable[Preset], typed: str) -> list[app_commands.Choice[str]]:
    """Return matching presets, names with the typed prefix first."""
    wanted = typed.strip().casefold()
    matching = [preset for preset in presets if wanted in preset.name.casefold()]
    matching.sort(key=lambda preset: not preset.name.casefold().startswith(wanted))
    return [app_commands.Choice(name=_offered(preset), value=preset.name) for preset in matching[:_MOST]]


def _offered(preset: Preset) -> str:
    whose = _("server's") if preset.shared else _("yours")
    return cut(f"{preset.name} · {whose}", _LONGEST)
