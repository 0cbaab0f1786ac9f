"""Endpoints of the fal fake: their inputs, sizes and prices.

Where fal's pages name no price, the figure is the fake's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from sandbox.providers.schema import Field, Mismatch, Schema, boolean, choice, integer, ratio_pixels, text, texts

Values = Mapping[str, Any]

_PRESETS: Final = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
_AUTO_SIZES: Final = {"auto_1K": 1024, "auto_2K": 2048}
_WIDE_RATIOS: Final = (
    *("auto", "21:9", "2:1", "16:9", "3:2", "7:5", "4:3", "5:4", "1:1"),
    *("4:5", "3:4", "5:7", "2:3", "9:16", "1:2", "9:21"),
)
_BANANA_RATIOS: Final = ("auto", "21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16")
_EDGE_PIXELS: Final = {"768sq": 768, "1k": 1024, "2k": 2048, "4k": 4096, "1K": 1024, "2K": 2048, "4K": 4096}
_MEGAPIXEL: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint id: `owner/app`, then a path for the submit alone.

    `size` returns the pixels of validated values; the second argument is the aspect ratio of the first input, or None.
    `price` returns the price of one image of these values and pixels, in US dollars.
    """

    id: str
    schema: Schema
    size: Callable[[Values, float | None], tuple[int, int]]
    price: Callable[[Values, tuple[int, int]], Decimal]
    default_format: str = "png"
    inputs_used: int = 16
    """Only the last so many inputs are used."""

    @property
    def app(self) -> str:
        """Return `owner/app`, the part in the addresses of its requests."""
        return "/".join(self.id.split("/")[:2])

    @property
    def is_edit(self) -> bool:
        """Return whether it needs input images."""
        return self.schema.get("image_urls", _ABSENT).required


_ABSENT: Final = Field(parse=boolean)


def _size_field(least: int, most: int, *extra: str, default: Any = "square_hd") -> Field:
    """Return `image_size`: a preset, one of `extra`, or an object in pixels.

    `least` and `most` limit each side.
    """
    names = choice(*_PRESETS, *extra)
    side = integer(least, most)

    def parse(value: Any) -> Any:
        if not isinstance(value, dict):
            return names(value)
        if not {"width", "height"} <= value.keys():
            raise Mismatch("missing", "Field required", at=("width" if "width" not in value else "height",))
        return {name: side(value[name]) for name in ("width", "height")}

    return Field(parse=parse, default=default)


def _pixels_of_size(values: Values, ratio: float | None) -> tuple[int, int]:
    size = values["image_size"]
    if isinstance(size, dict):
        return size["width"], size["height"]
    if size in _PRESETS:
        return _PRESETS[size]
    return ratio_pixels(ratio or 1.0, _AUTO_SIZES.get(size, 1024))


def _pixels_of_ratio(values: Values, ratio: float | None) -> tuple[int, int]:
    wanted = values["aspect_ratio"]
    return ratio_pixels((ratio or 1.0) if wanted == "auto" else wanted, _EDGE_PIXELS[values["resolution"]])


def _fixed(usd: str) -> Callable[[Values, tuple[int, int]], Decimal]:
    return lambda _, __: Decimal(usd)


def _by_field(name: str, usd: Mapping[str, str]) -> Callable[[Values, tuple[int, int]], Decimal]:
    return lambda values, _: Decimal(usd[values[name]])


