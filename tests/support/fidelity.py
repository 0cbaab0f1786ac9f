"""Checks of requests against Discord's OpenAPI and unwritten rules.

`tests/data` contains the description; a folder in `ATELIER_TEST_DATA` may have a newer one.
"""

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, relevance
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from sandbox.discord.recorder import RecordedRequest

Json: TypeAlias = dict[str, Any]

DESCRIPTION = "urn:discord"

EPHEMERAL = 1 << 6
COMPONENTS_V2 = 1 << 15
TEXT_DISPLAY = 10
ACTION_ROW = 1
COMPONENTS = 40
TEXT = 4000
MODAL_ITEMS = 5
ANSWER, DEFERRED_ANSWER, UPDATE, MODAL = 4, 5, 7, 9
LONGEST = 240
MULTIPLE_CHOICES, BAD_REQUEST = 300, 400

_CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
_FOLLOW_UP = "/webhooks/{webhook_id}/{webhook_token}"
_POST = "/channels/{channel_id}/messages"
_EDITS = (
    "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
    "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}",
    "/channels/{channel_id}/messages/{message_id}",
)

# discord.py sends these whether asked to or not, and Discord takes them; the description does not know them there.
_FROM_THE_LIBRARY = frozenset({"tts", "nsfw"})


def find_description() -> Path | None:
    """Return the file with Discord's description, or None if missing."""
    candidates = (data_folder() / name for name in ("discord-openapi.json", "discord-openapi.json.gz"))
    return next((path for path in candidates if path.is_file()), None)


def data_folder() -> Path:
    """Return the folder of the test data."""
    folder = os.environ.get("ATELIER_TEST_DATA")
    return Path(folder) if folder else Path(__file__).resolve().parents[1] / "data"


