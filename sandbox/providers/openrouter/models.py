"""Models of OpenRouter's Image API: parameters, providers and prices."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_RATIOS: Final = ("auto", "1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "4:5", "5:4", "21:9")
_WIDE: Final = (*_RATIOS, "1:4", "4:1", "1:8", "8:1")
_DEFAULT_RESOLUTION: Final = "1K"
_MEGAPIXEL: Final = 1024 * 1024


def _words(*values: str) -> dict[str, Any]:
    return {"type": "enum", "values": list(values)}


def _range(least: int, most: int) -> dict[str, Any]:
    return {"type": "range", "min": least, "max": most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A row of an endpoint's prices in US dollars."""

    billable: str
    unit: str
    cost: Decimal
    variant: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the documented row."""
        row: dict[str, Any] = {"billable": self.billable, "unit": self.unit, "cost_usd": float(self.cost)}
        return row if self.variant is None else {**row, "variant": self.variant}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEndpoint:
    """A provider of a model, with its parameters and prices."""

    name: str
    slug: str
    parameters: Mapping[str, Any]
    prices: tuple[Price, ...]
    streams: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the documented record."""
        return {
            "provider_name": self.name,
            "provider_slug": self.slug,
            "provider_tag": self.slug,
            "supported_parameters": dict(self.parameters),
            "allowed_passthrough_parameters": [],
            "supports_streaming": self.streams,
            "pricing": [price.as_json() for price in self.prices],
        }

    def cost(self, *, images: int, pixels: int, references: int, variants: tuple[str, ...]) -> Decimal:
        """Return the price of a call; `variants` are its resolution and quality."""
        total = Decimal(0)
        for price in self._applicable(variants):
            match price.billable, price.unit:
                case "output_image", "megapixel":
                    total += price.cost * images * pixels / _MEGAPIXEL
                case "output_image", _:
                    total += price.cost * images
                case _:
                    total += price.cost * references
        return total

    def _applicable(self, variants: tuple[str, ...]) -> list[Price]:
        exact = [price for price in self.prices if price.variant in variants]
        named = {price.billable for price in exact}
        return exact + [price for price in self.prices if price.variant is None and price.billable not in named]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model and its providers, the primary one first."""

    id: str
    endpoints: tuple[ProviderEndpoint, ...]

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of all providers."""
        return {name: value for endpoint in reversed(self.endpoints) for name, value in endpoint.parameters.items()}

    def as_json(self) -> dict[str, Any]:
        """Return the documented entry of the list."""
        takes_pictures = "input_references" in self.parameters
        return {
            "id": self.id,
            "name": self.id.rpartition("/")[2],
            "description": "A model of the sandbox.",
            "created": 1_790_000_000,
            "architecture": {
                "input_modalities": ["text", "image"] if takes_pictures else ["text"],
                "output_modalities": ["image"],
            },
            "supported_parameters": self.parameters,
            "supports_streaming": any(endpoint.streams for endpoint in self.endpoints),
            "endpoints": f"/api/v1/images/models/{self.id}/endpoints",
        }


def _picture(cost: str, variant: str | None = None) -> Price:
    return Price(billable="output_image", unit="image", cost=Decimal(cost), variant=variant)


_BANANA: Final = {
    "aspect_ratio": _words(*_WIDE),
    "resolution": _words("1K", "2K", "4K"),
    "input_references": _range(0, 14),
}
_BANANA_PRICES: Final = (_picture("0.0336"), _picture("0.0504", "2k"), _picture("0.113", "4k"))
_GPT: Final = {
    "n": _range(1, 10),
    "size": {"type": "boolean"},
    "aspect_ratio": _words(*_RATIOS),
    "quality": _words("auto", "low", "medium", "high", "xhigh", "max"),
    "output_format": _words("png", "jpeg", "webp"),
    "output_compression": _range(0, 100),
    "background": _words("auto", "opaque", "transparent"),
    "input_references": _range(0, 16),
}
_FLUX: Final = {
    "aspect_ratio": _words(*_RATIOS, "2:1", "1:2"),
    "resolution": _words("768", "1K", "1.5K", "2K", "4K"),
    "input_references": _range(0, 10),
}
_QWEN: Final = {
    "n": _range(1, 6),
    "size": {"type": "boolean"},
    "seed": {"type": "boolean"},
    "output_format": _words("png", "jpeg", "webp"),
    "input_references": _range(0, 3),
}

_MODELS: Final = (
    Model(
        id="google/gemini-nano-banana-2.1",
        endpoints=(
            ProviderEndpoint(
                name="Google AI Studio", slug="google-ai-studio", parameters=_BANANA, prices=_BANANA_PRICES
            ),
            ProviderEndpoint(
                name="Google Vertex",
                slug="google-vertex",
                parameters=_BANANA,
                prices=(_picture("0.04"), _picture("0.06", "2k"), _picture("0.13", "4k")),
            ),
        ),
    ),
    Model(
        id="openai/gpt-image-2.5-flare",
        endpoints=(
            ProviderEndpoint(
                name="OpenAI",
                slug="openai",
                parameters=_GPT,
                prices=(
                    _picture("0.013"),
                    _picture("0.006", "low"),
                    _picture("0.053", "high"),
                    _picture("0.094", "xhigh"),
                    _picture("0.211", "max"),
                    Price(billable="input_reference", unit="image", cost=Decimal("0.008")),
                ),
                streams=True,
            ),
        ),
    ),
    Model(
        id="black-forest-labs/flux-3-image",
        endpoints=(
            ProviderEndpoint(
                name="Black Forest Labs",
                slug="black-forest-labs",
                parameters=_FLUX,
                prices=(Price(billable="output_image", unit="megapixel", cost=Decimal("0.048")),),
            ),
        ),
    ),
    Model(
        id="qwen/qwen-image-3",
        endpoints=(ProviderEndpoint(name="Alibaba", slug="alibaba", parameters=_QWEN, prices=(_picture("0.03"),)),),
    ),
)
MODELS: Final = {model.id: model for model in _MODELS}
