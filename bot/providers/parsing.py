"""Parsing of image URLs, job handles and amounts in answers.

The documents describe them in more than one form.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Final
from urllib.parse import urlsplit

MOST_IMAGES: Final = 16
"""Of an answer: a few more than a call can ask for, since some may be unusable."""

_MOST_ITEMS: Final = 1000
_LONGEST_ADDRESS: Final = 8 * 1024
_MAX_HANDLE: Final = 200
_LISTS: Final = ("images", "generated_images", "resultUrls", "result_urls", "urls")

_LOWEST_ERROR: Final = 400
_HIGHEST_ERROR: Final = 599
# A longer number is no status, and Python refuses to read thousands of digits.
_DIGITS: Final = re.compile("[0-9]{3}")
_HIGHEST_COST: Final = 2**31 - 1


def image_urls(value: object) -> tuple[str, ...]:
    """Return the image URLs of a result in order, without duplicates.

    A result is a bare list, or an object with one or more lists; their items are URLs or objects with `url`
    (seed: header text `images[].url`; Quickstart `generated_images` strings; Webhook `generated_images[].url`).
    Anything but an absolute http(s) URL is left out, and so are those beyond `MOST_IMAGES`.
    """
    urls = (url for url in islice(_candidates(value), _MOST_ITEMS) if isinstance(url, str) and _is_address(url))
    return tuple(islice(dict.fromkeys(urls), MOST_IMAGES))


def handle_of(value: object) -> str | None:
    """Return the provider's name of a job.

    None if it cannot be put in a URL safely.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    handle = value.strip()
    # A dot segment would be resolved and so name another path.
    fits = 0 < len(handle) <= _MAX_HANDLE and handle.isprintable() and handle.isascii() and handle not in {".", ".."}
    return handle if fits else None


def error_code(value: object) -> int | None:
    """Return the code of an envelope if it is the HTTP status of an error."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and _LOWEST_ERROR <= value <= _HIGHEST_ERROR else None


def amount_of(value: object) -> Decimal | None:
    """Return an amount of money or credits, if there is one.

    An amount too large for a database column counts as none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _HIGHEST_COST:
        return None
    return Decimal(str(value))


def balance_in(document: object, name: str) -> Decimal | None:
    """Return the field of an account's money, if there is one.

    It may be below zero.
    """
    value = document.get(name) if isinstance(document, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return Decimal(str(value))


def _candidates(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for item in value:
            yield item.get("url") if isinstance(item, dict) else item
    elif isinstance(value, dict):
        for key in _LISTS:
            if isinstance(value.get(key), list):
                yield from _candidates(value[key])


def _is_address(text: str) -> bool:
    if len(text) > _LONGEST_ADDRESS:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