class Fidelity:
    """Describes mistakes of requests and responses in words.

    `problems` is about the request, `answer_problems` about the response.
    """

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        self._document: Json = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        self._schemas: Json = self._document["components"]["schemas"]
        # Discord reads ids as numbers too, and discord.py sends some so.
        self._schemas["SnowflakeType"] = {"anyOf": [self._schemas["SnowflakeType"], {"type": "integer", "minimum": 0}]}
        resource = DRAFT202012.create_resource(self._document)
        self._registry: Registry[Any] = Registry().with_resource(DESCRIPTION, resource)
        self._validator = lru_cache(maxsize=None)(self._new_validator)
        # Much faster, but its faults have no parents: it finds that something is wrong, the other one what.
        self._fast_registry = jsonschema_rs.Registry([(DESCRIPTION, self._document)])
        self._fast_validator = lru_cache(maxsize=None)(self._new_fast_validator)

    def problems(self, request: RecordedRequest) -> list[str]:
        """Return a request's mistakes by Discord's description and rules."""
        operation = self._document["paths"].get(request.path, {}).get(request.method.lower())
        if operation is None:
            return [f"{request.method} {request.path}: there is no such route"]
        described = operation.get("requestBody")
        if described is None:
            return [] if request.json is None else [f"{request.method} {request.path}: takes no body"]
        if request.json is None and request.status == 0:
            return []  # its sender was cut off: nobody knows the rest
        if request.json is None:
            return ["the body is missing"] if described.get("required") else []
        schema = described["content"]["application/json"]["schema"]
        return [
            *self._schema_problems(request.json, schema),
            *self._unknown_keys(request.json, schema, "body"),
            *_rule_problems(request),
        ]

    def answer_problems(self, request: RecordedRequest) -> list[str]:
        """Return the differences between a response and Discord's description."""
        operation = self._document["paths"].get(request.path, {}).get(request.method.lower())
        if operation is None or request.status == 0:
            return []
        responses = operation["responses"]
        described = responses.get(str(request.status))
        if described is None and request.status >= BAD_REQUEST:
            described = responses.get("4XX")
        if described is None:
            return [f"{request.method} {request.path}: does not answer with {request.status}"]
        if "$ref" in described or request.status >= MULTIPLE_CHOICES:
            return []
        content = described.get("content", {}).get("application/json")
        if content is None:
            return [] if request.answer is None else ["the answer should be empty"]
        return self._schema_problems(request.answer, content["schema"])

    def _new_validator(self, schema: str) -> Any:
        return Draft202012Validator(_absolute(json.loads(schema)), registry=self._registry)

    def _new_fast_validator(self, schema: str) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(_absolute(json.loads(schema)), registry=self._fast_registry)

    def _schema_problems(self, body: Any, schema: Json) -> list[str]:
        key = json.dumps(schema)
        if self._fast_validator(key).is_valid(body):
            return []
        validator = self._validator(key)
        found = []
        for error in validator.iter_errors(body):
            cause = self._cause(error)
            where = "/".join(str(step) for step in cause.absolute_path) or "body"
            found.append(f"{where}: {_shortened(cause.message)}")
        return found or ["body: the two validators disagree"]

    def _cause(self, error: ValidationError) -> ValidationError:
        """Return the real fault behind "not valid under any of the schemas".

        It is the fault in the schema meant by the value.
        """
        if error.validator not in ("oneOf", "anyOf") or not error.context:
            return error
        branches = error.validator_value
        inner = list(error.context)
        if isinstance(error.instance, dict) and all("type" in self._fields(branch) for branch in branches):
            meant = [index for index, branch in enumerate(branches) if self._is_kind(error.instance, branch)]
            inner = [each for each in inner if each.schema_path[0] in meant]
        return self._cause(max(inner, key=relevance)) if inner else error

    def _fields(self, schema: Json) -> Json:
        found: Json = self._resolved(schema).get("properties", {})
        return found

    def _is_kind(self, value: Json, schema: Json) -> bool:
        kinds = self._fields(schema).get("type", {}).get("enum")
        return kinds is not None and value.get("type") in kinds

    def _resolved(self, schema: Json) -> Json:
        found: Json = self._schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        return found

    def _unknown_keys(self, value: Any, schema: Json, path: str) -> Iterator[str]:
        branches = list(self._branches(value, schema))
        if isinstance(value, list):
            for index, item in enumerate(value):
                for branch in branches:
                    if "items" in branch:
                        yield from self._unknown_keys(item, branch["items"], f"{path}[{index}]")
        elif isinstance(value, dict):
            known = {key: each for branch in branches for key, each in branch.get("properties", {}).items()}
            open_ended = any(branch.get("additionalProperties") not in (None, False) for branch in branches)
            if not known or open_ended:
                return
            for key, item in value.items():
                if key in known:
                    yield from self._unknown_keys(item, known[key], f"{path}.{key}")
                elif key not in _FROM_THE_LIBRARY:
                    yield f"{path}.{key}: Discord knows no such key"

    def _branches(self, value: Any, schema: Json) -> Iterator[Json]:
        """Yield the plain schemas of `value`, following references and unions."""
        schema = self._resolved(schema)
        yield schema
        for each in schema.get("allOf", []):
            yield from self._branches(value, each)
        for each in (*schema.get("oneOf", []), *schema.get("anyOf", [])):
            if self._could_be(value, each):
                yield from self._branches(value, each)

    def _could_be(self, value: Any, schema: Json) -> bool:
        kinds = self._fields(schema).get("type", {}).get("enum")
        if kinds is not None and isinstance(value, dict) and "type" in value:
            return value["type"] in kinds
        return self._fast_validator(json.dumps(schema)).is_valid(value)


def _shortened(message: str) -> str:
    """Return a message without the middle of its quoted value.

    The value may be a whole body.
    """
    return message if len(message) <= LONGEST else f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"


def _absolute(node: Any) -> Any:
    """Return the schema with references into the whole description."""
    if isinstance(node, dict):
        return {
            key: DESCRIPTION + each if key == "$ref" and each.startswith("#") else _absolute(each)
            for key, each in node.items()
        }
    return [_absolute(each) for each in node] if isinstance(node, list) else node


