"""Parts of a multipart/form-data body, cut without changing a byte."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))', re.IGNORECASE)
_PARAMETER: Final = re.compile(r'[;\s](filename|name)="((?:[^"\\]|\\.)*)"')
_MAX_PARTS: Final = 200


class MultipartError(ValueError):
    """A broken multipart body; its text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a form; a `filename` of None marks a plain field."""

    name: str
    content: bytes = field(repr=False)
    filename: str | None = None
    content_type: str = "text/plain"

    @property
    def text(self) -> str:
        """Return the content of a plain field."""
        return self.content.decode(errors="replace")

    def as_json(self) -> Any:
        """Return the field's text, or a file's description without its bytes."""
        if self.filename is None:
            return self.text
        digest = hashlib.sha256(self.content).hexdigest()
        return {"content_type": self.content_type, "length": len(self.content), "sha256": digest}


def is_multipart(content_type: str) -> bool:
    """Return whether a Content-Type header announces a form with files."""
    return content_type.lower().startswith("multipart/form-data")


def parse_multipart(content_type: str, body: bytes) -> list[Part]:
    """Return the parts of a body in their order.

    Raises:
        MultipartError: The boundary, a part's header or the end is missing.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise MultipartError("the boundary is missing")
    return list(_parts((found[1] or found[2]).encode(), body))


def form_json(parts: list[Part]) -> dict[str, Any]:
    """Return a form for the record: fields by name, repeated ones as a list."""
    form: dict[str, Any] = {}
    for part in parts:
        value = part.as_json()
        if part.name in form:
            earlier = form[part.name]
            form[part.name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            form[part.name] = value
    return form


def _parts(boundary: bytes, body: bytes) -> Iterator[Part]:
    delimiter = b"\r\n--" + boundary
    sections = (b"\r\n" + body).split(delimiter, _MAX_PARTS + 1)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):  # noqa: PLR2004 - a preamble and an end
        raise MultipartError(f"the end is missing, or there are more than {_MAX_PARTS} parts")
    for section in sections[1:-1]:
        head, separator, content = section.partition(b"\r\n\r\n")
        if not separator:
            raise MultipartError("a part has no header")
        yield _part(head.decode(errors="replace"), content)


def _part(head: str, content: bytes) -> Part:
    headers = {}
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    parameters = dict(_PARAMETER.findall(headers.get("content-disposition", "")))
    if "name" not in parameters:
        raise MultipartError("a part has no name")
    return Part(
        name=parameters["name"],
        filename=parameters.get("filename"),
        content_type=headers.get("content-type", "text/plain"),
        content=content,
    )
