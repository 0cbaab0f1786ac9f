"""The catalogue: models and offers of one installation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bot.domain.errors import StudioClosedError, UnknownModelError
from bot.domain.models import Abilities, Model, Offer
from bot.domain.options import OPTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The models for members, and the offers behind them.

    `providers` are the configured ones, in the operator's order; `offers` are theirs, in the same order. `models` are
    on and offered, each with no more abilities than its offers have together. `known` are all models of the files:
    those that are off, retired or not offered too. `default_model` is for members who choose none; while no provider
    serves it, the next of `default_order` is.
    """

    providers: tuple[str, ...]
    models: tuple[Model, ...]
    offers: tuple[Offer, ...]
    known: tuple[Model, ...]
    default_model: str
    default_order: tuple[str, ...] = ()

    def find(self, model_id: str) -> Model:
        """Return an offered model.

        Raises:
            UnknownModelError: no offered model has this id; the error names the offered ones.
            StudioClosedError: there is no model at all.
        """
        if not self.models:
            raise StudioClosedError
        return self._one_of(self.models, model_id)

    def find_known(self, model_id: str) -> Model:
        """Return a model with its prices, even if it is not offered now.

        Raises:
            UnknownModelError: no file has this model; the error names the offered ones.
        """
        return self._one_of(self.known, model_id)

    @property
    def cheapest_picture(self) -> int:
        """The lowest price of a picture, in credits; 1 without any model."""
        return min((model.text_price for model in self.models), default=1)

    def offers_of(self, model_id: str) -> tuple[Offer, ...]:
        """Return the offers of a model, in the operator's order."""
        return tuple(offer for offer in self.offers if offer.model == model_id)

    def find_offer(self, provider: str, model_id: str) -> Offer | None:
        """Return a provider's offer of a model, or None."""
        return next((offer for offer in self.offers_of(model_id) if offer.provider == provider), None)

    def retiring(self, today: date) -> tuple[Model, ...]:
        """Return the offered models with a near retirement."""
        return tuple(model for model in self.models if model.retires_soon(today))

    def _one_of(self, models: Iterable[Model], model_id: str) -> Model:
        for model in models:
            if model.id == model_id:
                return model
        raise UnknownModelError(model_id, tuple(model.id for model in self.models))


def build_catalogue(
    models: Sequence[Model],
    offers: Sequence[Offer],
    *,
    providers: Sequence[str],
    today: date,
    defaults: Sequence[str] = (),
) -> Catalogue:
    """Return the catalogue of the configured providers on a day.

    The first offered one of `defaults` is the default model. Else it is the first offered model that its maker has not
    retired, or the first one at all.
    """
    listed = [offer for provider in providers for offer in offers if offer.provider == provider]
    on = {model.id for model in models if model.is_on(today)}
    listed = [offer for offer in listed if offer.model in on]
    offered = []
    for model in models:
        abilities = [offer.abilities for offer in listed if offer.model == model.id]
        if abilities:
            offered.append(replace(model, abilities=_together(model.abilities, abilities)))
    ids = [model.id for model in offered]
    alive = [model.id for model in offered if model.retired_upstream is None or today < model.retired_upstream]
    # Without any offer the first default still has a name, for the texts of commands.
    usual = [*(each for each in defaults if each in ids), *alive, *ids, *defaults, *(model.id for model in models), ""]
    return Catalogue(
        providers=tuple(providers),
        models=tuple(offered),
        offers=tuple(listed),
        known=tuple(models),
        default_model=usual[0],
        default_order=tuple(dict.fromkeys(each for each in usual if each in ids)),
    )


def _together(most: Abilities, offers: Sequence[Abilities]) -> Abilities:
    """Return the union of the offers' abilities.

    Choices are in the order of `most`.
    """
    limits = {name: OPTIONS[name].widest(limit, [one[name] for one in offers]) for name, limit in most.limits.items()}
    return Abilities(max_inputs=max(one.max_inputs for one in offers), **limits)
