"""All faults of the panel: documented errors of the services, and others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers import (
    BflServer,
    ComfyServer,
    Endpoint,
    FalServer,
    GeminiServer,
    ImageApiServer,
    Kind,
    OpenAiImagesServer,
    OpenRouterServer,
)
from sandbox.web.case_labels import CASE_LABELS, ERRORS, RESULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One fault of the panel.

    `service` is a provider's name or "discord"; `how` holds the fields of its fault. `hint` names the case in which it
    has no effect.
    """

    id: str
    service: str
    group: str
    label: str
    how: Mapping[str, Any] = field(default_factory=dict)
    hint: str | None = None


_SUBMIT_SKILLBOSS: Final = {
    400: "Bad request",
    401: "Wrong key",
    402: "Balance too low",
    429: "Too many requests",
    500: "Transient upstream issue",
    503: "No capacity",
}
_SUBMIT_REVE2IMG: Final = {
    400: "Invalid parameters",
    401: "Invalid key",
    402: "Insufficient credits",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}
# Refusals of a submit with words that name a cause.
_NAMED: Final = {
    "Unknown model": "unknown model",
    "This model has been discontinued.": "model withdrawn",
    "webhook_url is not reachable.": "webhook refused",
}
_STATUS: Final = {
    401: "Wrong key",
    404: "Unknown job",
    429: "Too many requests",
    500: "Server error",
    503: "Unavailable",
}

# Faults of any request: label, kind, further fields.
_ANY: Final[tuple[tuple[str, Kind, dict[str, Any]], ...]] = (
    ("No connection: nothing was done", Kind.RESET_BEFORE, {}),
    ("Reply lost: it was done all the same", Kind.RESET_AFTER, {}),
    ("Half a page from a proxy", Kind.MALFORMED, {}),
    ("Answer takes 10 s longer", Kind.DELAY, {"seconds": 10.0}),
)
_FATES: Final[tuple[tuple[str, Kind, dict[str, Any]], ...]] = (
    ("Job fails: vendor error", Kind.FAIL, {"reason": "vendor"}),
    ("Job fails: provider's balance", Kind.FAIL, {"reason": "balance"}),
    ("Job fails: content policy", Kind.FAIL, {"reason": "content"}),
    ("Job is stuck in the queue", Kind.STUCK, {"state": "IN_QUEUE"}),
    ("Job is stuck at work", Kind.STUCK, {"state": "IN_PROGRESS"}),
    ("Job completes without a picture", Kind.EMPTY, {}),
    ("Job ignores the aspect ratio", Kind.SQUARE, {}),
    ("Job is done in the answer itself", Kind.INLINE, {}),
    ("Result as objects", Kind.SHAPE, {"shape": "objects"}),
    ("Result under images", Kind.SHAPE, {"shape": "images"}),
    ("Result at the top level", Kind.SHAPE, {"shape": "top_level"}),
)
_EDITS: Final[tuple[tuple[str, Kind, dict[str, Any]], ...]] = (
    ("Job fails: a picture to edit cannot be fetched", Kind.FAIL, {"reason": "input"}),
)
_PICTURE: Final[tuple[tuple[str, Kind, dict[str, Any]], ...]] = (
    ("404 Picture is gone", Kind.STATUS, {"status": 404}),
    ("500 CDN error", Kind.STATUS, {"status": 500}),
    ("A web page instead of the picture", Kind.HTML, {}),
    ("Picture without end", Kind.ENDLESS, {}),
    ("Half of the picture", Kind.TRUNCATED, {}),
    ("Redirect to a private address", Kind.REDIRECT, {}),
    ("No connection", Kind.RESET_BEFORE, {}),
    ("Download takes 10 s longer", Kind.DELAY, {"seconds": 10.0}),
)
_WEBHOOK: Final[tuple[tuple[str, Kind, dict[str, Any]], ...]] = (
    ("Lost webhook", Kind.LOST, {}),
    ("Delivered twice at once", Kind.TWICE, {}),
    ("Delivered before the submit's own reply", Kind.EARLY, {}),
    ("Delivered 30 s late", Kind.LATE, {"seconds": 30.0}),
)
_STUCK: Final = tuple(way for way in _FATES if way[1] is Kind.STUCK)
_UNKNOWN_STATUS: Final[tuple[tuple[str, Kind, dict[str, Any]], ...]] = (
    ("A status that no document lists", Kind.WORD, {}),
)
_POLLING_ONLY: Final = "Without WEBHOOK_PUBLIC_URL the bot only polls, and this changes nothing."

# Image APIs with named cases: their class has the endpoint of each.
_SERVERS: Final[Mapping[str, type[ImageApiServer]]] = {
    "fal": FalServer,
    "bfl": BflServer,
    "openai": OpenAiImagesServer,
    "openrouter": OpenRouterServer,
    "gemini": GeminiServer,
    "comfyui": ComfyServer,
}
_QUEUES: Final = frozenset({"fal", "bfl", "comfyui"})
_WEBHOOK_SENDERS: Final = frozenset({"fal", "bfl"})

_EDIT: Final = {"method": "PATCH", "path": "/messages/"}
_ANSWER: Final = {"method": "POST", "path": "/callback$"}
_DISCORD: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("Edits", "429 Rate limited, retry after 2 s", {**_EDIT, "status": 429, "retry_after": 2.0}),
    ("Edits", "500 Server error", {**_EDIT, "status": 500}),
    ("Edits", "503 Unavailable", {**_EDIT, "status": 503}),
    ("Edits", "Connection lost after it took effect", {**_EDIT, "reset": True, "when": "after"}),
    (
        "Edits",
        "413 File too large",
        {**_EDIT, "status": 413, "body": {"message": "Request entity too large", "code": 40005}},
    ),
    (
        "Edits",
        "404 The message is gone",
        {**_EDIT, "status": 404, "body": {"message": "Unknown Message", "code": 10008}},
    ),
    ("First answers", "429 Rate limited, retry after 1 s", {**_ANSWER, "status": 429, "retry_after": 1.0}),
    ("First answers", "500 Server error", {**_ANSWER, "status": 500}),
    ("First answers", "Connection lost after it took effect", {**_ANSWER, "reset": True, "when": "after"}),
    ("First answers", "Takes 4 s, too late", {**_ANSWER, "delay": 4.0}),
)


