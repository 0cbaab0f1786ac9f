"""Component trees: walking, ids, defaults, `attachment://` links."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from sandbox.discord.encoding import Json
from sandbox.discord.errors import Path


class Kind(IntEnum):
    """Component types (Discord: Components, Component Reference)."""

    ACTION_ROW = 1
    BUTTON = 2
    STRING_SELECT = 3
    TEXT_INPUT = 4
    USER_SELECT = 5
    ROLE_SELECT = 6
    MENTIONABLE_SELECT = 7
    CHANNEL_SELECT = 8
    SECTION = 9
    TEXT_DISPLAY = 10
    THUMBNAIL = 11
    MEDIA_GALLERY = 12
    FILE = 13
    SEPARATOR = 14
    CONTAINER = 17
    LABEL = 18
    FILE_UPLOAD = 19
    RADIO_GROUP = 21
    CHECKBOX_GROUP = 22
    CHECKBOX = 23


SELECTS = frozenset(
    {Kind.STRING_SELECT, Kind.USER_SELECT, Kind.ROLE_SELECT, Kind.MENTIONABLE_SELECT, Kind.CHANNEL_SELECT}
)

_SELECT_DEFAULTS: Json = {"min_values": 1, "max_values": 1, "disabled": False}
_DEFAULTS: dict[int, Json] = {
    Kind.BUTTON: {"disabled": False},
    Kind.STRING_SELECT: _SELECT_DEFAULTS,
    Kind.USER_SELECT: _SELECT_DEFAULTS,
    Kind.ROLE_SELECT: _SELECT_DEFAULTS,
    Kind.MENTIONABLE_SELECT: _SELECT_DEFAULTS,
    Kind.CHANNEL_SELECT: _SELECT_DEFAULTS,
    Kind.THUMBNAIL: {"description": None, "spoiler": False},
    Kind.FILE: {"name": None, "size": None, "spoiler": False},
    Kind.SEPARATOR: {"divider": True, "spacing": 1},
    Kind.CONTAINER: {"accent_color": None, "spoiler": False},
}
_ITEM_DEFAULTS: Json = {"description": None, "spoiler": False}


def children(component: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield the components directly inside this one, each with its path."""
    nested = component.get("components")
    for index, child in enumerate(nested if isinstance(nested, list) else []):
        if isinstance(child, dict):
            yield (*path, "components", index), child
    for key in ("accessory", "component"):
        child = component.get(key)
        if isinstance(child, dict):
            yield (*path, key), child


def walk(components: list[Json], path: Path = ("components",)) -> Iterator[tuple[Path, Json]]:
    """Yield every component with its path, parents before children."""
    stack = [((*path, index), each) for index, each in reversed(list(enumerate(components))) if _is_object(each)]
    while stack:
        here, component = stack.pop()
        yield here, component
        stack.extend(reversed(list(children(component, here))))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def media_slots(component: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield a component's own media objects (`{"url": ...}`) with their paths."""
    for key in ("media", "file"):
        if isinstance(component.get(key), dict):
            yield (*path, key), component[key]
    items = component.get("items")
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict) and isinstance(item.get("media"), dict):
            yield (*path, "items", index, "media"), item["media"]


def mapped_media(components: list[Json], change: Callable[[Json], Json]) -> list[Json]:
    """Return a copy of the trees with `change(media)` for every media object."""
    return [_mapped(component, change) for component in components]


def _mapped(component: Json, change: Callable[[Json], Json]) -> Json:
    copy = dict(component)
    for key in ("media", "file"):
        if isinstance(copy.get(key), dict):
            copy[key] = change(copy[key])
    if copy.get("type") == Kind.MEDIA_GALLERY:
        copy["items"] = [{**item, "media": change(item["media"])} for item in copy["items"]]
    if isinstance(copy.get("components"), list):
        copy["components"] = mapped_media(copy["components"], change)
    for key in ("accessory", "component"):
        if isinstance(copy.get(key), dict):
            copy[key] = _mapped(copy[key], change)
    return copy


def completed(components: list[Json]) -> list[Json]:
    """Return a copy with an id for every component and the default fields."""
    taken = {component["id"] for _, component in walk(components) if component.get("id")}
    free = (number for number in range(1, 1_000_000) if number not in taken)
    return [_completed(component, free) for component in components]


def _completed(component: Json, free: Iterator[int]) -> Json:
    given = {key: value for key, value in component.items() if value is not None}
    copy = {**_DEFAULTS.get(component["type"], {}), **given}
    copy["id"] = component.get("id") or next(free)
    if isinstance(copy.get("default_values"), list):
        # Clients may send numbers, but Discord's objects have texts.
        copy["default_values"] = [{**each, "id": str(each["id"])} for each in copy["default_values"]]
    if copy["type"] == Kind.MEDIA_GALLERY:
        copy["items"] = [{**_ITEM_DEFAULTS, **item} for item in copy["items"]]
    if isinstance(copy.get("components"), list):
        copy["components"] = [_completed(child, free) for child in copy["components"]]
    for key in ("accessory", "component"):
        if isinstance(copy.get(key), dict):
            copy[key] = _completed(copy[key], free)
    return copy


def text_length(components: list[Json]) -> int:
    """Return the length of all text displays together; Discord allows 4,000."""
    return sum(
        len(str(each.get("content", ""))) for _, each in walk(components) if each.get("type") == Kind.TEXT_DISPLAY
    )


def emoji_of(component: Json) -> Any:
    """Return a button's emoji name, if it has one."""
    emoji = component.get("emoji")
    return emoji.get("name") if isinstance(emoji, dict) else None