def _by_megapixel(first: str, more: str) -> Callable[[Values, tuple[int, int]], Decimal]:
    def price(_: Values, size: tuple[int, int]) -> Decimal:
        further = max(0, -(-size[0] * size[1] // _MEGAPIXEL) - 1)
        return Decimal(first) + Decimal(more) * further

    return price


@dataclass(slots=True, kw_only=True)
class _Family:
    """A model's two endpoints: from text, and as an edit of input images."""

    text_id: str
    edit_id: str
    most_inputs: int
    fields: dict[str, Field]
    size: Callable[[Values, float | None], tuple[int, int]]
    price: Callable[[Values, tuple[int, int]], Decimal]
    edit_defaults: dict[str, Field] = field(default_factory=dict)
    prompt_chars: int = 50_000
    default_format: str = "png"
    inputs_used: int = 16

    def endpoints(self) -> tuple[Endpoint, Endpoint]:
        """Return both endpoints."""
        common = {
            "prompt": Field(parse=text(most=self.prompt_chars), required=True),
            "sync_mode": Field(parse=boolean, default=False),
            **self.fields,
        }
        images = Field(parse=texts(self.most_inputs), required=True)
        of_text, of_edit = (
            Endpoint(
                id=id_,
                schema=schema,
                size=self.size,
                price=self.price,
                default_format=self.default_format,
                inputs_used=self.inputs_used,
            )
            for id_, schema in (
                (self.text_id, common),
                (self.edit_id, {**common, **self.edit_defaults, "image_urls": images}),
            )
        )
        return of_text, of_edit


def _format(*names: str) -> Field:
    return Field(parse=choice(*names))


_SEED: Final = Field(parse=integer(0, 2**32 - 1))
_COUNT: Final = Field(parse=integer(1, 4), default=1)
_THREE: Final = ("jpeg", "png", "webp")


def _gpt_image(text_id: str, edit_id: str, usd: dict[str, str]) -> _Family:
    return _Family(
        text_id=text_id,
        edit_id=edit_id,
        most_inputs=16,
        fields={
            "image_size": _size_field(256, 3840, "auto", default="landscape_4_3"),
            "quality": Field(parse=choice("auto", *usd), default="high"),
            "num_images": _COUNT,
            "output_format": _format(*_THREE),
        },
        edit_defaults={
            "image_size": _size_field(256, 3840, "auto", default="auto"),
            "mask_url": Field(parse=text(most=64 * 1024 * 1024)),
        },
        size=_pixels_of_size,
        price=_by_field("quality", {"auto": usd["high"], **usd}),
    )


_FAMILIES: Final = (
    _Family(
        text_id="blackforestlabs/flux-3/text-to-image",
        edit_id="blackforestlabs/flux-3/edit-image",
        most_inputs=10,
        prompt_chars=15_000,
        fields={
            "aspect_ratio": Field(parse=choice(*_WIDE_RATIOS), default="auto"),
            "resolution": Field(parse=choice("768sq", "1k", "2k", "4k"), default="1k"),
            "output_format": _format(*_THREE),
        },
        size=_pixels_of_ratio,
        price=_by_field("resolution", {"768sq": "0.041", "1k": "0.048", "2k": "0.10", "4k": "0.607"}),
    ),
    _Family(
        text_id="fal-ai/flux-2-pro",
        edit_id="fal-ai/flux-2-pro/edit",
        most_inputs=9,
        fields={
            "image_size": _size_field(256, 2048, "auto", default="landscape_4_3"),
            "seed": _SEED,
            "safety_tolerance": Field(parse=choice("1", "2", "3", "4", "5"), default="2"),
            "enable_safety_checker": Field(parse=boolean, default=True),
            "output_format": _format("jpeg", "png"),
        },
        edit_defaults={"image_size": _size_field(256, 2048, "auto", default="auto")},
        size=_pixels_of_size,
        price=_by_megapixel("0.03", "0.015"),
        default_format="jpeg",
    ),
    _Family(
        text_id="fal-ai/nano-banana-pro",
        edit_id="fal-ai/nano-banana-pro/edit",
        most_inputs=14,
        fields={
            "aspect_ratio": Field(parse=choice(*_BANANA_RATIOS), default="1:1"),
            "resolution": Field(parse=choice("1K", "2K", "4K"), default="1K"),
            "num_images": _COUNT,
            "output_format": _format(*_THREE),
            "safety_tolerance": Field(parse=choice("1", "2", "3", "4", "5", "6"), default="4"),
            "seed": _SEED,
            "limit_generations": Field(parse=boolean, default=False),
        },
        edit_defaults={"aspect_ratio": Field(parse=choice(*_BANANA_RATIOS), default="auto")},
        size=_pixels_of_ratio,
        price=_by_field("resolution", {"1K": "0.15", "2K": "0.15", "4K": "0.30"}),
    ),
    _Family(
        text_id="bytedance/seedream/v5/pro/text-to-image",
        edit_id="bytedance/seedream/v5/pro/edit",
        most_inputs=64,
        inputs_used=10,
        fields={
            "image_size": _size_field(512, 4096, *_AUTO_SIZES, default="auto_1K"),
            "num_images": _COUNT,
            "output_format": _format("jpeg", "png"),
        },
        size=_pixels_of_size,
        price=_by_megapixel("0.0675", "0.0225"),
    ),
    _gpt_image("openai/gpt-image-2", "openai/gpt-image-2/edit", {"low": "0.006", "medium": "0.053", "high": "0.211"}),
    *(
        _gpt_image(
            f"openai/gpt-image-2.5/{name}/text-to-image",
            f"openai/gpt-image-2.5/{name}/edit",
            {"low": "0.006", "medium": "0.013", "high": "0.053"},
        )
        for name in ("flare", "sunburst")
    ),
    _Family(
        text_id="fal-ai/qwen-image-2/pro/text-to-image",
        edit_id="fal-ai/qwen-image-2/pro/edit",
        most_inputs=3,
        fields={
            "image_size": _size_field(512, 2048),
            "negative_prompt": Field(parse=text(most=500, least=0), default=""),
            "seed": _SEED,
            "num_images": _COUNT,
            "output_format": _format(*_THREE),
            "enable_prompt_expansion": Field(parse=boolean, default=True),
        },
        size=_pixels_of_size,
        price=_fixed("0.075"),
    ),
)

_IDEOGRAM: Final = Endpoint(
    id="ideogram/v4",
    schema={
        "prompt": Field(parse=text(), required=True),
        "sync_mode": Field(parse=boolean, default=False),
        "rendering_speed": Field(parse=choice("TURBO", "BALANCED", "QUALITY"), default="BALANCED"),
        "expansion_model": Field(parse=choice("None", "Medium", "Large"), default="Medium"),
        "image_size": _size_field(256, 2048),
        "num_images": _COUNT,
        "seed": _SEED,
    },
    size=_pixels_of_size,
    price=_fixed("0.06"),
)

_ALL: Final = (*(endpoint for family in _FAMILIES for endpoint in family.endpoints()), _IDEOGRAM)
ENDPOINTS: Final = {endpoint.id: endpoint for endpoint in _ALL}
