"""Parsing and validation of the page's socket requests."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from sandbox.discord import ClientRefusal
from sandbox.discord.encoding import Json
from sandbox.web.uploads import Uploads


def parse_request(text: str) -> Json:
    """Return a request as an object.

    Raises:
        ClientRefusal: It is not a JSON object, or not valid UTF-8 text.
    """
    try:
        value = json.loads(text, parse_constant=_no_number)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
    except (ValueError, RecursionError):
        raise ClientRefusal("This is not JSON.") from None
    if not isinstance(value, dict):
        raise ClientRefusal("A request is an object.")
    return value


def read_text(body: Mapping[str, Any], name: str) -> str:
    """Return a text field."""
    value = body.get(name)
    if not isinstance(value, str):
        raise ClientRefusal(f"{name} is a text.")
    return value


def read_texts(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a field with a list of texts; a missing one is an empty list."""
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ClientRefusal(f"{name} is a list of texts.")
    return value


def read_options(body: Mapping[str, Any], uploads: Uploads) -> Json:
    """Return a command's options.

    Values are plain; `{"upload": id}` is replaced by its file.
    """
    value = body.get("options") or {}
    if not isinstance(value, dict):
        raise ClientRefusal("options is an object.")
    options: Json = {}
    for name, each in value.items():
        if isinstance(each, dict):
            options[name] = uploads.get(each.get("upload"))
        elif each is None or isinstance(each, list):
            raise ClientRefusal("This is no value.", field=name)
        else:
            options[name] = each
    return options


def read_fields(body: Mapping[str, Any], uploads: Uploads) -> Json:
    """Return a form's values: texts, booleans and lists of texts.

    `{"uploads": [id]}` is replaced by its files.
    """
    value = body.get("values") or {}
    if not isinstance(value, dict):
        raise ClientRefusal("values is an object.")
    fields: Json = {}
    for name, each in value.items():
        if isinstance(each, dict):
            fields[name] = [uploads.get(key) for key in read_texts(each, "uploads")]
        elif isinstance(each, list):
            fields[name] = read_texts(value, name)
        elif each is None or isinstance(each, (str, bool)):
            fields[name] = each
        else:
            raise ClientRefusal("This is no value.", field=name)
    return fields


def _no_number(value: str) -> NoReturn:
    raise ValueError(value)
