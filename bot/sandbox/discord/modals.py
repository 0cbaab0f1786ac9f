"""Filling in a modal as a person would, and the components that its submission sends."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.discord.client_rules import ClientRefusal, Resolver
from bot.sandbox.discord.components import Kind, completed, walk
from bot.sandbox.discord.wire import Json

LONGEST_INPUT = 4000


def filled_modal(modal: Json, values: Mapping[str, Any], resolver: Resolver) -> list[Json]:
    """Return the submitted components for `values` by custom_id; what is left out keeps its default.

    A file upload takes a list of `Upload`s, a select a list of values (or names of members, roles, channels), a
    checkbox a bool, everything else a string. Raises `ClientRefusal` for what the form does not take.
    """
    components = completed(modal["components"])
    fields = {each["custom_id"] for _, each in walk(components) if "custom_id" in each}
    unknown = [name for name in values if name not in fields]
    if unknown:
        raise ClientRefusal(f"the form has no {', '.join(unknown)}; it has: {', '.join(sorted(fields))}")
    return [_submitted(component, values, resolver) for component in components]


def _submitted(component: Json, values: Mapping[str, Any], resolver: Resolver) -> Json:
    base = {"type": component["type"], "id": component["id"]}
    if component["type"] == Kind.ACTION_ROW:
        return {**base, "components": [_submitted(each, values, resolver) for each in component["components"]]}
    if component["type"] == Kind.LABEL:
        return {**base, "component": _submitted(component["component"], values, resolver)}
    if component["type"] == Kind.TEXT_DISPLAY:
        return base
    base["custom_id"] = component["custom_id"]
    given = values.get(component["custom_id"])
    match component["type"]:
        case Kind.TEXT_INPUT:
            base["value"] = _typed(component, given)
        case Kind.CHECKBOX:
            base["value"] = bool(component.get("default") if given is None else given)
        case Kind.RADIO_GROUP:
            chosen = _chosen(component, None if given is None else [given], resolver)
            base["value"] = chosen[0] if chosen else None
        case _:
            base["values"] = _chosen(component, given, resolver)
    return base


def _typed(component: Json, given: Any) -> str:
    text = str(component.get("value") or "") if given is None else str(given)
    least, most = component.get("min_length") or 0, component.get("max_length") or LONGEST_INPUT
    if not text and component.get("required", True):
        raise ClientRefusal(f"{component['custom_id']} is required")
    if text and not least <= len(text) <= most:
        raise ClientRefusal(f"{component['custom_id']} takes {least} to {most} characters")
    return text


def _chosen(component: Json, given: list[Any] | None, resolver: Resolver) -> list[str]:
    options = component.get("options")
    if given is None:
        given = [each["value"] for each in options or [] if each.get("default")]
    picks = {
        Kind.FILE_UPLOAD: resolver.attachment,
        Kind.USER_SELECT: resolver.user,
        Kind.ROLE_SELECT: resolver.role,
        Kind.CHANNEL_SELECT: resolver.channel,
        Kind.MENTIONABLE_SELECT: resolver.mentionable,
    }
    pick: Any = picks.get(component["type"])
    chosen = [pick(each) for each in given] if pick else [str(each) for each in given]
    if options is not None:
        known = {each["value"] for each in options}
        if not known.issuperset(chosen):
            raise ClientRefusal(f"{component['custom_id']} offers {sorted(known)}")
    most = component.get("max_values", len(options or []) if component["type"] == Kind.CHECKBOX_GROUP else 1)
    if len(chosen) > most:
        raise ClientRefusal(f"{component['custom_id']} takes at most {most}")
    if component.get("required", True) and len(chosen) < (component.get("min_values") or 1):
        raise ClientRefusal(f"{component['custom_id']} is required")
    return chosen
