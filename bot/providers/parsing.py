"""Picture addresses, job handles and amounts out of answers that the documents describe in more than one shape."""

import math
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

_MAX_HANDLE: Final = 200
_LISTS: Final = ("images", "generated_images", "resultUrls", "result_urls", "urls")

_HIGHEST_COST: Final = 2**31 - 1


def image_urls(value: object) -> tuple[str, ...]:
    """Return the picture addresses of a result in their order, without duplicates.

    A result is a bare list, or an object with one or more lists; their items are addresses or objects with `url`
    (seed: header text `images[].url`; Quickstart `generated_images` strings; Webhook `generated_images[].url`).
    What is no absolute http(s) address is left out.
    """
    return tuple(dict.fromkeys(url for url in _candidates(value) if isinstance(url, str) and _is_address(url)))


def handle_of(value: object) -> str | None:
    """Return a job's name as the provider gave it, or None if it cannot be put in an address safely."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    handle = value.strip()
    # A dot segment would be resolved and so name another path.
    fits = 0 < len(handle) <= _MAX_HANDLE and handle.isprintable() and handle.isascii() and handle not in {".", ".."}
    return handle if fits else None


def cost_of(value: object) -> int | None:
    """Return an amount in the provider's units as an integer (a fraction counts as a whole unit), if there is one.

    One that no column of a database holds is no amount.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _HIGHEST_COST:
        return None
    return math.ceil(value)


def _candidates(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield item.get("url") if isinstance(item, dict) else item
    elif isinstance(value, dict):
        for key in _LISTS:
            if isinstance(value.get(key), list):
                yield from _candidates(value[key])


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
