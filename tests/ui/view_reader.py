"""Readers of outgoing views: escapes, limits and parts of a card."""

import re
from collections.abc import Iterator
from typing import Any

from discord import ui

from bot.ui.component_tree import walk
from bot.ui.render.formatting import one_line

# Discord's client: a backslash before anything that is no letter, digit or space stands for that character.
_ESCAPE = re.compile(r"\\([^0-9A-Za-z\s])")
_ACTIVE = frozenset("*_~`|<>[]()#")


def unescaped(text: str) -> str:
    """Return the visible text without escapes and invisible characters."""
    return _ESCAPE.sub(r"\1", text).replace("@\u200b", "@")


def plain(text: str) -> str:
    """Return typed text as it should be read, without turns of direction."""
    return one_line(re.sub("[\u202a-\u202e\u2066-\u2069]", "", text)).replace("@\u200b", "@")


def active(text: str) -> list[str]:
    """Return the characters with a formatting effect on Discord."""
    return [character for character in _ESCAPE.sub("", text) if character in _ACTIVE]


def parts(view: ui.LayoutView) -> Iterator[dict[str, Any]]:
    """Yield every component of a sent card, outermost first."""
    yield from walk(view.to_components())  # type: ignore[no-untyped-call]


def texts(view: ui.LayoutView) -> list[str]:
    """Return a card's texts, top to bottom."""
    return [part["content"] for part in parts(view) if "content" in part]


def labels(view: ui.LayoutView) -> list[str]:
    """Return the labels of a card's buttons."""
    return [part["label"] for part in parts(view) if "label" in part]


def colour(view: ui.LayoutView) -> int:
    """Return a card's accent."""
    (container,) = view.to_components()  # type: ignore[no-untyped-call]
    value: int = container["accent_color"]
    return value


def gallery(view: ui.LayoutView) -> list[tuple[str, str]]:
    """Return a card's images with their alternative text."""
    return [(item["media"]["url"], item["description"]) for part in parts(view) for item in part.get("items", [])]


def utf16(text: str) -> int:
    """Return a length by the count of Discord's clients."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
