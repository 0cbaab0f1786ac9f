"""Reading of the folder of workflows; every mistake is one line."""

import json
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bot.domain.options import REVE_RATIOS
from bot.providers.comfyui.workflow_settings import KEYS, table_mistakes
from bot.providers.comfyui.workflows import (
    PICTURES,
    PLACEHOLDERS,
    Graph,
    Template,
    Workflow,
    texts_of,
)
from bot.providers.found_models import FoundModel, FoundModelsError

PROVIDER: Final = "comfyui"
SETTING: Final = "comfyui_workflows"
DEFAULT_FOLDER: Final = Path("workflows")

_EDIT: Final = ".edit"
_MAX_FILES: Final = 200
_MAX_BYTES: Final = 1024 * 1024
_MAX_NODES: Final = 1000
_MAX_DEPTH: Final = 30
_MAX_PROMPT: Final = 4000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
_A_NAME: Final = "up to 40 lower-case letters, digits, dots and dashes"
_WHOLE: Final = re.compile(r"%([a-z_0-9]+)%")
_EXPORT: Final = "in ComfyUI, choose Workflow > Export (API)"
# SaveImage has its own words of this form, such as %width%, in the names of files.
_FILE_NAMES: Final = "filename_prefix"
_EMBEDDED: Final = tuple(f"%{name}%" for name in ("prompt", "negative", *PICTURES))
_LONGEST_QUOTE: Final = 40


class _FileError(Exception):
    """A file is unusable; the message follows its name."""


@dataclass(slots=True)
class _Files:
    """The files of one workflow."""

    text: Path | None = None
    edit: Path | None = None
    settings: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFile:
    """A workflow, and its keys for the file of models."""

    path: Path
    workflow: Workflow
    own: Mapping[str, Any] = field(default_factory=dict)


def read_workflows(folder: Path) -> tuple[WorkflowFile, ...]:
    """Return the workflows of a folder by name; none if it is missing.

    Raises:
        FoundModelsError: a file has a mistake.
    """
    lines: list[str] = []
    workflows = []
    for name, files in sorted(_grouped(folder, lines).items()):
        before = len(lines)
        workflow = _workflow(name, files, folder, lines)
        if workflow is not None and len(lines) == before:
            workflows.append(workflow)
    if lines:
        raise FoundModelsError(tuple(sorted(lines)), setting=SETTING)
    return tuple(workflows)


def find_models(*, workflows: Path) -> tuple[FoundModel, ...]:
    """Return each workflow of a folder as a model for members.

    Raises as `read_workflows` does.
    """
    return tuple(map(_found, read_workflows(workflows)))


def _found(file: WorkflowFile) -> FoundModel:
    workflow = file.workflow
    own_credits = file.own.get("credits")
    text_price = own_credits.get("text") if isinstance(own_credits, Mapping) else None
    credits_ = {"text": 1} | ({} if workflow.edit is None else {"edit": text_price or 1})
    table = {
        "good_at": "runs on the studio's own machine",
        "max_prompt": _MAX_PROMPT,
        "max_inputs": 0 if workflow.edit is None else workflow.edit.max_inputs,
        "credits": credits_,
        "options": _options(workflow),
    }
    offer: dict[str, Any] = {
        "remote_model": workflow.name,
        "usd": [{"valid_from": date(2020, 1, 1), "text": Decimal(0)}],
    }
    if not workflow.has("images"):
        offer["images_per_call"] = 1
    return FoundModel(
        name=workflow.name,
        provider=PROVIDER,
        setting=SETTING,
        source=str(file.path),
        table=table,
        own=file.own,
        offer=offer,
    )


def _options(workflow: Workflow) -> dict[str, Any]:
    sized = all({"width", "height"} <= each.placeholders for each in workflow.templates)
    ratios = list(workflow.sizes or REVE_RATIOS) if sized else ["1:1"]
    options: dict[str, Any] = {"aspect_ratio": ratios, "format": ["png"]}
    options |= {name: True for name in ("seed", "negative") if workflow.has(name)}
    return options | ({"quality": list(workflow.qualities)} if workflow.qualities else {})


