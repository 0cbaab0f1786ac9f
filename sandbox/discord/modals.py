"""Filling in a modal as a person would, and its submitted components."""

from collections.abc import Mapping
from typing import Any

from sandbox.discord.client_rules import ClientRefusal, Resolver
from sandbox.discord.components import Kind, completed, walk
from sandbox.discord.encoding import Json
from sandbox.discord.entities import Upload

LONGEST_INPUT = 4000


def filled_modal(modal: Json, values: Mapping[str, Any], resolver: Resolver) -> list[Json]:
    """Return the submitted components for `values` by custom_id.

    Omitted fields keep their default. A file upload takes a list of `Upload`s, a select a list of values (or names of
    members, roles, channels), a checkbox a bool, everything else a string.

    Raises:
        ClientRefusal: The form does not accept a value.
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
    field = component["custom_id"]
    if not text and component.get("required", True):
        raise ClientRefusal(f"{field} is required", field=field)
    if text and not least <= len(text) <= most:
        raise ClientRefusal(f"{field} takes {least} to {most} characters", field=field)
    return text


def _defaults(component: Json, resolver: Resolver) -> list[Any]:
    """Return the preselected values, without members or channels now gone."""
    if "options" in component:
        return [each["value"] for each in component["options"] if each.get("default")]
    values = component.get("default_values") or []
    return [each["id"] for each in values if resolver.knows(each["type"], each["id"])]


def _chosen(component: Json, given: list[Any] | None, resolver: Resolver) -> list[str]:
    options = component.get("options")
    if given is None:
        given = _defaults(component, resolver)
    picks = {
        Kind.FILE_UPLOAD: resolver.attachment,
        Kind.USER_SELECT: resolver.user,
        Kind.ROLE_SELECT: resolver.role,
        Kind.CHANNEL_SELECT: resolver.channel,
        Kind.MENTIONABLE_SELECT: resolver.mentionable,
    }
    pick: Any = picks.get(component["type"])
    field = component["custom_id"]
    if component["type"] == Kind.FILE_UPLOAD and not all(isinstance(each, Upload) for each in given):
        raise ClientRefusal(f"{field} takes files", field=field)
    try:
        chosen = [pick(each) for each in given] if pick else [str(each) for each in given]
    except KeyError as error:
        raise ClientRefusal(f"{field}: there is no {error.args[0]!r}", field=field) from None
    if component["type"] == Kind.CHANNEL_SELECT:
        for each in chosen:
            resolver.require_kind(each, component.get("channel_types"), field=field)
    if options is not None:
        known = {each["value"] for each in options}
        if not known.issuperset(chosen):
            raise ClientRefusal(f"{field} offers {sorted(known)}", field=field)
    if len(set(chosen)) != len(chosen):
        raise ClientRefusal(f"{field} takes each only once", field=field)
    most = component.get("max_values", len(options or []) if component["type"] == Kind.CHECKBOX_GROUP else 1)
    if len(chosen) > most:
        raise ClientRefusal(f"{field} takes at most {most}", field=field)
    least = component.get("min_values", 1)
    # What need not be filled in may stay empty, but not be half filled in.
    if (chosen or component.get("required", True)) and len(chosen) < least:
        raise ClientRefusal(f"{field} takes at least {least}" if chosen else f"{field} is required", field=field)
    if component.get("required", True) and not chosen:
        raise ClientRefusal(f"{field} is required", field=field)
    return chosen