def _rule_problems(request: RecordedRequest) -> Iterator[str]:
    body = request.json
    if request.path == _CALLBACK:
        kind, data = body.get("type"), body.get("data") or {}
        if kind == MODAL:
            yield from _modal_problems(data)
        elif kind == DEFERRED_ANSWER:
            if set(data) - {"flags", "tts"} or (data.get("flags") or 0) & ~EPHEMERAL:
                yield "data: a deferred answer carries nothing but the ephemeral flag"
        elif kind in (ANSWER, UPDATE):
            yield from _message_problems(request, data, edit=kind == UPDATE, may_hide=kind == ANSWER)
    elif request.method == "POST" and request.path in (_FOLLOW_UP, _POST):
        yield from _message_problems(request, body, edit=False, may_hide=request.path == _FOLLOW_UP)
    elif request.method == "PATCH" and request.path in _EDITS:
        yield from _message_problems(request, body, edit=True, may_hide=False)


def _modal_problems(modal: Json) -> Iterator[str]:
    components = modal.get("components") or []
    if len(components) > MODAL_ITEMS:
        yield f"components: {len(components)} items at the top of a modal, {MODAL_ITEMS} are allowed"
    yield from _duplicates(_tree(components))


def _message_problems(request: RecordedRequest, body: Json, *, edit: bool, may_hide: bool) -> Iterator[str]:
    flags = body.get("flags") or 0
    v2 = bool(flags & COMPONENTS_V2)
    nodes = list(_tree(body.get("components") or []))
    if flags & EPHEMERAL and not may_hide:
        yield "flags: whether a message is ephemeral is settled by its first answer"
    if v2:
        yield from (f"{key}: not with Components V2" for key in ("content", "embeds", "poll") if body.get(key))
    elif any(node.get("type") != ACTION_ROW for node in body.get("components") or []) and (not edit or "flags" in body):
        yield "flags: these components need the Components V2 flag"
    if len(nodes) > COMPONENTS:
        yield f"components: {len(nodes)} in all, {COMPONENTS} are allowed"
    written = sum(len(node.get("content") or "") for node in nodes if node.get("type") == TEXT_DISPLAY)
    if written > TEXT:
        yield f"components: {written} characters of text in all, {TEXT} are allowed"
    yield from _duplicates(nodes)
    yield from _unresolved(request, body, nodes, edit=edit)


def _unresolved(request: RecordedRequest, body: Json, nodes: list[Json], *, edit: bool) -> Iterator[str]:
    listed = body.get("attachments")
    names = {str(each["id"]): each.get("filename") for each in listed or [] if "id" in each}
    sent = {file.field.removeprefix("files[").removesuffix("]"): file.filename for file in request.files}
    known = {names.get(number) or filename for number, filename in sent.items()}
    keeps_others = edit and (listed is None or bool(names.keys() - sent.keys()))
    if keeps_others:
        return
    for url in _addresses(nodes):
        if url.startswith("attachment://") and url.removeprefix("attachment://") not in known:
            yield f"components: {url} is none of the files {sorted(known)}"


def _tree(components: Iterable[Json]) -> Iterator[Json]:
    for component in components:
        yield component
        yield from _tree(component.get("components") or [])
        yield from _tree(component[key] for key in ("accessory", "component") if isinstance(component.get(key), dict))


def _addresses(nodes: Iterable[Json]) -> Iterator[str]:
    for node in nodes:
        slots = [node.get("media"), node.get("file"), *(item.get("media") for item in node.get("items") or [])]
        yield from (slot["url"] for slot in slots if isinstance(slot, dict) and isinstance(slot.get("url"), str))


def _duplicates(nodes: Iterable[Json]) -> Iterator[str]:
    seen: set[str] = set()
    for node in nodes:
        custom_id = node.get("custom_id")
        if custom_id is not None and custom_id in seen:
            yield f"components: custom_id {custom_id!r} is there twice"
        if custom_id is not None:
            seen.add(custom_id)
