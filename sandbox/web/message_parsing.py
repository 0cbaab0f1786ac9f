"""What the page says over its socket, taken apart: every field is of the kind that it should be, or it is refused."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from sandbox.discord import ClientRefusal
from sandbox.discord.encoding import Json
from sandbox.web.uploads import Uploads


def parsed(text: str) -> Json:
    """Return a request as an object; raise `ClientRefusal` for what no page of ours says."""
    try:
        value = json.loads(text, parse_constant=_no_number)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise ClientRefusal("This is not JSON.") from None
    if not isinstance(value, dict):
        raise ClientRefusal("A request is an object.")
    return value


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a field that is a text."""
    value = body.get(name)
    if not isinstance(value, str):
        raise ClientRefusal(f"{name} is a text.")
    return value


def texts_of(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a field that is a list of texts; nothing is an empty list."""
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ClientRefusal(f"{name} is a list of texts.")
    return value


def options_of(body: Mapping[str, Any], uploads: Uploads) -> Json:
    """Return a command's options: plain values, and files in the place of `{"upload": id}`."""
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


def fields_of(body: Mapping[str, Any], uploads: Uploads) -> Json:
    """Return what was filled into a form: texts, booleans, lists of texts, and files for `{"uploads": [id]}`."""
    value = body.get("values") or {}
    if not isinstance(value, dict):
        raise ClientRefusal("values is an object.")
    fields: Json = {}
    for name, each in value.items():
        if isinstance(each, dict):
            fields[name] = [uploads.get(key) for key in texts_of(each, "uploads")]
        elif isinstance(each, list):
            fields[name] = texts_of(value, name)
        elif each is None or isinstance(each, (str, bool)):
            fields[name] = each
        else:
            raise ClientRefusal("This is no value.", field=name)
    return fields


def _no_number(value: str) -> NoReturn:
    raise ValueError(value)