def _grouped(folder: Path, lines: list[str]) -> dict[str, _Files]:
    """Return the files by the name of their workflow."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return {}
    except OSError as error:
        lines.append(f"{folder} cannot be read: {error.strerror or type(error).__name__}")
        return {}
    paths = [path for path in paths if path.suffix in {".json", ".toml"}]
    if len(paths) > _MAX_FILES:
        lines.append(f"{folder} has more than {_MAX_FILES} files of workflows")
        return {}
    grouped: dict[str, _Files] = {}
    for path in paths:
        is_edit = path.suffix == ".json" and path.stem.endswith(_EDIT)
        name = path.stem.removesuffix(_EDIT) if is_edit else path.stem
        if not _NAME.fullmatch(name):
            lines.append(f"{str(path)!r} has no name of a model: it takes {_A_NAME}")
            continue
        files = grouped.setdefault(name, _Files())
        if path.suffix == ".toml":
            files.settings = path
        elif is_edit:
            files.edit = path
        else:
            files.text = path
    return grouped


def _workflow(name: str, files: _Files, folder: Path, lines: list[str]) -> WorkflowFile | None:
    if files.text is None:
        lines.append(f"{files.edit or files.settings} is alone: {name}.json, the workflow for text, must be beside it")
        return None
    text = _template(files.text, folder, lines)
    edit = None if files.edit is None else _template(files.edit, folder, lines, is_edit=True)
    settings = {} if files.settings is None else _settings(files.settings, folder, lines)
    if text is None or (edit is None and files.edit is not None) or settings is None:
        return None
    own = settings.pop("workflow", {})
    workflow = Workflow(name=name, text=text, edit=edit, **own)
    return WorkflowFile(path=files.settings or files.text, workflow=workflow, own=settings)


def _template(path: Path, folder: Path, lines: list[str], *, is_edit: bool = False) -> Template | None:
    try:
        graph = _graph(_read(path, folder))
    except _FileError as error:
        lines.append(f"{path} {error}")
        return None
    placeholders = {name for each in graph.values() for name in _placeholders(each["inputs"])}
    mistakes = list(_mistakes(graph, placeholders, name=path.stem, is_edit=is_edit))
    lines += [f"{path} {each}" for each in mistakes]
    return None if mistakes else Template(graph=graph, placeholders=frozenset(placeholders & set(PLACEHOLDERS)))


def _read(path: Path, folder: Path) -> str:
    """Return the text of a file in a folder."""
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise _FileError("leads out of the folder: copy the file into it")
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise _FileError("is no file")
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _FileError(f"cannot be read: {error.strerror or type(error).__name__}") from None
    except RuntimeError:  # Python 3.11 and 3.12: a loop of links
        raise _FileError("cannot be read: a loop of links") from None
    if len(content) > _MAX_BYTES:
        raise _FileError(f"is longer than {_MAX_BYTES // 1024} KB: a workflow is a few")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _FileError("is no text in UTF-8: save it as UTF-8") from None


def _graph(text: str) -> Graph:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _FileError(f"is no JSON: {_EXPORT}") from None
    if not isinstance(document, dict) or not document:
        raise _FileError(f"is no workflow: {_EXPORT}")
    if isinstance(document.get("nodes"), list):
        raise _FileError(f"is in the format of the editor: {_EXPORT}")
    if len(document) > _MAX_NODES:
        raise _FileError(f"has more than {_MAX_NODES} nodes")
    if _is_deep(document):
        raise _FileError("is nested too deeply")
    for id_, node in document.items():
        if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
            raise _FileError(f"is not in the API format (node {_quoted(id_)} has no class_type): {_EXPORT}")
        if not isinstance(node.get("inputs"), dict):
            raise _FileError(f"is not in the API format (node {_quoted(id_)} has no inputs): {_EXPORT}")
    try:
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise _FileError("has numbers or characters that JSON does not allow") from None
    return document


def _is_deep(document: object) -> bool:
    level = [document]
    for _ in range(_MAX_DEPTH):
        below: list[object] = []
        for each in level:
            below += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
        if not below:
            return False
        level = below
    return True


def _placeholders(inputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the placeholders of a node, known or not."""
    for name, value in inputs.items():
        for text in texts_of(value):
            found = _WHOLE.fullmatch(text)
            if found is not None and (found[1] in PLACEHOLDERS or name != _FILE_NAMES):
                yield found[1]


def _mistakes(graph: Graph, placeholders: set[str], *, name: str, is_edit: bool) -> Iterator[str]:
    if unknown := sorted(placeholders - set(PLACEHOLDERS)):
        known = ", ".join(f"%{each}%" for each in PLACEHOLDERS)
        yield f"has an unknown placeholder {_quoted(f'%{unknown[0]}%')}; known are: {known}"
    for text in sorted({text for node in graph.values() for text in texts_of(node["inputs"])}):
        inner = next((each for each in _EMBEDDED if each in text and each != text), None)
        if inner is not None:
            yield f"has {inner} inside a longer text: it must be the whole text of an input"
            return
    if "prompt" not in placeholders:
        yield "has no %prompt%: put it in place of the prompt, as the whole text of an input"
    pictures = [each for each in PICTURES if each in placeholders]
    if is_edit and not pictures:
        yield "has no %image_1%: put it in place of the picture of a LoadImage node"
    elif not is_edit and pictures:
        yield f"has %{pictures[0]}%: save it as {name}.edit.json, beside a workflow for text in {name}.json"
    elif pictures != list(PICTURES[: len(pictures)]):
        yield f"has %{pictures[-1]}%, but not all of those before it"


def _settings(path: Path, folder: Path, lines: list[str]) -> dict[str, Any] | None:
    """Return the keys of a settings file; those of `workflow` are checked."""
    before = len(lines)
    try:
        settings = tomllib.loads(_read(path, folder), parse_float=Decimal)
    except _FileError as error:
        lines.append(f"{path} {error}")
        return None
    except RecursionError:
        lines.append(f"{path} is nested too deeply")
        return None
    except ValueError as error:  # TOMLDecodeError, or a number with thousands of digits
        lines.append(f"{path} is no TOML: {' '.join(str(error).split())}")
        return None
    lines += [
        f"{path}: {key} is no key here: it follows from the workflows, or goes to MODELS_FILE"
        for key in ("offers", "max_inputs")
        if key in settings
    ]
    own = settings.get("workflow", {})
    if isinstance(own, dict):
        lines += [f"{path}: {line}" for line in table_mistakes(own)]
    else:
        lines.append(f"{path}: workflow takes a table with {', '.join(KEYS)}")
    if len(lines) > before:
        return None
    if "sizes" in own:
        settings["workflow"] = own | {"sizes": {ratio: tuple(size) for ratio, size in own["sizes"].items()}}
    return settings


def _quoted(text: str) -> str:
    """Return a short text of a file for a line."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…")
