"""Types and ranges of a command's values: discord.py checks neither."""

from collections.abc import Mapping
from typing import Any, Final

import discord
from discord import AppCommandOptionType, app_commands

from bot.domain.options import OPTIONS

_LEFT_TO_DOMAIN: Final = frozenset({*OPTIONS, "amount"})
_TYPES: Final[Mapping[AppCommandOptionType, tuple[type, ...]]] = {
    AppCommandOptionType.string: (str,),
    AppCommandOptionType.integer: (int,),
    AppCommandOptionType.number: (int, float),
    AppCommandOptionType.boolean: (bool,),
    AppCommandOptionType.attachment: (discord.Attachment,),
}


class OddValueError(app_commands.AppCommandError):
    """A value that the registered command does not take.

    An old client or a forged one sent it.
    """


def check_values(interaction: discord.Interaction[Any]) -> None:
    """Check the options of a slash command against its registration.

    The ranges of image options and of amounts are left to the domain, which names the valid ones.

    Raises:
        OddValueError: an option is unknown, or its value has another type or is out of range.
    """
    command = interaction.command
    if not isinstance(command, app_commands.Command):
        return
    known = {parameter.display_name: parameter for parameter in command.parameters}
    for name, value in interaction.namespace:
        if name not in known or not _is_taken(known[name], value):
            raise OddValueError(name)


def _is_taken(parameter: app_commands.Parameter, value: object) -> bool:
    kinds = _TYPES.get(parameter.type)
    if kinds is None:
        return not isinstance(value, discord.Object)  # a member, role or channel that Discord did not describe
    if not isinstance(value, kinds) or isinstance(value, bool) is not (bool in kinds):
        return False
    if parameter.name in _LEFT_TO_DOMAIN:
        return True
    size = len(value) if isinstance(value, str) else value
    if isinstance(size, int | float):
        least, most = parameter.min_value, parameter.max_value
        if (least is not None and size < least) or (most is not None and size > most):
            return False
    return not parameter.choices or value in [choice.value for choice in parameter.choices]
