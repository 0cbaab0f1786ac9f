"""`/preset` as its member sees it, and presets as they are offered while a name is typed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import discord
from discord import app_commands, ui

from bot.domain.options import OPTIONS
from bot.domain.presets import MAX_PRESETS, Preset
from bot.services.jobs import Actor
from bot.services.presets import Deleted, Presets, PresetService
from bot.ui.buttons import RESTORE
from bot.ui.handlers.interactions import actor_of
from bot.ui.i18n import _, ngettext
from bot.ui.render.formatting import cut, escaped, number
from bot.ui.render.job_card import BLURPLE, GREEN, GREY, option_words, payload_view

_MOST: Final = 25
_LONGEST: Final = 100
_TEMPLATE_SHOWN: Final = 120
# Discord takes 4,000 characters in all the texts of a message, counted as UTF-16; a heading and a last line need some.
_ROOM: Final = 3900
_MARGIN: Final = 150


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
        """Save a preset, and say what it is."""
        preset, replaced = await self._presets.save(
            _keeper(interaction), name=name, template=template, options=options, shared=shared
        )
        await interaction.response.send_message(view=saved_panel(preset, replaced=replaced), ephemeral=True)

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """List what there is."""
        actor = _keeper(interaction)
        view = presets_panel(await self._presets.list(actor), in_server=actor.guild_id != 0)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def delete(self, interaction: discord.Interaction[Any], name: str, *, shared: bool) -> None:
        """Delete a preset, with a button that undoes it."""
        deleted = await self._presets.delete(_keeper(interaction), name, shared=shared)
        await interaction.response.send_message(view=deleted_panel(deleted), ephemeral=True)

    async def restore(self, interaction: discord.Interaction[Any], mark: str) -> None:
        """Undo a deletion, in the message whose button was pressed."""
        preset = await self._presets.restore(_keeper(interaction), mark)
        await interaction.response.edit_message(view=restored_panel(preset))

    async def choices(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return what can be used here, for as long as what is typed may become its name."""
        return preset_choices((await self._presets.list(_keeper(interaction))).by_name, typed)

    async def deletable(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Return what this person may delete here."""
        actor = _keeper(interaction)
        presets = await self._presets.list(actor)
        if interaction.namespace.for_server is True:
            return preset_choices(presets.shared if actor.moderator else (), typed)
        return preset_choices(presets.by_name if actor.moderator else presets.own, typed)


def _keeper(interaction: discord.Interaction[Any]) -> Actor:
    """Return who keeps presets: the server's are used in all of it, so that is where it takes a moderator."""
    return actor_of(interaction, everywhere=True)


def preset_choices(presets: Iterable[Preset], typed: str) -> list[app_commands.Choice[str]]:
    """Return the presets that match; those whose name begins like that come first."""
    wanted = typed.strip().casefold()
    matching = [preset for preset in presets if wanted in preset.name.casefold()]
    matching.sort(key=lambda preset: not preset.name.casefold().startswith(wanted))
    return [app_commands.Choice(name=_offered(preset), value=preset.name) for preset in matching[:_MOST]]


def _offered(preset: Preset) -> str:
    whose = _("server's") if preset.shared else _("yours")
    return cut(f"{preset.name} · {whose}", _LONGEST)


def saved_panel(preset: Preset, *, replaced: bool) -> ui.LayoutView:
    """Return that a preset is there, what it is, and how it is used."""
    if preset.shared:
        title = _("The server's preset {name} is replaced") if replaced else _("The server's preset {name} is saved")
    else:
        title = _("Your preset {name} is replaced") if replaced else _("Your preset {name} is saved")
    lines = [f"## {title.format(name=escaped(preset.name))}", *_contents(preset)]
    lines.append(_("Use it with the option `preset` of `/imagine` or `/edit`."))
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREEN))


def presets_panel(presets: Presets, *, in_server: bool) -> ui.LayoutView:
    """Return one's own presets and the server's."""
    room = _ROOM // 2 if in_server else _ROOM
    lines = _section(_("Your presets"), presets.own, room)
    if in_server:
        lines += _section(_("This server's presets"), presets.shared, room)
    if not presets.own and not presets.shared:
        lines.append(_("Keep options that you use often with `/preset save`."))
    colour = BLURPLE if presets.own or presets.shared else GREY
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=colour))


def deleted_panel(deleted: Deleted) -> ui.LayoutView:
    """Return that a preset is gone, with the button that brings it back."""
    preset = deleted.preset
    title = _("The server's preset {name} is deleted") if preset.shared else _("Your preset {name} is deleted")
    lines = [f"## {title.format(name=escaped(preset.name))}", *_contents(preset)]
    lines.append("-# " + _("Undo brings it back, for a day."))
    container: ui.Container[ui.LayoutView] = ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREY)
    container.add_item(ui.ActionRow(RESTORE.build(deleted.undo_token)))
    return payload_view(container)


def restored_panel(preset: Preset) -> ui.LayoutView:
    """Return that a preset is back."""
    title = _("The server's preset {name} is back") if preset.shared else _("Your preset {name} is back")
    lines = [f"## {title.format(name=escaped(preset.name))}", *_contents(preset)]
    return payload_view(ui.Container(ui.TextDisplay("\n".join(lines)), accent_colour=GREEN))


def _section(title: str, presets: Sequence[Preset], room: int) -> list[str]:
    """Return the presets of one shelf, as many as there is room for, and how many more there are."""
    heading = _("{title} · {count} of {most}").format(title=title, count=number(len(presets)), most=number(MAX_PRESETS))
    lines = [f"### {heading}"]
    if not presets:
        return [*lines, f"-# {_('none yet')}"]
    room -= _MARGIN
    for shown, preset in enumerate(presets):
        entry = "\n".join([f"**{escaped(preset.name)}**", *_contents(preset)])
        room -= len(entry.encode("utf-16-le")) // 2 + 1
        if room < 0:
            more = len(presets) - shown
            said = ngettext("and {count} more", "and {count} more", more).format(count=number(more))
            return [*lines, f"-# {said}"]
        lines.append(entry)
    return lines


def _contents(preset: Preset) -> list[str]:
    """Return the prompt's frame and the options in small print, those that there are."""
    lines = [f"-# {escaped(cut(preset.template, _TEMPLATE_SHOWN))}"] if preset.template else []
    options = " · ".join(_options(preset.options))
    return [*lines, f"-# {options}"] if options else lines


def _options(options: Mapping[str, Any]) -> list[str]:
    """Return the options that a preset chooses, in the words of the cards."""
    words = []
    for name, typed in options.items():
        spec = OPTIONS.get(name)
        # What is parsed is kept in a preset as it was typed.
        words.append(str(typed) if spec is None else option_words(spec, typed, escape=spec.parse is not None))
    return words
