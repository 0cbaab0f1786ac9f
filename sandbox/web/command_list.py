"""The commands in a member's client, with descriptions in their language."""

from typing import Any

from sandbox.discord.client_rules import SUBCOMMAND, SUBCOMMAND_GROUP
from sandbox.discord.encoding import Json


def expand_subcommands(command: Json, locale: str) -> list[Json]:
    """Return the command itself, or each of its subcommands.

    Names are not translated: members type them.
    """
    found: list[Json] = []
    pending: list[tuple[str, Json]] = [(command["name"], command)]
    while pending:
        name, node = pending.pop(0)
        options: list[Json] = node.get("options") or []
        nested = [each for each in options if each["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP)]
        if nested:
            pending = [(f"{name} {each['name']}", each) for each in nested] + pending
        else:
            shown = [_option(each, locale) for each in options]
            found.append({"name": name, "description": _localized(node, "description", locale), "options": shown})
    return found


def menu_entry(command: Json, locale: str) -> Json:
    """Return the name of a menu and its label in a language."""
    return {"name": command["name"], "label": _localized(command, "name", locale)}


def _option(option: Json, locale: str) -> Json:
    shown: dict[str, Any] = {key: each for key, each in option.items() if not key.endswith("_localizations")}
    shown["description"] = _localized(option, "description", locale)
    if option.get("choices"):
        shown["choices"] = [
            {"name": _localized(each, "name", locale), "value": each["value"]} for each in option["choices"]
        ]
    return shown


def _localized(node: Json, field: str, locale: str) -> Any:
    return (node.get(f"{field}_localizations") or {}).get(locale) or node.get(field)
