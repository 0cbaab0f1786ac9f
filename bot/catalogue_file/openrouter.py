"""Models of OpenRouter's own list, besides the shipped ones.

A start reads the list into a file and the catalogue from that file, so that a bad day of OpenRouter changes no model.
The price for members is `max(1, ceil(usd / 0.004))` credits for an image.
"""

import asyncio
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final

import httpx
import structlog

from bot.catalogue_file.schema import is_model_id
from bot.domain.errors import ProviderError
from bot.domain.lazy_text import LazyText
from bot.domain.models import Abilities, ListPrice, Model, Offer
from bot.domain.option_spec import Factor
from bot.domain.options import DEFAULT_RATIO, FORMATS, MAX_IMAGES, QUALITIES, RATIOS, RESOLUTIONS
from bot.providers.http import HttpRules, ProviderHttp
from bot.providers.openrouter import USUAL_QUALITY, OpenRouter
from bot.providers.openrouter_models import DiscoveredModel, fetch_models, parse_models

FILE_NAME: Final = "openrouter-models.json"
ALL: Final = "all"
SHIPPED_ONLY: Final = "shipped"
USD_PER_CREDIT: Final = Decimal("0.004")

_log = structlog.get_logger(__name__)

_REFRESH_SECONDS: Final = 10.0
_MAX_FILE_BYTES: Final = 2 * 1024 * 1024
_RULES: Final = HttpRules(max_bytes=_MAX_FILE_BYTES)
_MOST_INPUTS: Final = 14
_MAX_PROMPT: Final = 4000
_STEP: Final = Decimal("0.01")
_NOT_IN_AN_ID: Final = re.compile("[^a-z0-9.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRouterList:
    """The file of OpenRouter's list, and the wanted models in it.

    `wanted` has their ids there, or "all".
    """

    folder: Path
    wanted: tuple[str, ...]

    @property
    def file(self) -> Path:
        """The file in the data folder."""
        return self.folder / FILE_NAME

    async def refresh(self, url: str, client: httpx.AsyncClient) -> bool:
        """Read the list into the file; return False if that failed.

        The old file then stays. Discovery needs no key, so none is sent.
        """
        http = ProviderHttp(name=OpenRouter.name, base_url=url, key=None, client=client, rules=_RULES)
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                document = await fetch_models(http, None if ALL in self.wanted else self.wanted)
            found = len(parse_models(document))
            text = json.dumps(document)
            if not found or len(text) > _MAX_FILE_BYTES:
                _log.warning("openrouter.models_not_read", reason="unusable list")
                return False
            await asyncio.to_thread(_write, self.file, text)
        except (ProviderError, TimeoutError, OSError, ValueError, RecursionError) as error:
            reason = error.kind.value if isinstance(error, ProviderError) else type(error).__name__
            _log.warning("openrouter.models_not_read", reason=reason)
            return False
        _log.info("openrouter.models_read", models=found)
        return True

    def entries(self, models: Iterable[Model], offers: Iterable[Offer], today: date) -> tuple[tuple[Model, Offer], ...]:
        """Return the wanted models of the file, without those that are known.

        A known one has the id of a model, or is the model of an offer at OpenRouter. A missing or broken file has none.
        """
        taken = {model.id for model in models}
        offered = {offer.remote_model for offer in offers if offer.provider == OpenRouter.name}
        found: list[tuple[Model, Offer]] = []
        for listed in _read(self.file):
            if listed.id in offered or not (ALL in self.wanted or listed.id in self.wanted):
                continue
            pair = _entry(listed, today)
            if pair is not None and pair[0].id not in taken:
                taken.add(pair[0].id)
                found.append(pair)
        return tuple(found)


def _read(file: Path) -> tuple[DiscoveredModel, ...]:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_FILE_BYTES + 1)
        return () if len(content) > _MAX_FILE_BYTES else parse_models(json.loads(content))
    except (OSError, ValueError, RecursionError):
        return ()


def _write(file: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def _entry(listed: DiscoveredModel, today: date) -> tuple[Model, Offer] | None:
    """Return a model with its offer; None without a price or a usable id."""
    maker, _, slug = listed.id.partition("/")
    model_id = _NOT_IN_AN_ID.sub("-", slug)
    qualities = _values(listed, "quality", QUALITIES)
    usual = USUAL_QUALITY if USUAL_QUALITY in qualities else ""
    usd = listed.usd(quality=usual)
    if usd is None or not is_model_id(model_id):
        return None
    ratios = _values(listed, "aspect_ratio", RATIOS)
    resolutions = _values(listed, "resolution", RESOLUTIONS)
    resolutions = resolutions if len(resolutions) > 1 else ()
    most_inputs = listed.highest.get("input_references", _MOST_INPUTS)
    has_inputs = listed.takes_images and "input_references" in listed.parameters
    max_inputs = max(0, min(most_inputs, _MOST_INPUTS)) if has_inputs else 0
    edit_usd = usd + listed.input_usd
    abilities = Abilities(
        max_inputs=max_inputs,
        aspect_ratio=ratios if DEFAULT_RATIO in ratios else (DEFAULT_RATIO,),
        format=_values(listed, "output_format", FORMATS),
        resolution=resolutions,
        quality=qualities,
        seed="seed" in listed.parameters,
        transparent="transparent" in listed.choices.get("background", ()),
    )
    by_resolution = {each: listed.usd(resolution=each, quality=usual) for each in resolutions}
    by_quality = {each: listed.usd(quality=each) for each in qualities}
    model = Model(
        id=model_id,
        strength=LazyText("a model of {maker}, through OpenRouter", maker=maker),
        text_price=_credits(usd),
        edit_price=_credits(edit_usd) if max_inputs else None,
        max_prompt=_MAX_PROMPT,
        abilities=abilities,
        resolution_factors=_factors(usd, by_resolution),
        quality_factors=_factors(usd, by_quality),
    )
    offer = Offer(
        provider=OpenRouter.name,
        model=model_id,
        remote_model=listed.id,
        abilities=abilities,
        list_prices=(
            ListPrice(
                valid_from=today,
                text=usd,
                edit=edit_usd,
                by_resolution=_named(by_resolution),
                by_quality=_named(by_quality),
            ),
        ),
        images_per_call=max(1, min(listed.highest.get("n", 1), MAX_IMAGES)),
    )
    return model, offer


def _credits(usd: Decimal) -> int:
    return max(1, math.ceil(usd / USD_PER_CREDIT))


def _factors(usd: Decimal, prices: dict[str, Decimal | None]) -> MappingProxyType[str, Factor]:
    """Return the factors of dearer and cheaper choices."""
    found = {key: price / usd for key, price in prices.items() if price and usd and price != usd}
    return MappingProxyType({key: max(factor.quantize(_STEP), _STEP) for key, factor in found.items()})


def _named(prices: Mapping[str, Decimal | None]) -> Mapping[str, Decimal]:
    return MappingProxyType({key: price for key, price in prices.items() if price is not None})


def _values(listed: DiscoveredModel, parameter: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the known choices of a parameter."""
    return tuple(value for value in known if value in listed.choices.get(parameter, ()))
