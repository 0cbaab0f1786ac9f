"""The request, the offer and the prices of a trial."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import httpx

from bot.catalogue_file import load_catalogue_file
from bot.domain.aspect_ratios import with_input_ratio
from bot.domain.attachments import MAX_BYTES
from bot.domain.catalogue import Catalogue
from bot.domain.errors import AtelierError, ImageError, ImageProblem
from bot.domain.images import InputImage
from bot.domain.models import Offer
from bot.domain.option_resolution import chosen_request
from bot.domain.requests import GenerationRequest, offers_for, price
from bot.factories import build_catalogue, build_providers
from bot.images.decoder_pool import DecoderPool
from bot.images.sanitize import sanitize
from bot.providers.base import InputFile, InputForm, Provider
from bot.providers.spec import ProviderSpec
from bot.providers.transport import provider_client
from bot.settings import Settings
from bot.trial.problems import TrialError, image_problem, request_problem, usage_error

_TABLE: Final = "README.md lists them all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of the command; None is not chosen."""

    prompt: str
    model: str | None = None
    provider: str | None = None
    aspect_ratio: str | None = None
    image: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A checked request, its provider and its prices.

    `credits` is a member's price, `list_price` the provider's in US dollars, None if unknown.
    """

    request: GenerationRequest
    offer: Offer
    spec: ProviderSpec
    inputs: tuple[InputFile, ...]
    credits: int
    list_price: Decimal | None


async def prepare(settings: Settings, wanted: Wanted) -> Plan:
    """Check the request, and sanitize the picture to edit. Free.

    Raises:
        TrialError: the request is impossible with these settings.
    """
    _check_provider(settings, wanted.provider)
    names = settings.providers if wanted.provider is None else (wanted.provider,)
    today = datetime.now(UTC).date()
    async with provider_client(verify=httpx.create_ssl_context(trust_env=False), proxies=settings.proxies) as client:
        if settings.openrouter_list is not None and "openrouter" in names:
            await settings.openrouter_list.refresh(settings.api_url_of("openrouter"), client)
        catalogue = build_catalogue(settings, names, today)
        providers = build_providers(settings, client)
        try:
            _check_models(settings, catalogue, wanted.model, names)
            image, file = (None, None) if wanted.image is None else await _sanitized(wanted.image)
            request, offer = _choice(wanted, image, catalogue, providers, settings)
        finally:
            for provider in providers.values():
                await provider.close()
    usd = offer.list_price(today)
    return Plan(
        request=request,
        offer=offer,
        spec=settings.specs[offer.provider],
        inputs=() if file is None else (file,),
        credits=price(request, catalogue),
        list_price=None if usd is None else usd.of(request.mode),
    )


def _check_provider(settings: Settings, name: str | None) -> None:
    if name is not None and name not in settings.specs:
        raise usage_error(f"There is no provider {name}. Known are: {', '.join(settings.specs)}")
    if name is not None and name not in settings.providers:
        spec = settings.specs[name]
        missing = spec.key_variable if settings.api_url_of(name) else spec.url_variable
        raise usage_error(
            f"{spec.display_name} is not set up: set {missing}, and name it in PROVIDER_ORDER if you set that."
        )
    if not settings.providers:
        raise usage_error(f"No provider has a key. Set one in .env, such as OPENAI_API_KEY or FAL_KEY; {_TABLE}.")


def _check_models(settings: Settings, catalogue: Catalogue, model: str | None, names: tuple[str, ...]) -> None:
    """Check for a model at these providers, with the way to one."""
    if not catalogue.models:
        named = ", ".join(settings.display_name_of(name) for name in names)
        raise usage_error(
            f"No model of {named} is switched on. Its own models are named in MODELS_FILE: see docs/providers.md"
        )
    if model is None or any(each.id == model for each in catalogue.models):
        return
    file = load_catalogue_file(settings.models_file, settings.found_models)
    others = dict.fromkeys(each.provider for each in file.offers if each.model == model)
    offered = ", ".join(each.id for each in catalogue.models)
    if not others:
        raise usage_error(f"There is no model {model}. Offered are: {offered}")
    ways = " or ".join(
        f"--provider {each}" if each in settings.providers else f"set {settings.specs[each].switch_variable}"
        for each in others
    )
    raise usage_error(f"{model} is not offered here: {ways}. Offered are: {offered}")


def _choice(
    wanted: Wanted,
    image: InputImage | None,
    catalogue: Catalogue,
    providers: Mapping[str, Provider],
    settings: Settings,
) -> tuple[GenerationRequest, Offer]:
    """Return the request and its first offer without a public address.

    Without a chosen model, it is the default one, else the first one with all the options.
    """
    problem: TrialError | None = None
    for model in _candidates(wanted.model, catalogue):
        try:
            request = chosen_request(
                prompt=wanted.prompt,
                options={"model": model, "aspect_ratio": wanted.aspect_ratio},
                catalogue=catalogue,
                inputs=() if image is None else (image,),
            )
        except AtelierError as error:
            problem = problem or request_problem(error)
            continue
        request = with_input_ratio(request, catalogue)
        for offer in offers_for(request, catalogue):
            if image is None or providers[offer.provider].input_form is InputForm.FILE:
                return request, offer
            problem = problem or usage_error(
                f"{settings.display_name_of(offer.provider)} fetches pictures to edit from a public address, so edits "
                "there need the running bot. Try the model from text, or another provider with --provider."
            )
    assert problem is not None  # noqa: S101 - there is a model, so either an error or an offer
    raise problem


def _candidates(model: str | None, catalogue: Catalogue) -> Iterator[str]:
    if model is not None:
        yield model
        return
    yield from dict.fromkeys((catalogue.default_model, *(each.id for each in catalogue.models)))


async def _sanitized(path: Path) -> tuple[InputImage, InputFile]:
    """Return a file of this machine as providers get members' pictures."""
    decoders = DecoderPool(processes=1)
    with tempfile.TemporaryDirectory(prefix="atelier-") as folder:
        copy = Path(folder) / "input"
        try:
            await asyncio.to_thread(_copy, path, copy)
            kept = await decoders.run(sanitize, copy, member=0)
            data = await asyncio.to_thread(copy.read_bytes)
        except ImageError as error:
            raise image_problem(path.name, error) from None
        except OSError as error:
            raise usage_error(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
        finally:
            await decoders.close()
    return InputImage(file=kept.file, changes=kept.changes), InputFile(data=data, media_type=kept.file.media_type)


def _copy(path: Path, copy: Path) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise ImageError(ImageProblem.TOO_LARGE, "bytes")
    shutil.copyfile(path, copy)
