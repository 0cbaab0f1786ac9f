"""Reading of the files of models; every mistake is one line."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from bot.catalogue_file.openrouter import OpenRouterList
from bot.catalogue_file.schema import (
    MODEL_NAME,
    SERVICE_NAME,
    FileTable,
    ModelTable,
    OfferTable,
    Options,
    ServiceTable,
    is_model_id,
    is_service_name,
    locate,
)
from bot.domain.catalogue import Catalogue, build_catalogue
from bot.domain.lazy_text import LazyText
from bot.domain.models import Abilities, ListPrice, Model, Offer, TokenPrices
from bot.providers.addresses import AN_ADDRESS, is_secure
from bot.providers.found_models import FoundModel, FoundModelsError
from bot.providers.openai_images import SPECS, service_spec
from bot.providers.registry import PROVIDERS
from bot.providers.spec import ProviderSpec

SHIPPED: Final = files("bot") / "models.toml"
# A key never goes to these over HTTP without TLS.
_HOSTED: Final = frozenset(spec.name for spec in SPECS if spec.needs_key)


class CatalogueFileError(ValueError):
    """Mistakes in a file of models; `lines` has one for each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFile:
    """All models, offers and services of the files, in their order.

    A service is a provider of the operator's own, by its name.
    """

    models: tuple[Model, ...]
    offers: tuple[Offer, ...]
    services: Mapping[str, ProviderSpec] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the models."""
        return tuple(model.id for model in self.models)


def load_catalogue_file(path: Path | None = None, found: Sequence[FoundModel] = ()) -> CatalogueFile:
    """Return the shipped and the found models, changed by an operator's file.

    Raises:
        CatalogueFileError: the file cannot be read, or has mistakes.
        FoundModelsError: a found model has mistakes.
    """
    text = None if path is None else _read_own(path)
    # The settings ask several times at a start.
    return _load(path, text, found) if found else _load_once(path, text)


def _load(path: Path | None, text: str | None, found: Sequence[FoundModel] = ()) -> CatalogueFile:
    own = {} if path is None or text is None else _parse_own(path, text)
    document = _merged(_with_found(_shipped(), found), own)
    if lines := _mistakes_in(document):
        raise CatalogueFileError(_named(path, lines))
    table = FileTable.model_validate(document)
    models = {name: _model(name, model) for name, model in table.models.items()}
    services = _services(table)
    specs = {**PROVIDERS, **services}
    return CatalogueFile(
        models=tuple(models.values()),
        offers=tuple(
            _offer(specs[provider], models[name], offer)
            for name, model in table.models.items()
            for provider, offer in model.offers.items()
            if offer.enabled
        ),
        services=MappingProxyType(services),
    )


_load_once = lru_cache(maxsize=4)(_load)


def load_catalogue(
    path: Path | None,
    *,
    providers: Sequence[str],
    today: date,
    defaults: Sequence[str] = (),
    found: Sequence[FoundModel] = (),
    openrouter: OpenRouterList | None = None,
) -> Catalogue:
    """Return the catalogue of these providers on a day.

    The models of OpenRouter's list come last. Raises as `load_catalogue_file` does.
    """
    file = load_catalogue_file(path, found)
    more = () if openrouter is None else openrouter.entries(file.models, file.offers, today)
    return build_catalogue(
        (*file.models, *(model for model, _ in more)),
        (*file.offers, *(offer for _, offer in more)),
        providers=providers,
        today=today,
        defaults=defaults,
    )


def _with_found(shipped: dict[str, Any], found: Sequence[FoundModel]) -> dict[str, Any]:
    """Return the shipped tables and those of found models.

    A model that ships gets one more offer, within its own limits.

    Raises:
        FoundModelsError: a model has mistakes; later ones are not read.
    """
    document = shipped
    for each in found:
        known = shipped["models"].get(each.name)
        offer = dict(each.offer)
        table = each.table
        if known is not None:
            options = _merged(each.table["options"], _table(each.own.get("options")))
            offer |= {"max_inputs": min(each.table["max_inputs"], known.get("max_inputs", 0)), "options": options}
            table = {}
        own = {key: value for key, value in each.own.items() if known is None or key != "options"}
        changes = _merged(_merged(table, own), {"offers": {each.provider: offer}})
        document = _merged(document, {"models": {each.name: changes}})
        where = locate(("models", each.name))[0]
        mistakes = _mistakes_in({"models": {each.name: document["models"][each.name]}})
        if mistakes:
            lines = (f"{each.source}: {line.removeprefix(f'{where}.')}" for line in mistakes)
            raise FoundModelsError(tuple(sorted(lines)), setting=each.setting)
    return document


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mistakes_in(document: Mapping[str, Any]) -> set[str]:
    """Return a line for each mistake in the tables of a file."""
    try:
        table = FileTable.model_validate(document)
    except ValidationError as error:
        return set(map(_line_of, error.errors(include_input=False, include_url=False)))
    specs = {**PROVIDERS, **_services(table)}
    lines = {line for name, model in table.models.items() for line in _mistakes_of(name, model, specs)}
    return lines | {line for name, service in table.services.items() for line in _mistakes_of_service(name, service)}


def _read_own(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CatalogueFileError((f"{path} cannot be read: {error.strerror or type(error).__name__}",)) from None
    except UnicodeDecodeError:
        raise CatalogueFileError((f"{path} is no text in UTF-8: save it as UTF-8",)) from None


def _parse_own(path: Path, text: str) -> dict[str, Any]:
    try:
        return _parse(text)
    except tomllib.TOMLDecodeError as error:
        line = " ".join(str(error).split())
        raise CatalogueFileError((f"{path} is no TOML: {line}",)) from None


@cache
def _shipped() -> dict[str, Any]:
    """Return the shipped file, parsed once; nobody may change it."""
    return _parse(SHIPPED.read_text(encoding="utf-8"))


def _parse(text: str) -> dict[str, Any]:
    return tomllib.loads(text, parse_float=Decimal)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables with those of `above` in them.

    Lists are replaced as a whole.
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _named(path: Path | None, lines: set[str]) -> tuple[str, ...]:
    return tuple(f"{path or 'bot/models.toml'}: {line}" for line in sorted(lines))


def _line_of(mistake: Any) -> str:
    where, table, text = locate(mistake["loc"])
    if mistake["type"] == "missing":
        return f"{where} is missing: it {text}"
    if mistake["type"] == "extra_forbidden":
        return f"{where} is no key; known are: {', '.join(table.model_fields)}"
    return f"{where} {text}"


def _mistakes_of(name: str, model: ModelTable, specs: Mapping[str, ProviderSpec]) -> Iterator[str]:
    """Yield the mistakes between several keys."""
    where = locate(("models", name))[0]
    if not is_model_id(name):
        yield f"{where} is no name of a model: it takes {MODEL_NAME}"
    if model.max_inputs and model.credits.edit is None:
        yield f"{where}.credits.edit is missing: the model takes pictures (max_inputs)"
    if not model.offers:
        yield f"{where}.offers is missing: it takes a table for each provider: {', '.join(specs)}"
    for provider, offer in model.offers.items():
        if provider not in specs:
            yield f"{where}.offers.{provider} is no provider; known are: {', '.join(specs)}"
        elif (offer.shape or "") not in (shapes := specs[provider].shapes or ("",)):
            takes = "one of " if any(shapes) else "no value at this provider"
            yield f"{where}.offers.{provider}.shape takes {takes}{', '.join(filter(None, shapes))}"
        if (offer.max_inputs or 0) > model.max_inputs:
            yield f"{where}.offers.{provider}.max_inputs takes no more than the model's {model.max_inputs}"


def _mistakes_of_service(name: str, service: ServiceTable) -> Iterator[str]:
    """Yield the mistakes between several keys."""
    where = locate(("services", name))[0]
    if not is_service_name(name):
        yield f"{where} is no name of a service: it takes {SERVICE_NAME}"
    if service.key_variable is not None and service.profile in _HOSTED and not is_secure(service.url):
        yield f"{where}.url {AN_ADDRESS}"


def _services(table: FileTable) -> dict[str, ProviderSpec]:
    return {name: _service(name, service) for name, service in table.services.items()}


def _service(name: str, table: ServiceTable) -> ProviderSpec:
    return service_spec(
        name,
        display_name=table.display_name or name,
        profile=table.profile,
        url=table.url,
        key_variable=table.key_variable,
        api_version=table.api_version or "",
    )


def _model(name: str, table: ModelTable) -> Model:
    return Model(
        id=name,
        name=table.name or "",
        # Braces of an operator's text are no places for values.
        strength=LazyText(table.good_at.replace("{", "{{").replace("}", "}}")),
        text_price=table.credits.text,
        edit_price=table.credits.edit if table.max_inputs else None,
        max_prompt=table.max_prompt,
        abilities=_abilities(table.max_inputs, table.options),
        resolution_factors=MappingProxyType(dict(table.credits.resolution)),
        quality_factors=MappingProxyType(dict(table.credits.quality)),
        released=table.released,
        retires=table.retires,
        retired_upstream=table.retired_upstream,
        note=table.note or "",
        enabled=table.enabled,
        forced=table.force,
        roles=tuple(table.roles),
    )


def _offer(spec: ProviderSpec, model: Model, table: OfferTable) -> Offer:
    limited = table.max_inputs is not None or table.options is not None
    prices = [
        ListPrice(
            valid_from=each.valid_from,
            text=each.text,
            edit=each.edit,
            by_resolution=MappingProxyType(dict(each.resolution)),
            by_quality=MappingProxyType(dict(each.quality)),
        )
        for each in table.usd
    ]
    return Offer(
        provider=spec.name,
        model=model.id,
        remote_model=table.remote_model or model.id,
        abilities=_abilities(table.max_inputs or 0, table.options) if limited else model.abilities,
        list_prices=tuple(sorted(prices, key=lambda price: price.valid_from)),
        images_per_call=table.images_per_call or spec.images_per_call,
        token_prices=None if table.tokens is None else TokenPrices(**table.tokens.model_dump()),
        remote_edit_model=table.remote_edit_model,
        shape=table.shape or "",
    )


def _abilities(max_inputs: int, options: Options | None) -> Abilities:
    limits = {} if options is None else options.model_dump(exclude_none=True)
    return Abilities(
        max_inputs=max_inputs,
        **{name: tuple(limit) if isinstance(limit, list) else limit for name, limit in limits.items()},
    )
