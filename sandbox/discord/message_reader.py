"""A message as people and tests see it: texts, buttons, images, files."""

from collections.abc import Iterator

from sandbox.discord.components import SELECTS, Kind, media_slots, walk
from sandbox.discord.encoding import Json
from sandbox.discord.entities import Message


def _payload(message: Message | Json) -> Json:
    return message.payload if isinstance(message, Message) else message


def _of_kind(message: Message | Json, *kinds: int) -> Iterator[Json]:
    for _, component in walk(_payload(message)["components"]):
        if component["type"] in kinds:
            yield component


def texts(message: Message | Json) -> list[str]:
    """Return all texts of the message, from top to bottom."""
    payload = _payload(message)
    written = [payload["content"]] if payload["content"] else []
    for embed in payload["embeds"]:
        written += [embed[part] for part in ("title", "description") if embed.get(part)]
    return written + [component["content"] for component in _of_kind(message, Kind.TEXT_DISPLAY)]


def text(message: Message | Json) -> str:
    """Return all texts of the message as one string."""
    return "\n".join(texts(message))


def buttons(message: Message | Json) -> list[Json]:
    """Return the buttons, in their order."""
    return list(_of_kind(message, Kind.BUTTON))


def selects(message: Message | Json) -> list[Json]:
    """Return the select menus, in their order."""
    return list(_of_kind(message, *SELECTS))


def media(message: Message | Json) -> list[Json]:
    """Return the media objects of galleries and thumbnails, in their order."""
    shown = _of_kind(message, Kind.MEDIA_GALLERY, Kind.THUMBNAIL)
    return [slot for component in shown for _, slot in media_slots(component)]


def files(message: Message | Json) -> list[Json]:
    """Return the files: those of file components, then the plain attachments."""
    payload = _payload(message)
    return [component["file"] for component in _of_kind(message, Kind.FILE)] + list(payload["attachments"])
