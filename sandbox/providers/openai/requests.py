"""Parsing of generations and edits of OpenAI's Images API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.providers.fields import FieldError, check_fields
from sandbox.providers.inputs import Input, InputDownloader, InputError, read_data_url
from sandbox.providers.multipart import MultipartError, Part, is_multipart, parse_multipart
from sandbox.providers.openai.profiles import Model, Profile

_MAX_FILE_BYTES: Final = 50 * 1024 * 1024
_MAX_MASK_BYTES: Final = 4 * 1024 * 1024
_MAX_URL_CHARS: Final = 20_971_520
_FORMATS: Final = ("png", "jpeg", "webp")
_INTEGERS: Final = frozenset({"n", "output_compression", "partial_images", "seed", "step", "num_inference_steps"})
_EXTRA_PICTURES: Final = ("mask", "markup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input picture before it is read: bytes or an address."""

    name: str
    content: bytes | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The checked fields of a call, its model and its input pictures."""

    values: Mapping[str, Any]
    model_name: str
    model: Model
    sources: tuple[Source, ...] = ()
    extras: Mapping[str, Source] = field(default_factory=dict)


def parse_call(
    profile: Profile, content_type: str, content: bytes, body: Any, *, edit: bool, deployment: str | None = None
) -> Call:
    """Parse a generation or an edit; `body` is its JSON.

    A `deployment` is the model of the path.

    Raises:
        FieldError: The body has something else than the profile allows.
    """
    checks = profile.edit_fields if edit else profile.fields
    sources: list[Source] = []
    extras: dict[str, Source] = {}
    if is_multipart(content_type):
        if not edit or "multipart" not in profile.edits:
            raise FieldError("Unsupported content type: expected application/json.", name="body")
        try:
            parts = parse_multipart(content_type, content)
        except MultipartError as error:
            raise FieldError(f"Could not parse the form: {error}.", name="body") from error
        body = _form_values(profile, parts, sources, extras)
    elif not isinstance(body, dict):
        raise FieldError("We could not parse the JSON body of your request.", name="body")
    elif edit:
        if "json" not in profile.edits:
            raise FieldError("Unsupported content type: expected multipart/form-data.", name="body")
        _json_sources(profile, body, sources, extras)
    values = check_fields(body, checks)
    if "prompt" not in values:
        raise FieldError("Missing required parameter: 'prompt'.", name="prompt", code="missing_required_parameter")
    if edit and not 1 <= len(sources) <= profile.max_inputs:
        raise FieldError(f"Expected 1 to {profile.max_inputs} images, got {len(sources)}.", name="image")
    name = deployment or values.get("model")
    if name is None:
        raise FieldError("Missing required parameter: 'model'.", name="model", code="missing_required_parameter")
    model = profile.models.get(name)
    if model is None:
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise FieldError(message, name="model", code="model_not_found")
    _check_combinations(values, model, extras)
    return Call(values=values, model_name=name, model=model, sources=tuple(sources), extras=extras)


async def load_inputs(call: Call, downloader: InputDownloader) -> tuple[tuple[Input, ...], bytes]:
    """Return the input pictures of a call, and its mask; empty if missing.

    A markup is only checked.

    Raises:
        FieldError: A picture is unusable.
    """
    inputs = [await _load(source, downloader, _MAX_FILE_BYTES) for source in call.sources]
    for each, source in zip(inputs, call.sources, strict=True):
        if each.format not in _FORMATS:
            raise FieldError(f"Invalid image: {source.name} must be png, jpeg or webp.", name=source.name)
    mask = b""
    for name, source in call.extras.items():
        extra = await _load(source, downloader, _MAX_MASK_BYTES if name == "mask" else _MAX_FILE_BYTES)
        if extra.format != "png":
            raise FieldError(f"Invalid {name}: expected a png.", name=name)
        if name == "mask" and (extra.width, extra.height) != (inputs[0].width, inputs[0].height):
            raise FieldError("Invalid mask: its size differs from the first image's.", name=name)
        if name == "mask" and not extra.alpha:
            raise FieldError("Invalid mask: it has no alpha channel.", name=name)
        mask = extra.alpha if name == "mask" else mask
    return tuple(inputs), mask


def _form_values(
    profile: Profile, parts: list[Part], sources: list[Source], extras: dict[str, Source]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in parts:
        if part.filename is not None and part.name in profile.files:
            sources.append(Source(name=f"image[{len(sources)}]", content=part.content))
        elif part.filename is not None and part.name in _EXTRA_PICTURES and profile.has_tokens:
            extras[part.name] = Source(name=part.name, content=part.content)
        elif part.name == "url[]" and "url[]" in profile.edit_fields:
            sources.append(Source(name=f"url[{len(sources)}]", url=part.text))
        elif part.name in values or part.name in ("images", *_EXTRA_PICTURES):
            raise FieldError(f"Invalid form field: '{part.name}'.", name=part.name)
        else:
            values[part.name] = _from_form(part)
    return values


def _from_form(part: Part) -> Any:
    """Return a form's text as the type of its field."""
    convert: Callable[[str], Any] = str
    if part.name in _INTEGERS:
        convert = int
    elif part.name == "guidance_scale":
        convert = float
    elif part.name == "stream":
        return {"true": True, "false": False}.get(part.text, part.text)
    try:
        return convert(part.text)
    except ValueError:
        return part.text


