"""Image options of the slash commands, and their autocompletion.

Both are derived from the table in `bot.domain.options`.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from types import MappingProxyType
from typing import Any, Final, TypeVar

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bot.domain.models import Model
from bot.domain.option_spec import OptionSpec
from bot.domain.options import OPTIONS, describe_model
from bot.domain.quotes import Quote
from bot.ui.i18n import N_, _
from bot.ui.render.error_messages import obstacle
from bot.ui.render.formatting import in_credits
from bot.ui.truncation import cut

OTHER_DESCRIPTIONS: Final = {
    "prompt": N_("Say what the picture shows"),
    "preset": N_("Use what was saved under a name; what you choose here comes before it"),
    "private": N_("Show the card to you alone; else your own default"),
}
"""The descriptions of what `/imagine` takes besides the image options."""
STUDIO_DEFAULT: Final = "default"
"""The value in `/settings` that gives an option back to the studio's default."""
STUDIO_DEFAULT_NAME: Final = N_("the studio's default")

_Callback = TypeVar("_Callback", bound=Callable[..., Any])
_Choices = list[app_commands.Choice[str]]
_MOST: Final = 25
_LONGEST: Final = 100


def image_options(*, after: str, editing: bool = False) -> Callable[[_Callback], _Callback]:
    """Return a decorator that adds all image options to a callback.

    The callback takes them as `**options`. They come after the parameter `after`. With `editing` they are described as
    those of an edit.
    """
    specs = tuple(OPTIONS.values())
    texts = {spec.name: (spec.edit_description if editing else None) or spec.description for spec in specs}
    choices = {spec.name: _choices(spec.choices, spec.labels) for spec in specs if spec.choices}
    return _options(specs, texts, choices, after, editing=editing)


def name_default_model(commands: Iterable[Any], model: str) -> None:
    """Write the studio's default model into the descriptions of commands.

    They are declared before the catalogue is known.
    """
    unnamed = describe_model()
    for command in commands:
        if isinstance(command, app_commands.Group):
            name_default_model(command.commands, model)
        elif isinstance(command, app_commands.Command):
            for name, parameter in command._params.items():  # noqa: SLF001 - discord.py has no other way
                described = parameter.description
                if isinstance(described, locale_str) and described.message == unnamed:
                    own = copy(parameter)
                    own.description = locale_str(describe_model(model))
                    command._params[name] = own  # noqa: SLF001 - as above


def setting_options(*, after: str) -> Callable[[_Callback], _Callback]:
    """Return a decorator that adds the options with an own default.

    Each also takes `STUDIO_DEFAULT`.
    """
    specs = tuple(spec for spec in OPTIONS.values() if spec.setting is not None)
    texts = {spec.name: spec.setting.description for spec in specs if spec.setting is not None}
    studio = app_commands.Choice(name=locale_str(STUDIO_DEFAULT_NAME), value=STUDIO_DEFAULT)
    choices = {spec.name: [studio, *_choices(spec.choices)] for spec in specs if spec.choices}
    return _options(specs, texts, choices, after)


def _options(
    specs: Iterable[OptionSpec],
    texts: Mapping[str, str],
    choices: Mapping[str, _Choices],
    after: str,
    *,
    editing: bool = False,
) -> Callable[[_Callback], _Callback]:
    parameters = [
        inspect.Parameter(spec.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(spec) | None)
        for spec in specs
    ]
    completed = {spec.name: _completion(spec, editing=editing) for spec in specs if spec.suggestions}

    def decorate(callback: _Callback) -> _Callback:
        signature = inspect.signature(callback)
        declared: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                declared.append(parameter)
            if parameter.name == after:
                declared += parameters
        # discord.py makes a command's options of the callback's signature.
        callback.__signature__ = signature.replace(parameters=declared)  # type: ignore[attr-defined]
        callback = app_commands.describe(**{name: locale_str(text) for name, text in texts.items()})(callback)
        callback = app_commands.choices(**choices)(callback)
        return app_commands.autocomplete(**completed)(callback)

    return decorate


def _annotation(spec: OptionSpec) -> Any:
    """Return the annotation of an option's parameter, as discord.py reads it."""
    if spec.is_typed_freely:
        return app_commands.Range[str, 1, spec.max_length]
    if spec.maximum is not None:
        return app_commands.Range[int, spec.minimum, spec.maximum]
    return spec.kind


def _completion(spec: OptionSpec, *, editing: bool) -> Callable[[discord.Interaction[Any], str], Any]:
    async def complete(_: discord.Interaction[Any], typed: str) -> _Choices:
        return suggested_choices(spec, typed, editing=editing)

    return complete


def _choices(values: Iterable[str], labels: Mapping[str, str] = MappingProxyType({})) -> _Choices:
    return [
        app_commands.Choice(name=locale_str(labels[value]) if value in labels else value, value=value)
        for value in values
    ]


def suggested_choices(spec: OptionSpec, typed: str, *, editing: bool = False) -> _Choices:
    """Return the suggestions of an option for the text typed so far.

    Those for edits come with `editing` only.
    """
    wanted = typed.strip().casefold()
    return [
        app_commands.Choice(name=_(label), value=value)
        for value, label in spec.suggestions.items()
        if (editing or value not in spec.edits_only)
        and (value.startswith(wanted) if spec.suggest_by_prefix else wanted in value)
    ]


def effect_choices(effects: Sequence[str], typed: str) -> _Choices:
    """Return the matching effects, or all of them if nothing matches."""
    wanted = typed.strip().casefold()
    matching = [name for name in effects if wanted in name.casefold()]
    return _choices((matching or effects)[:_MOST])


def model_choices(quotes: Iterable[Quote], typed: str) -> _Choices:
    """Return the matching models with the price of the options so far.

    Models that cannot do the options come last. If nothing matches, all are offered, in case of a typing error.
    """
    ranked = sorted(quotes, key=lambda quote: quote.price is None)
    wanted = typed.strip().casefold()
    matching = [quote for quote in ranked if wanted in _searched(quote.model)]
    return [
        app_commands.Choice(name=cut(_quoted(quote), _LONGEST), value=quote.model.id)
        for quote in (matching or ranked)[:_MOST]
    ]


def _searched(model: Model) -> str:
    return f"{model.id} {model.name} {_(model.strength)}".casefold()


def _quoted(quote: Quote) -> str:
    if quote.price is not None:
        return f"{quote.model.display_name} · {in_credits(quote.price)} · {_(quote.model.strength)}"
    return f"{quote.model.display_name} · {obstacle(quote.obstacle)}" if quote.obstacle else quote.model.display_name
