"""Parsing of a generateContent call and its prices."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from sandbox.providers.fields import FieldError
from sandbox.providers.inputs import Input, InputDownloader, InputError, read_base64
from sandbox.providers.sizes import area_pixels

_RATIOS: Final = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_WIDE_RATIOS: Final = ("1:4", "4:1", "1:8", "8:1")
_EDGE_PIXELS: Final = {"1K": 1024, "2K": 2048, "4K": 4096}
_MAX_INPUTS: Final = 14
_MAX_INLINE_BYTES: Final = 100 * 1024 * 1024
_TYPES: Final = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/webp": "webp",
    "image/heic": "heif",
    "image/heif": "heif",
}
_SAFETY: Final = frozenset({"category", "threshold"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model: its sizes, ratios and image tokens.

    `tokens` are those of a picture by size; `input_price` and `output_price` are US dollars for a million.
    """

    tokens: Mapping[str, int]
    input_price: Decimal
    output_price: Decimal
    ratios: tuple[str, ...] = _RATIOS


MODELS: Final = {
    "gemini-nano-banana-2.1": Model(
        tokens={"1K": 1120, "2K": 1680, "4K": 3767},
        input_price=Decimal("1.5"),
        output_price=Decimal(30),
        ratios=(*_RATIOS, *_WIDE_RATIOS),
    ),
    "gemini-3-pro-image": Model(
        tokens={"1K": 1120, "2K": 1120, "4K": 2000}, input_price=Decimal(2), output_price=Decimal(120)
    ),
    "gemini-3.1-flash-lite-image": Model(tokens={"1K": 1120}, input_price=Decimal("1.5"), output_price=Decimal(30)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input picture before it is read: base64 or an address."""

    name: str
    media_type: str
    data: str | None = field(default=None, repr=False)
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A parsed call."""

    prompt: str
    sources: tuple[Source, ...]
    ratio: str | None
    size: str
    texts: bool


def parse_call(model: Model, body: Any) -> Call:
    """Parse the body of a call for one picture.

    Raises:
        FieldError: The body has something else than the contract allows.
    """
    root = _object(body, "body", {"contents", "generationConfig", "safetySettings", "systemInstruction", "tools"})
    contents = root.get("contents")
    if not isinstance(contents, list) or not contents:
        raise FieldError("GenerateContentRequest.contents: contents is not specified")
    texts: list[str] = []
    sources: list[Source] = []
    for at, content in enumerate(contents):
        found = _object(content, f"contents[{at}]", {"role", "parts"})
        if found.get("role", "user") not in ("user", "model"):
            raise FieldError("Please use a valid role: user, model.")
        parts = found.get("parts")
        if not isinstance(parts, list) or not parts:
            raise FieldError(f"contents[{at}].parts must not be empty")
        for number, part in enumerate(parts):
            _read_part(part, f"contents[{at}].parts[{number}]", texts, sources)
    if not any(text.strip() for text in texts):
        raise FieldError("Unable to submit request because it must have a text parameter.")
    if len(sources) > _MAX_INPUTS:
        raise FieldError(f"at most {_MAX_INPUTS} images are allowed, got {len(sources)}")
    for setting in root.get("safetySettings", []):
        _object(setting, "safetySettings", _SAFETY)
    ratio, size, has_text = _read_config(model, root.get("generationConfig", {}))
    return Call(prompt="\n".join(texts), sources=tuple(sources), ratio=ratio, size=size, texts=has_text)


async def load_inputs(call: Call, downloader: InputDownloader) -> tuple[Input, ...]:
    """Return the input pictures.

    Raises:
        FieldError: A picture is unusable, or all together are too large.
    """
    inputs = []
    total = 0
    for source in call.sources:
        try:
            if source.data is None:
                loaded = await downloader.fetch(source.url, source.name)
            else:
                content = await asyncio.to_thread(read_base64, source.data)
                total += len(content)
                loaded = await downloader.decode(content, source.name)
        except InputError as error:
            raise FieldError(f"Unable to process input image: {error}") from error
        if loaded.format != _TYPES[source.media_type]:
            raise FieldError(f"Unable to process input image: {source.name} is no {source.media_type}")
        inputs.append(loaded)
    if total > _MAX_INLINE_BYTES:
        raise FieldError("Request payload size exceeds the limit: 104857600 bytes.")
    return tuple(inputs)


def pixels(call: Call, inputs: tuple[Input, ...]) -> tuple[int, int]:
    """Return the picture's size; without a ratio, it follows the last input."""
    if call.ratio is not None:
        across, _, down = call.ratio.partition(":")
        shape = int(across) / int(down)
    else:
        shape = inputs[-1].width / inputs[-1].height if inputs else 1.0
    return area_pixels(_EDGE_PIXELS[call.size], min(8.0, max(1 / 8, shape)))


def _read_part(part: Any, name: str, texts: list[str], sources: list[Source]) -> None:
    found = _object(part, name, {"text", "inlineData", "fileData"})
    if len(found) != 1:
        raise FieldError(f"{name}: expected one of text, inlineData, fileData")
    if "text" in found:
        if not isinstance(found["text"], str):
            raise FieldError(f"Invalid value at '{name}.text' (TYPE_STRING)")
        texts.append(found["text"])
        return
    key, value_key = ("inlineData", "data") if "inlineData" in found else ("fileData", "fileUri")
    data = _object(found[key], f"{name}.{key}", {"mimeType", value_key})
    media_type, value = data.get("mimeType"), data.get(value_key)
    if media_type not in _TYPES:
        raise FieldError(f"Unsupported MIME type: {media_type}")
    if not isinstance(value, str) or not value:
        raise FieldError(f"Invalid value at '{name}.{key}.{value_key}'")
    inline = key == "inlineData"
    sources.append(
        Source(name=name, media_type=media_type, data=value if inline else None, url="" if inline else value)
    )


def _read_config(model: Model, value: Any) -> tuple[str | None, str, bool]:
    """Return ratio, size, and whether text is wanted too."""
    config = _object(value, "generationConfig", {"responseModalities", "imageConfig", "candidateCount"})
    if config.get("candidateCount", 1) != 1:
        raise FieldError("Multiple candidates is not enabled for this model")
    modalities = config.get("responseModalities", ["TEXT", "IMAGE"])
    if not isinstance(modalities, list) or "IMAGE" not in modalities or not set(modalities) <= {"TEXT", "IMAGE"}:
        raise FieldError("The requested combination of response modalities is not supported by the model.")
    image = _object(config.get("imageConfig", {}), "generationConfig.imageConfig", {"aspectRatio", "imageSize"})
    ratio, size = image.get("aspectRatio"), image.get("imageSize", "1K")
    if ratio is not None and ratio not in model.ratios:
        raise FieldError(f"aspect_ratio must be one of {', '.join(model.ratios)}")
    if not isinstance(size, str) or size not in model.tokens:
        raise FieldError(f"image_size must be one of {', '.join(model.tokens)}")
    return ratio, size, "TEXT" in modalities


def _object(value: Any, name: str, known: set[str] | frozenset[str]) -> dict[str, Any]:
    """Return a JSON object with known names only."""
    if not isinstance(value, dict):
        raise FieldError(f"Invalid JSON payload received. '{name}' must be an object.")
    for key in value:
        if key not in known:
            raise FieldError(f"Invalid JSON payload received. Unknown name \"{key}\" at '{name}': Cannot find field.")
    return value
