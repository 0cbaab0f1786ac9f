"""The shipped catalogue, and domain functions with a part of it.

The part are the models and offers of the two seeds, so that another one changes no test.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bot.catalogue_file import load_catalogue_file
from bot.domain import requests
from bot.domain.catalogue import Catalogue, build_catalogue
from bot.domain.errors import Remedy
from bot.domain.models import Abilities, Model, Offer
from bot.domain.requests import GenerationRequest
from bot.providers.skillboss import GEMINI_SHAPE
from tests.support.clock import START

SEED_MODELS_FILE: Final = Path(__file__).with_name("seed_models.toml")
"""MODELS_FILE of a bot with this part."""

PROVIDERS_OF_TESTS: Final = ("skillboss", "reve2img")
SHIPPED: Final = load_catalogue_file()
OFFERS: Final = tuple(
    offer for offer in SHIPPED.offers if offer.provider in PROVIDERS_OF_TESTS and offer.shape != GEMINI_SHAPE
)
MODELS: Final = tuple(model for model in SHIPPED.models if any(offer.model == model.id for offer in OFFERS))
MODEL_IDS: Final = tuple(model.id for model in MODELS)


def catalogue_of(*providers: str, models: tuple[Model, ...] = MODELS, **changes: Any) -> Catalogue:
    """Return the catalogue of these providers."""
    values: dict[str, Any] = {"offers": OFFERS, "today": START.date()} | changes
    return build_catalogue(models, providers=providers, **values)


def catalogue_with(model_id: str, **limits: Any) -> Catalogue:
    """Return the catalogue of both providers with other limits of a model.

    Its offer of reve2img has them too. `quality_factors` is no limit, but the model's.
    """
    factors = limits.pop("quality_factors", {})

    def changed(can: Abilities) -> Abilities:
        return Abilities(max_inputs=can.max_inputs, **(dict(can.limits) | limits))

    models = tuple(
        replace(each, abilities=changed(each.abilities), quality_factors=factors) if each.id == model_id else each
        for each in MODELS
    )
    offers = tuple(
        replace(each, abilities=changed(each.abilities))
        if (each.model, each.provider) == (model_id, "reve2img")
        else each
        for each in OFFERS
    )
    return catalogue_of("skillboss", "reve2img", models=models, offers=offers)


def give_options(catalogue: Catalogue, **limits: Any) -> None:
    """Give all models and offers of a running bot these limits."""
    for group in ("models", "known", "offers"):
        changed = [
            replace(
                each,
                abilities=Abilities(max_inputs=each.abilities.max_inputs, **(dict(each.abilities.limits) | limits)),
            )
            for each in getattr(catalogue, group)
        ]
        object.__setattr__(catalogue, group, tuple(changed))


def overwrite_models(catalogue: Catalogue, **changes: Callable[[Model], Any]) -> None:
    """Change fields of all models of a running bot."""
    for group in ("models", "known"):
        changed = [
            replace(each, **{name: new(each) for name, new in changes.items()}) for each in getattr(catalogue, group)
        ]
        object.__setattr__(catalogue, group, tuple(changed))


def take_away(catalogue: Catalogue, model_id: str, *, forget: bool) -> None:
    """Switch a model of a running bot off, as a restart would; or forget it."""
    object.__setattr__(catalogue, "models", tuple(each for each in catalogue.models if each.id != model_id))
    object.__setattr__(catalogue, "offers", tuple(each for each in catalogue.offers if each.model != model_id))
    if catalogue.default_model == model_id:
        object.__setattr__(catalogue, "default_model", catalogue.models[0].id)
    if forget:
        object.__setattr__(catalogue, "known", tuple(each for each in catalogue.known if each.id != model_id))


BOTH: Final = catalogue_of("skillboss", "reve2img")
SKILLBOSS: Final = catalogue_of("skillboss")
REVE2IMG: Final = catalogue_of("reve2img")
NO_PROVIDERS: Final = catalogue_of()


def offer_of(provider: str, model: str = "reve-2.0") -> Offer:
    """Return a shipped offer."""
    return next(offer for offer in OFFERS if (offer.provider, offer.model) == (provider, model))


def generation_request(*, prompt: str, catalogue: Catalogue = BOTH, **options: Any) -> GenerationRequest:
    """Return the checked request of a prompt and typed options."""
    return requests.generation_request(prompt=prompt, catalogue=catalogue, **options)


def price(request: GenerationRequest, catalogue: Catalogue = BOTH) -> int:
    """Return the credits for all images of a request."""
    return requests.price(request, catalogue)


def unit_price(request: GenerationRequest, catalogue: Catalogue = BOTH) -> int:
    """Return the credits for one image."""
    return requests.unit_price(request, catalogue)


def affordable(request: GenerationRequest, credits_: int, catalogue: Catalogue = BOTH) -> GenerationRequest | None:
    """Return the request reduced to a price."""
    return requests.affordable(request, credits_, catalogue)


def remedy(request: GenerationRequest, credits_: int, catalogue: Catalogue = BOTH) -> Remedy:
    """Return the change to a request for a price."""
    return requests.remedy(request, credits_, catalogue)
