"""Decoding of images inside a request: data URIs and base64."""

import base64
import binascii
import re
from typing import Final

_DATA_URI: Final = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.-]+)*;base64,", re.ASCII)


def is_data_uri(value: str) -> bool:
    """Return whether a text is a data URI, valid or not."""
    return value[:5].lower() == "data:"


def decode_data_uri(uri: str) -> bytes:
    """Return the bytes of a base64 data URI.

    Raises:
        ValueError: It has another form, or its base64 is broken.
    """
    head = _DATA_URI.match(uri)
    if head is None:
        raise ValueError("no base64 data URI")
    return decode_base64(uri[head.end() :])


def decode_base64(value: str) -> bytes:
    """Return the bytes of a base64 text.

    Raises:
        ValueError: The base64 is broken or empty.
    """
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("broken base64") from error
    if not content:
        raise ValueError("empty base64")
    return content
