"""Discord's rules for application commands."""

import re

from sandbox.discord.encoding import Json
from sandbox.discord.errors import FormErrors, Path

OPTIONS = 25
CHOICES = 25
CHOICE_NAME = 100
TOTAL = 8000
CHAT_INPUT = 1
ENTRY_POINT = 4
SUBCOMMAND = 1
SUBCOMMAND_GROUP = 2
STRING = 3
INTEGER = 4
NUMBER = 10
LAST_OPTION_KIND = 11

_CHOOSABLE = (STRING, INTEGER, NUMBER)
_NAME = re.compile(r"^[-_'\w]{1,32}$")


def check_command(command: Json, form: FormErrors, path: Path = ()) -> None:
    """Add the mistakes of one command to `form`."""
    name = command.get("name")
    if not isinstance(name, str):
        form.required((*path, "name"))
        return
    if command.get("type") in (None, CHAT_INPUT):
        _check_name(name, path, form)
        form.length(command.get("description"), (*path, "description"), 1, 100)
        _check_options(command.get("options") or [], (*path, "options"), form, parent=None)
        if _size(command) > TOTAL:
            form.add(path, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({TOTAL})")
    else:
        form.length(name, (*path, "name"), 1, 32)
        for field in () if command["type"] == ENTRY_POINT else ("description", "options"):
            if command.get(field):
                form.add((*path, field), "APPLICATION_COMMAND_INVALID", "Context menu commands cannot have this field")


def _check_name(name: object, path: Path, form: FormErrors) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name != name.lower():
        form.add(
            (*path, "name"),
            "APPLICATION_COMMAND_INVALID_NAME",
            "Command name is invalid",
        )


def _check_options(options: list[Json], path: Path, form: FormErrors, *, parent: int | None) -> None:
    form.length(options, path, 0, OPTIONS)
    names: set[str] = set()
    optional_seen = False
    for index, option in enumerate(options):
        here = (*path, index)
        name, kind = option.get("name"), option.get("type")
        _check_name(name, here, form)
        form.length(option.get("description"), (*here, "description"), 1, 100)
        if not isinstance(kind, int) or not SUBCOMMAND <= kind <= LAST_OPTION_KIND:
            form.add((*here, "type"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, ..., 11).")
            continue
        if str(name) in names:
            form.add((*here, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATE", "Option names must be unique")
        names.add(str(name))
        if kind in (SUBCOMMAND, SUBCOMMAND_GROUP):
            if parent is not None and (parent, kind) != (SUBCOMMAND_GROUP, SUBCOMMAND):
                form.add((*here, "type"), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Nested too deeply")
            _check_options(option.get("options") or [], (*here, "options"), form, parent=kind)
            continue
        if option.get("required"):
            if optional_seen:
                form.add(
                    here,
                    "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                    "Required options must be placed before non-required options",
                )
        else:
            optional_seen = True
        _check_choices(option, here, form)


def _check_choices(option: Json, path: Path, form: FormErrors) -> None:
    choices = option.get("choices")
    if not choices:
        return
    if option["type"] not in _CHOOSABLE or option.get("autocomplete"):
        form.add(
            (*path, "choices"), "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Choices do not go with this option"
        )
    form.length(choices, (*path, "choices"), 0, CHOICES)
    for index, choice in enumerate(choices):
        here = (*path, "choices", index)
        form.length(choice.get("name"), (*here, "name"), 1, CHOICE_NAME)
        value = choice.get("value")
        if option["type"] == STRING:
            form.length(value, (*here, "value"), 1, CHOICE_NAME)
        elif isinstance(value, bool) or not isinstance(value, (int, float)):
            form.add((*here, "value"), "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.')


def _size(node: Json) -> int:
    own = len(str(node.get("name", ""))) + len(str(node.get("description") or ""))
    choices = node.get("choices") or []
    own += sum(len(str(choice.get("name", ""))) + len(str(choice.get("value", ""))) for choice in choices)
    return own + sum(_size(option) for option in node.get("options") or [])
