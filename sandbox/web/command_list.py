"""The commands as a person's client offers them: each use of one, described in their language."""

from typing import Any

from sandbox.discord.client_rules import SUBCOMMAND, SUBCOMMAND_GROUP
from sandbox.discord.encoding import Json


def uses(command: Json, locale: str) -> list[Json]:
    """Return every use of a command: itself, or each of its subcommands. Names stay: they are what is typed."""
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
            found.append({"name": name, "description": _said(node, "description", locale), "options": shown})
    return found


def named(command: Json, locale: str) -> Json:
    """Return the name of a menu, and what stands in its place in a language."""
    return {"name": command["name"], "label": _said(command, "name", locale)}


def _option(option: Json, locale: str) -> Json:
    shown: dict[str, Any] = {key: each for key, each in option.items() if not key.endswith("_localizations")}
    shown["description"] = _said(option, "description", locale)
    if option.get("choices"):
        shown["choices"] = [{"name": _said(each, "name", locale), "value": each["value"]} for each in option["choices"]]
    return shown


def _said(node: Json, field: str, locale: str) -> Any:
    return (node.get(f"{field}_localizations") or {}).get(locale) or node.get(field)
