"""Models of the Black Forest Labs fake: their fields, sizes and prices.

Prices above the first megapixel of FLUX.2 are the fake's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sandbox.providers.schema import (
    Field,
    Mismatch,
    Schema,
    boolean,
    choice,
    integer,
    number,
    ratio_pixels,
    text,
    texts,
)

Values = Mapping[str, Any]

_RATIOS: Final = (
    *("auto", "21:9", "2:1", "16:9", "3:2", "7:5", "4:3", "5:4", "1:1"),
    *("4:5", "3:4", "5:7", "2:3", "9:16", "1:2", "9:21"),
)
_EDGE_PIXELS: Final = {"768sq": 768, "1k": 1024, "1.5k": 1536, "2k": 2048, "4k": 4096}
_PRICES: Final = {"768sq": "0.041", "1k": "0.048", "1.5k": "0.07", "2k": "0.10", "4k": "0.607"}
_MEGAPIXEL: Final = 1024 * 1024
_MAX_PIXELS: Final = 4 * _MEGAPIXEL
_STEP_PIXELS: Final = 16
_HOUR_SECONDS: Final = 3_600.0
_TEN_MINUTES_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model: its path, its body, and the lifetime of its samples.

    `size` returns the pixels of validated values; the second argument is the aspect ratio of the first input, or None.
    `price` returns US dollars. A model that `reasons` has the status Reasoning.
    """

    name: str
    schema: Schema
    size: Callable[[Values, float | None], tuple[int, int]]
    price: Callable[[Values, tuple[int, int]], Decimal]
    sample_seconds: float
    reasons: bool = False

    def inputs(self, values: Values) -> list[tuple[tuple[str | int, ...], str]]:
        """Return the input images with their places in the body."""
        if "images" in self.schema:
            images = values["images"]
            many = [images] if isinstance(images, str) else images or []
            return [(("body", "images", at), each) for at, each in enumerate(many)]
        names = (name for name in self.schema if name.startswith("input_image"))
        return [(("body", name), values[name]) for name in names if values[name]]


def _one_or_many(value: Any) -> Any:
    """Return one image or a list of 1 to 10."""
    return value if isinstance(value, str) and value else texts(10)(value)


def _side(value: Any) -> int:
    """Return a side in pixels; 0 is automatic."""
    if type(value) is int and value == 0:
        return 0
    return int(integer(64, _MAX_PIXELS, step=_STEP_PIXELS)(value))


def _flux_3_size(values: Values, ratio: float | None) -> tuple[int, int]:
    wanted = values["aspect_ratio"]
    return ratio_pixels((ratio or 1.0) if wanted == "auto" else wanted, _EDGE_PIXELS[values["resolution"]])


def _flux_2_size(values: Values, ratio: float | None) -> tuple[int, int]:
    if values["width"] and values["height"]:
        return values["width"], values["height"]
    return ratio_pixels(ratio or 1.0, 1024)


def check_size(values: Values) -> None:
    """Check the area of a FLUX.2 image.

    Raises:
        Mismatch: It is above 4 megapixels.
    """
    if (values.get("width") or 0) * (values.get("height") or 0) > _MAX_PIXELS:
        raise Mismatch("value_error", "Value error, the image must have at most 4 megapixels")


def _flux_2(name: str, text_usd: str, edit_usd: str, *, inputs: int = 8, flexible: bool = False) -> Model:
    image = Field(parse=text(most=32 * 1024 * 1024))
    further = {f"input_image_{at}": image for at in range(2, inputs + 1)}
    flex = {"steps": Field(parse=integer(1, 50), default=50), "guidance": Field(parse=number(1.5, 10), default=4.5)}
    schema = {
        "prompt": Field(parse=text(), required=True),
        "input_image": image,
        **further,
        "width": Field(parse=_side, default=0),
        "height": Field(parse=_side, default=0),
        "seed": Field(parse=integer(0, 2**63 - 1)),
        "safety_tolerance": Field(parse=integer(0, 5), default=2),
        "output_format": Field(parse=choice("jpeg", "png", "webp"), default="jpeg"),
        "webhook_url": Field(parse=text(most=2_083)),
        "webhook_secret": Field(parse=text(most=1_000)),
        **(flex if flexible else {}),
    }

    def price(values: Values, size: tuple[int, int]) -> Decimal:
        first = Decimal(edit_usd if values["input_image"] else text_usd)
        return first + first / 2 * max(0, -(-size[0] * size[1] // _MEGAPIXEL) - 1)

    return Model(name=name, schema=schema, size=_flux_2_size, price=price, sample_seconds=_TEN_MINUTES_SECONDS)


_FLUX_3: Final = Model(
    name="flux-3-image",
    schema={
        "prompt": Field(parse=text(most=15_000), required=True),
        "images": Field(parse=_one_or_many),
        "aspect_ratio": Field(parse=choice(*_RATIOS), default="auto"),
        "resolution": Field(parse=choice(*_PRICES), default="1k"),
        "safety_tolerance": Field(parse=integer(0, 4), default=2),
        "grounding": Field(parse=boolean, default=True),
        "version": Field(parse=text(most=64), default="latest"),
    },
    size=_flux_3_size,
    price=lambda values, _: Decimal(_PRICES[values["resolution"]]),
    sample_seconds=_HOUR_SECONDS,
    reasons=True,
)

MODELS: Final = {
    model.name: model
    for model in (
        _FLUX_3,
        _flux_2("flux-2-pro", "0.03", "0.045"),
        _flux_2("flux-2-pro-preview", "0.03", "0.045"),
        _flux_2("flux-2-max", "0.07", "0.10"),
        _flux_2("flux-2-flex", "0.05", "0.10", flexible=True),
        _flux_2("flux-2-klein-4b", "0.014", "0.015", inputs=4),
        _flux_2("flux-2-klein-9b", "0.015", "0.017", inputs=4),
    )
}
