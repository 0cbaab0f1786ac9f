"""Panels of `/preset`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from discord import ui

from bot.domain.options import OPTIONS
from bot.domain.presets import MAX_PRESETS, Preset
from bot.services.presets import Deleted, Presets
from bot.ui.buttons import RESTORE
from bot.ui.i18n import _
from bot.ui.render.formatting import and_more, escaped, number
from bot.ui.render.job_card import BLURPLE, GREEN, GREY, option_words, payload_view
from bot.ui.truncation import cut

_TEMPLATE_SHOWN: Final = 120
# Discord takes 4,000 characters in all the texts of a message, counted as UTF-16; a heading and a last line need some.
_ROOM: Final = 3900
_MARGIN: Final = 150


def saved_panel(preset: Preset, *, replaced: bool) -> ui.LayoutView:
    """Return the panel after saving a preset, with its use."""
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
    """Return a list of presets within `room`, and the number left out."""
    heading = _("{title} · {count} of {most}").format(title=title, count=number(len(presets)), most=number(MAX_PRESETS))
    lines = [f"### {heading}"]
    if not presets:
        return [*lines, f"-# {_('none yet')}"]
    room -= _MARGIN
    for shown, preset in enumerate(presets):
        entry = "\n".join([f"**{escaped(preset.name)}**", *_contents(preset)])
        room -= len(entry.encode("utf-16-le")) // 2 + 1
        if room < 0:
            return [*lines, f"-# {and_more(len(presets) - shown)}"]
        lines.append(entry)
    return lines


def _contents(preset: Preset) -> list[str]:
    """Return the prompt's frame and the options in small print."""
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