def rows() -> tuple[FaultRow, ...]:
    """Return all rows in display order."""
    return tuple(_all())


def _all() -> Iterator[FaultRow]:
    for service, statuses in (("skillboss", _SUBMIT_SKILLBOSS), ("reve2img", _SUBMIT_REVE2IMG)):
        yield from _answers(service, Endpoint.SUBMIT, "Submit", statuses)
        for words, label in _NAMED.items():
            how: dict[str, Any] = {"endpoint": Endpoint.SUBMIT, "kind": Kind.STATUS, "status": 400, "message": words}
            row_id = f"{service}-submit-400-{label.replace(' ', '-')}"
            yield FaultRow(id=row_id, service=service, group="Submit", label=f"400 {label.capitalize()}", how=how)
        yield from _ways(service, Endpoint.SUBMIT, "Submit", _ANY)
        yield from _ways(service, Endpoint.SUBMIT, "The job itself", _FATES)
        if service == "reve2img":
            yield from _ways(service, Endpoint.SUBMIT, "The job itself", _EDITS)
        yield from _answers(service, Endpoint.STATUS, "Status", _STATUS)
        yield from _ways(service, Endpoint.STATUS, "Status", _ANY)
        yield from _ways(service, Endpoint.STATUS, "Status", _UNKNOWN_STATUS)
        if service == "skillboss":
            cancel = {404: "Unknown job", 409: "Already started", 500: "Server error"}
            yield from _answers(service, Endpoint.CANCEL, "Cancel", cancel)
            yield from _ways(service, Endpoint.CANCEL, "Cancel", (("200 that claims nothing", Kind.UNSAID, {}), *_ANY))
            yield from _ways(service, Endpoint.WEBHOOK, "Webhooks", _WEBHOOK, hint=_POLLING_ONLY)
        yield from _ways(service, Endpoint.PICTURE, "Pictures", _PICTURE)
    for service in _SERVERS:
        yield from _cases(service)
    for number, (group, label, how) in enumerate(_DISCORD):
        yield FaultRow(id=f"discord-{number}", service="discord", group=group, label=label, how=how)


def _answers(service: str, endpoint: Endpoint, group: str, statuses: Mapping[int, str]) -> Iterator[FaultRow]:
    for status, words in statuses.items():
        how: dict[str, Any] = {"endpoint": endpoint, "kind": Kind.STATUS, "status": status}
        yield FaultRow(
            id=f"{service}-{endpoint}-{status}", service=service, group=group, label=f"{status} {words}", how=how
        )
        if status == 429:  # noqa: PLR2004 - its optional header has a separate row
            yield FaultRow(
                id=f"{service}-{endpoint}-429-later",
                service=service,
                group=group,
                label="429 with Retry-After: 5",
                how={**how, "retry_after": "5"},
            )
        if service == "reve2img":
            yield FaultRow(
                id=f"{service}-{endpoint}-{status}-envelope",
                service=service,
                group=group,
                label=f"{status} in the envelope of a 200",
                how={**how, "in_envelope": True},
            )


def _cases(service: str) -> Iterator[FaultRow]:
    """Return the rows of a service with named cases, sorted by group."""
    rows_of: dict[str, list[FaultRow]] = {}
    for group, labels in CASE_LABELS[service].items():
        for case, label in labels.items():
            endpoint = _SERVERS[service].cases[case].endpoint
            how = {"endpoint": endpoint, "kind": Kind.CASE, "case": case}
            hint = _POLLING_ONLY if endpoint is Endpoint.WEBHOOK else None
            row = FaultRow(id=f"{service}-{case}", service=service, group=group, label=label, how=how, hint=hint)
            rows_of.setdefault(group, []).append(row)
    rows_of[ERRORS] += _ways(service, Endpoint.SUBMIT, ERRORS, (_ANY[0], _ANY[3]))
    if service in _QUEUES:
        rows_of[RESULTS] += _ways(service, Endpoint.SUBMIT, RESULTS, _STUCK)
        status = (*_ANY, *(() if service == "comfyui" else _UNKNOWN_STATUS))
        rows_of.setdefault("Status", []).extend(_ways(service, Endpoint.STATUS, "Status", status))
        downloads = tuple(way for way in _PICTURE if way[1] is not Kind.STATUS)
        rows_of["Pictures"] += _ways(service, Endpoint.PICTURE, "Pictures", downloads)
    if service in _WEBHOOK_SENDERS:
        rows_of["Webhooks"] += _ways(service, Endpoint.WEBHOOK, "Webhooks", _WEBHOOK, hint=_POLLING_ONLY)
    for rows_of_group in rows_of.values():
        yield from rows_of_group


def _ways(
    service: str,
    endpoint: Endpoint,
    group: str,
    ways: tuple[tuple[str, Kind, dict[str, Any]], ...],
    *,
    hint: str | None = None,
) -> Iterator[FaultRow]:
    for label, kind, more in ways:
        detail = "".join(f"-{value}" for value in more.values())
        yield FaultRow(
            id=f"{service}-{endpoint}-{kind}{detail}".lower(),
            service=service,
            group=group,
            label=label,
            how={"endpoint": endpoint, "kind": kind, **more},
            hint=hint,
        )
