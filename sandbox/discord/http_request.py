"""One REST request: its route, and reading its body (JSON or multipart)."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias

from aiohttp import content_disposition_filename, parse_content_disposition, web
from aiohttp.helpers import parse_mimetype

from sandbox.discord.encoding import Json
from sandbox.discord.entities import Upload
from sandbox.discord.errors import INVALID_JSON, api_error

_FILE_FIELD = re.compile(r"^files?\[(\d+)\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request with a known route. `files` are by their number in `files[n]`."""

    method: str
    template: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    files: Mapping[str, Upload] = field(default_factory=dict)

    @property
    def json(self) -> Json:
        """The body as an object; another type is code 50109."""
        if not isinstance(self.body, dict):
            raise api_error(INVALID_JSON)
        return self.body


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer; None is an empty body."""

    body: Any = None
    status: int = HTTPStatus.OK


NO_CONTENT = Reply(status=HTTPStatus.NO_CONTENT)

Handler: TypeAlias = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path in the spelling of Discord's description.

    `open` routes are guarded by a token in their path.
    """

    method: str
    template: str
    handler: Handler
    open: bool = False


async def read_body(request: web.Request) -> tuple[Any, dict[str, Upload]]:
    """Return a request's JSON (or its `payload_json`) and its files.

    Invalid JSON is code 50109.
    """
    raw = await request.read()
    if request.content_type == "multipart/form-data":
        return _from_multipart(raw, parse_mimetype(request.headers["Content-Type"]).parameters.get("boundary", ""))
    return (_parsed(raw) if raw else None), {}


def _from_multipart(raw: bytes, boundary: str) -> tuple[Any, dict[str, Upload]]:
    # Read whole and cut at the boundaries: for pictures this is many times faster than aiohttp's reader of lines.
    body: Any = {}
    files: dict[str, Upload] = {}
    for part in (b"\r\n" + raw).split(f"\r\n--{boundary}".encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        headers = dict(line.partition(": ")[::2] for line in head.decode(errors="replace").strip().splitlines())
        _, about = parse_content_disposition(headers.get("Content-Disposition"))
        name = about.get("name", "")
        numbered = _FILE_FIELD.match(name)
        if numbered is not None:
            content_type = headers.get("Content-Type")
            # discord.py calls every file an octet stream; its name says more.
            known = None if content_type == "application/octet-stream" else content_type
            files[numbered[1]] = Upload(content_disposition_filename(about) or "unknown", data, known)
        elif name == "payload_json":
            body = _parsed(data)
    return body, files


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise api_error(INVALID_JSON) from None