def _json_sources(profile: Profile, body: dict[str, Any], sources: list[Source], extras: dict[str, Source]) -> None:
    """Collect the pictures of a JSON edit and take them out of its body."""
    key = "image_url" if profile.has_tokens else "url"
    if "image" in body and "images" in body:
        raise FieldError("Give either 'image' or 'images'.", name="images")
    one = body.get("image") if "image" in profile.edit_fields else None
    listed = [one] if one is not None else body.get("images", [])
    if not isinstance(listed, list):
        raise FieldError("Invalid type for 'images': expected a list.", name="images")
    sources.extend(_json_source(each, f"images[{at}]", key) for at, each in enumerate(listed))
    for name in _EXTRA_PICTURES:
        if name in body and name in profile.edit_fields:
            extras[name] = _json_source(body[name], name, key)


def _json_source(value: Any, name: str, key: str) -> Source:
    allowed = {"image_url", "file_id"} if key == "image_url" else {"url", "type"}
    if not isinstance(value, dict) or not value.keys() <= allowed:
        raise FieldError(f"Invalid value for '{name}'.", name=name)
    if "file_id" in value:
        raise FieldError(f"No such file: '{name}'.", name=name)
    url = value.get(key)
    if not isinstance(url, str) or len(url) > _MAX_URL_CHARS or (key == "url" and value.get("type") != "image_url"):
        raise FieldError(f"Invalid value for '{name}'.", name=name)
    return Source(name=name, url=url)


async def _load(source: Source, downloader: InputDownloader, most_bytes: int) -> Input:
    try:
        content = source.content
        if source.url.startswith("data:"):
            content = read_data_url(source.url)[1]
        if content is None:
            return await downloader.fetch(source.url, source.name)
        if len(content) >= most_bytes:
            raise FieldError(f"Invalid image: {source.name} is too large.", name=source.name)
        return await downloader.decode(content, source.name)
    except InputError as error:
        raise FieldError(f"Invalid image: {error}.", name=source.name) from error


def _check_combinations(values: Mapping[str, Any], model: Model, extras: Mapping[str, Source]) -> None:
    """Check the fields against the model and each other."""
    format_ = values.get("output_format", "png")
    rules = (
        ("quality", bool(model.version) and values.get("quality", "auto") not in model.qualities),
        ("complexity", "complexity" in values and model.version < 2.6),  # noqa: PLR2004 - a model's version
        ("input_fidelity", "input_fidelity" in values and model.version > 1.5),  # noqa: PLR2004 - a model's version
        ("background", values.get("background") == "transparent" and format_ not in ("png", "webp")),
        ("output_compression", "output_compression" in values and format_ not in ("jpeg", "webp")),
        ("frame_count", format_ != "gif" and bool({"frame_count", "frame_duration_ms"} & values.keys())),
        ("partial_images", "partial_images" in values and not values.get("stream")),
        ("markup", "markup" in extras and (model.version < 2.5 or "mask" in extras)),  # noqa: PLR2004 - a model's version
    )
    for name, is_broken in rules:
        if is_broken:
            raise FieldError(f"Invalid value for '{name}': not supported in this request.", name=name)
    if format_ in ("gif", "svg"):
        raise FieldError(f"Your organization has no access to {format_}.", name="output_format", code="no_access")
