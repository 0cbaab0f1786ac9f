"""Parsing of a call of OpenRouter's Image API."""

import re
from dataclasses import dataclass
from typing import Any, Final

from sandbox.providers.fields import Check, FieldError, anything, boolean, check_fields, choice, integer, text
from sandbox.providers.inputs import Input, InputDownloader, InputError, read_data_url
from sandbox.providers.openrouter.models import MODELS, Model, ProviderEndpoint
from sandbox.providers.sizes import area_pixels

_EDGE_PIXELS: Final = {"512": 512, "768": 768, "1K": 1024, "1.5K": 1536, "2K": 2048, "4K": 4096}
_SIZE: Final = re.compile(r"(\d{2,4})x(\d{2,4})")
_RATIO: Final = re.compile(r"(\d{1,2}):(\d{1,2})")
_MAX_SEED: Final = 2**32 - 1
_FORMATS: Final = ("png", "jpeg", "webp")
_ALWAYS: Final = frozenset({"model", "prompt", "stream", "provider", "user", "session_id", "quality"})
_ROUTING: Final[dict[str, Check]] = {
    "only": anything,
    "order": anything,
    "ignore": anything,
    "sort": choice("price", "throughput", "latency"),
    "allow_fallbacks": boolean,
    "options": anything,
}
_FIELDS: Final[dict[str, Check]] = {
    "model": text(200),
    "prompt": text(32_000),
    "n": integer(1, 10),
    "resolution": choice(*_EDGE_PIXELS),
    "aspect_ratio": text(10),
    "size": text(20),
    "quality": choice("auto", "low", "medium", "high", "xhigh", "max"),
    "output_format": choice("png", "jpeg", "webp", "svg"),
    "background": choice("auto", "opaque", "transparent"),
    "output_compression": integer(0, 100),
    "seed": integer(0, _MAX_SEED),
    "stream": boolean,
    "input_references": anything,
    "provider": anything,
    "user": text(256),
    "session_id": text(256),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A parsed call; `endpoints` are the eligible providers in their order."""

    model: Model
    values: dict[str, Any]
    endpoints: tuple[ProviderEndpoint, ...]
    references: tuple[str, ...]
    falls_back: bool

    @property
    def variants(self) -> tuple[str, ...]:
        """Return the possible variants of a price."""
        return str(self.values.get("resolution", "1K")).lower(), str(self.values.get("quality", "auto"))


def parse_call(body: Any) -> Call:
    """Parse a call.

    Raises:
        FieldError: The body has something else than model and contract allow.
    """
    if not isinstance(body, dict):
        raise FieldError("The body must be a JSON object.")
    values = check_fields(body, _FIELDS)
    for name in ("model", "prompt"):
        if name not in values:
            raise FieldError(f"Missing required parameter: '{name}'.", name=name)
    model = MODELS.get(values["model"])
    if model is None:
        raise FieldError(f"No endpoints found for {values['model']}.", name="model", code="not_found")
    endpoints, falls_back = _route(model, values.get("provider", {}))
    if values.get("size") in _EDGE_PIXELS:
        if values.get("resolution", values["size"]) != values["size"]:
            raise FieldError("size and resolution differ.", name="size")
        values["resolution"] = values.pop("size")
    if values.get("background") == "transparent" and values.get("output_format", "png") not in ("png", "webp"):
        raise FieldError("A transparent background needs png or webp.", name="background")
    references = _references(values.get("input_references", []))
    able = tuple(each for each in endpoints if not _unsupported(each, values, references))
    if not able:
        raise FieldError(_unsupported(endpoints[0], values, references), name="model")
    return Call(model=model, values=values, endpoints=able, references=references, falls_back=falls_back)


async def load_inputs(call: Call, downloader: InputDownloader) -> tuple[Input, ...]:
    """Return the input pictures.

    Raises:
        FieldError: A picture is unusable; its code is the error type.
    """
    inputs = []
    for at, url in enumerate(call.references):
        name = f"input_references[{at}]"
        try:
            if url.startswith("data:"):
                loaded = await downloader.decode(read_data_url(url)[1], name)
            else:
                loaded = await downloader.fetch(url, name)
        except InputError as error:
            failed = str(error).startswith("Failed to download")
            code = "image_download_failed" if failed else "unsupported_image_format"
            raise FieldError(str(error), code=code) from error
        if loaded.format not in _FORMATS:
            raise FieldError(f"{name} must be png, jpeg or webp", code="unsupported_image_format")
        inputs.append(loaded)
    return tuple(inputs)


def pixels(call: Call, inputs: tuple[Input, ...]) -> tuple[int, int]:
    """Return the picture's size.

    Raises:
        FieldError: The size is invalid, or clashes with the aspect ratio.
    """
    values = call.values
    ratio = _RATIO.fullmatch(values.get("aspect_ratio", ""))
    shape = int(ratio[1]) / int(ratio[2]) if ratio is not None else None
    if "size" in values:
        found = _SIZE.fullmatch(values["size"])
        if found is None or not all(64 <= int(side) <= 4096 for side in found.groups()):  # noqa: PLR2004 - pixels
            raise FieldError("size must be a tier or WIDTHxHEIGHT.", name="size")
        width, height = int(found[1]), int(found[2])
        if "resolution" in values or (shape is not None and round(height * shape) != width):
            raise FieldError("size and resolution or aspect_ratio differ.", name="size")
        return width, height
    if shape is None:
        shape = inputs[0].width / inputs[0].height if inputs else 1.0
    return area_pixels(_EDGE_PIXELS[values.get("resolution", "1K")], min(8.0, max(1 / 8, shape)))


def _route(model: Model, value: Any) -> tuple[tuple[ProviderEndpoint, ...], bool]:
    """Return the eligible providers, and whether a fallback is allowed."""
    if not isinstance(value, dict):
        raise FieldError("provider must be an object.", name="provider")
    routing = check_fields(value, _ROUTING)
    for name in ("only", "order", "ignore"):
        slugs = routing.get(name, [])
        if not isinstance(slugs, list) or not all(isinstance(slug, str) for slug in slugs):
            raise FieldError(f"provider.{name} must be a list of strings.", name="provider")
    endpoints = [each for each in model.endpoints if each.slug not in routing.get("ignore", [])]
    if "only" in routing:
        endpoints = [each for each in endpoints if each.slug in routing["only"]]
    if routing.get("options"):
        raise FieldError("No passthrough parameters are allowed.", name="provider")
    if not endpoints:
        raise FieldError("No endpoints found that match your routing.", name="provider", code="not_found")
    order = routing.get("order", [])
    endpoints.sort(key=lambda each: order.index(each.slug) if each.slug in order else len(order))
    return tuple(endpoints), routing.get("allow_fallbacks", True)


def _references(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise FieldError("input_references must be a list.", name="input_references")
    urls = []
    for each in value:
        match each:
            case {"type": "image_url", "image_url": {"url": str() as url}} if url:
                urls.append(url)
            case _:
                raise FieldError("Each of input_references must be an image_url.", name="input_references")
    return tuple(urls)


def _unsupported(endpoint: ProviderEndpoint, values: dict[str, Any], references: tuple[str, ...]) -> str:
    """Return an error for the first unsupported parameter, or nothing."""
    for name, value in values.items():
        if name in _ALWAYS:
            continue
        descriptor = endpoint.parameters.get(name)
        if descriptor is None:
            if name == "n" and value == 1:
                continue
            return f"{endpoint.name} does not support {name}."
        number = len(references) if name == "input_references" else value
        if descriptor["type"] == "enum" and value not in descriptor["values"]:
            return f"{endpoint.name} does not support this {name}."
        if descriptor["type"] == "range" and not descriptor["min"] <= number <= descriptor["max"]:
            return f"{endpoint.name} does not support this {name}."
    if values.get("stream") and not endpoint.streams:
        return f"{endpoint.name} does not support stream."
    return ""
