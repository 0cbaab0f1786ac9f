"""ComfyUI's answers about its queue and its history."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

_NUMBER, _ID = 0, 1
_ENTRY_PARTS: Final = 2
_LONGEST_NAME: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The unfinished prompts: those at work, and places in the queue from 1."""

    running: frozenset[str]
    pending: Mapping[str, int]

    def __contains__(self, prompt_id: str) -> bool:
        """Return whether a prompt is unfinished."""
        return prompt_id in self.running or prompt_id in self.pending


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputImage:
    """The place of a saved image on the server."""

    filename: str
    subfolder: str

    @property
    def params(self) -> dict[str, str]:
        """Return the parameters of its address."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": "output"}


def parse_queue(document: object) -> Queue | None:
    """Return the queue in an answer; None if it is none."""
    if not isinstance(document, dict):
        return None
    running, pending = document.get("queue_running"), document.get("queue_pending")
    if not isinstance(running, list) or not isinstance(pending, list):
        return None
    places: dict[str, int] = {}
    for place, (_, id_) in enumerate(sorted(_entries(pending)), start=1):
        places.setdefault(id_, place)
    return Queue(running=frozenset(id_ for _, id_ in _entries(running)), pending=places)


def find_entry(document: object, prompt_id: str) -> dict[str, Any] | None:
    """Return a prompt's entry in the history; None without one."""
    entry = document.get(prompt_id) if isinstance(document, dict) else None
    return entry if isinstance(entry, dict) else None


def messages(entry: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the last message of each kind about a prompt."""
    status = entry.get("status")
    listed = status.get("messages") if isinstance(status, dict) else None
    found: dict[str, Mapping[str, Any]] = {}
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, list) and len(each) == _ENTRY_PARTS and isinstance(each[0], str):
            found[each[0]] = each[1] if isinstance(each[1], dict) else {}
    return found


def has_failed(entry: Mapping[str, Any]) -> bool:
    """Return whether an ended prompt is no success."""
    status = entry.get("status")
    return isinstance(status, dict) and status.get("status_str") == "error"


def output_images(entry: Mapping[str, Any]) -> list[OutputImage]:
    """Return the saved images in the order of the nodes; no previews."""
    outputs = entry.get("outputs")
    found: list[OutputImage] = []
    for output in outputs.values() if isinstance(outputs, dict) else ():
        listed = output.get("images") if isinstance(output, dict) else None
        found += filter(None, map(_image, listed if isinstance(listed, list) else ()))
    return list(dict.fromkeys(found))


def _image(value: object) -> OutputImage | None:
    if not isinstance(value, dict) or value.get("type") != "output":
        return None
    filename, subfolder = value.get("filename"), value.get("subfolder", "")
    if not _is_name(filename) or not filename or not _is_name(subfolder):
        return None
    return OutputImage(filename=filename, subfolder=subfolder)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and value.isprintable()


def _entries(listed: list[Any]) -> Iterator[tuple[float, str]]:
    """Yield number and id of each entry."""
    for each in listed:
        if not isinstance(each, list) or len(each) < _ENTRY_PARTS:
            continue
        number, id_ = each[_NUMBER], each[_ID]
        if isinstance(number, int | float) and isinstance(id_, str):
            yield number, id_
