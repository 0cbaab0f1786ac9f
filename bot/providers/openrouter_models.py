"""OpenRouter's own list of image models: their parameters and prices.

Source: OpenRouter's page "Image generation", discovery. Whatever is odd in a list is left out: a model, a price or a
parameter.
"""

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from bot.domain.errors import FaultKind, ProviderError
from bot.providers.http import Call, ProviderHttp
from bot.providers.parsing import amount_of

MOST_MODELS: Final = 20
"""Models of a list that are read; each costs one more request."""

_ID: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}/[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)
_MOST_ROWS: Final = 1000
_MOST_VALUES: Final = 50
_REQUESTS: Final = 4
_HIGHEST_USD: Final = 100
_LOWEST_USD: Final = Decimal("0.000001")
_PICTURE: Final = "output_image"
_INPUTS: Final = frozenset({"input_image", "input_reference"})
# A square of 1024 pixels is a megapixel here.
_MEGAPIXELS: Final = {"1K": 1, "2K": 4, "4K": 16}
_DEFAULT_RESOLUTION: Final = "1K"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """A price in dollars; `variant` is a resolution or a quality, or ""."""

    billable: str
    unit: str
    usd: Decimal
    variant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredModel:
    """A model of the list.

    `choices` are the values of its parameters with some, `highest` the largest numbers of those with a range, and
    `parameters` the names of all. `prices` has the rows of each host.
    """

    id: str
    takes_images: bool
    parameters: frozenset[str]
    choices: Mapping[str, tuple[str, ...]]
    highest: Mapping[str, int]
    prices: tuple[tuple[PriceRow, ...], ...]

    def usd(self, *, resolution: str = _DEFAULT_RESOLUTION, quality: str = "") -> Decimal | None:
        """Return the price of an image at the dearest host.

        None if a host does not name its own.
        """
        found = [_image_price(rows, resolution, quality) for rows in self.prices]
        named = [each for each in found if each is not None]
        return max(named) if named and len(named) == len(found) else None

    @property
    def input_usd(self) -> Decimal:
        """Return the price of one input image at the dearest host."""
        counted = [row.usd for rows in self.prices for row in rows if row.billable in _INPUTS and row.unit == "image"]
        return max(counted, default=Decimal(0))


async def fetch_models(http: ProviderHttp, wanted: Collection[str] | None = None) -> dict[str, Any]:
    """Return the list with each model's hosts, as `parse_models` reads it.

    `wanted` are the ids of the models, None for the first ones.

    Raises:
        ProviderError: A request failed, or the answer is no list.
    """
    answer = await http.read("/images/models")
    rows = answer.document.get("data") if isinstance(answer.document, dict) else None
    if answer.fault is not None or not isinstance(rows, list):
        raise answer.fault or http.error(FaultKind.MALFORMED, Call.READ, detail="no models")
    chosen = {row["id"]: row for row in islice(rows, _MOST_ROWS) if _is_wanted(row, wanted)}
    limit = asyncio.Semaphore(_REQUESTS)

    async def read(row: dict[str, Any]) -> dict[str, Any] | None:
        async with limit:
            try:
                hosts = await http.read(f"/images/models/{row['id']}/endpoints")
            except ProviderError as error:
                if error.kind is FaultKind.NOT_FOUND:
                    return None
                raise
        return {"model": row, "hosts": hosts.document}

    found = await asyncio.gather(*(read(row) for row in islice(chosen.values(), MOST_MODELS)))
    return {"models": [each for each in found if each is not None]}


def parse_models(document: object) -> tuple[DiscoveredModel, ...]:
    """Return the usable models of a list."""
    rows = _list(_object(document).get("models"))
    return tuple(model for row in rows[:MOST_MODELS] if (model := _parsed(row)) is not None)


def is_model_id(text: object) -> bool:
    """Return whether a text can be OpenRouter's name of a model."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def _is_wanted(row: object, wanted: Collection[str] | None) -> bool:
    name = _object(row).get("id")
    return is_model_id(name) and (wanted is None or name in wanted)


def _parsed(row: object) -> DiscoveredModel | None:
    model, hosts = _object(_object(row).get("model")), _list(_object(_object(row).get("hosts")).get("endpoints"))
    name = model.get("id")
    modalities = _object(model.get("architecture"))
    if not is_model_id(name) or "image" not in _list(modalities.get("output_modalities")):
        return None
    parameters = dict(islice(_object(model.get("supported_parameters")).items(), _MOST_VALUES))
    return DiscoveredModel(
        id=str(name),
        takes_images="image" in _list(modalities.get("input_modalities")),
        parameters=frozenset(parameters),
        choices={
            key: tuple(value for value in _list(_object(found).get("values")) if isinstance(value, str))
            for key, found in parameters.items()
            if _object(found).get("type") == "enum"
        },
        highest={
            key: most
            for key, found in parameters.items()
            if isinstance(most := _object(found).get("max"), int) and not isinstance(most, bool)
        },
        prices=tuple(tuple(_price_rows(_object(host).get("pricing"))) for host in hosts),
    )


def _price_rows(pricing: object) -> Iterator[PriceRow]:
    for row in _list(pricing):
        found = _object(row)
        billable, unit, variant = found.get("billable"), found.get("unit"), found.get("variant")
        usd = amount_of(found.get("cost_usd"))
        if usd is None or not (usd == 0 or _LOWEST_USD <= usd <= _HIGHEST_USD):
            continue
        if isinstance(billable, str) and isinstance(unit, str):
            yield PriceRow(
                billable=billable, unit=unit, usd=usd, variant=variant.lower() if isinstance(variant, str) else ""
            )


def _image_price(rows: tuple[PriceRow, ...], resolution: str, quality: str) -> Decimal | None:
    """Return a host's price of a whole image, or None."""
    prices: dict[str, Decimal] = {}
    for row in rows:
        if row.billable == _PICTURE and row.unit in {"image", "request"}:
            prices[row.variant] = row.usd
        elif row.billable == _PICTURE and row.unit == "megapixel":
            prices[row.variant] = row.usd * _MEGAPIXELS[resolution]
    named = [prices[variant] for variant in (resolution.lower(), quality) if variant in prices]
    return max(named) if named else prices.get("", max(prices.values(), default=None))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value[:_MOST_VALUES] if isinstance(value, list) else []
