"""Models: abilities, prices and offering providers.

Prices, help texts and refusals are derived from here and from the table of options. Sources: seed "reve2img:
Models, Parameters"; seed "SkillBoss: Parameters".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from bot.domain.errors import StudioClosedError, UnknownModelError
from bot.domain.lazy_text import LazyText
from bot.domain.option_spec import Limit
from bot.domain.options import MAX_DETAIL, OPTIONS, RATIOS, RESOLUTIONS, UPSCALES


class Mode(StrEnum):
    """The starting point of a generation: text, or text and images."""

    TEXT = "text"  # the prompt alone
    EDIT = "edit"  # the prompt and pictures


@dataclass(frozen=True, slots=True, init=False)
class Abilities:
    """The limits of a model or an offer.

    `abilities["detail"]` is the limit of that option (see `Limit`). `max_inputs` is how many images an edit may start
    from, 0 if there are no edits.
    """

    max_inputs: int
    limits: Mapping[str, Limit]

    def __init__(self, *, max_inputs: int = 0, **limits: Limit) -> None:
        """Create abilities; missing limits are those of the option table.

        Raises:
            ValueError: a name is not that of an option with limits.
        """
        usual = {name: spec.limit for name, spec in OPTIONS.items() if spec.limit is not None}
        if unknown := limits.keys() - usual:
            raise ValueError(f"no options with limits: {sorted(unknown)}")
        object.__setattr__(self, "max_inputs", max_inputs)
        object.__setattr__(self, "limits", MappingProxyType(usual | limits))

    def __hash__(self) -> int:
        """Hash the abilities without the limits: a mapping has no hash."""
        return hash(self.max_inputs)

    def __getitem__(self, option: str) -> Any:
        """Return the limit of an option."""
        return self.limits[option]

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Return the modes: text always, edits if inputs are allowed."""
        return (Mode.TEXT, Mode.EDIT) if self.max_inputs else (Mode.TEXT,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as members know it.

    Prices are credits per image; `edit_price` is None if there are no edits.
    """

    id: str
    strength: str
    text_price: int
    edit_price: int | None
    max_prompt: int
    abilities: Abilities
    price_factor_4k: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A provider's version of a model.

    `remote_model` is the model's name there; `abilities` is the provider's part of the model's abilities.
    """

    provider: str
    model: str
    remote_model: str
    abilities: Abilities


MODELS: Final = (
    Model(
        id="reve-2.0",
        strength=LazyText("all-round, true to the prompt, good at text"),
        text_price=12,
        edit_price=20,
        max_prompt=2560,
        abilities=Abilities(
            max_inputs=6,  # Reve's remix takes that many
            aspect_ratio=RATIOS,
            detail=MAX_DETAIL,
            upscale=UPSCALES,
            remove_background=True,
            fit=True,
            effect=True,
            version=True,
        ),
    ),
    Model(
        id="nano-banana",
        strength=LazyText("quick ideas from text"),
        text_price=20,
        edit_price=None,
        max_prompt=4000,
        abilities=Abilities(),
    ),
    # The seed names no limit for the inputs of the next two: as many as one command can attach.
    Model(
        id="nano-banana-pro",
        strength=LazyText("fine detail, up to 4K"),
        text_price=70,
        edit_price=70,
        max_prompt=4000,
        abilities=Abilities(max_inputs=4, resolution=RESOLUTIONS),
        price_factor_4k=2,
    ),
    Model(
        id="seedream-5",
        strength=LazyText("photographs and scenes"),
        text_price=25,
        edit_price=25,
        max_prompt=4000,
        abilities=Abilities(max_inputs=4, resolution=RESOLUTIONS),
    ),
)

MODEL_IDS: Final = tuple(model.id for model in MODELS)

# reve2img does all that these models can do, under the same names (seed: "Models").
_AT_REVE2IMG: Final = frozenset({"reve-2.0", "nano-banana", "nano-banana-pro", "seedream-5"})

OFFERS: Final = (
    # SkillBoss knows three sizes, so three ratios (1792x1024, 1024x1024, 1024x1792), and only text.
    Offer(
        provider="skillboss",
        model="reve-2.0",
        remote_model="reve/text-to-image",
        abilities=Abilities(aspect_ratio=("16:9", "1:1", "9:16")),
    ),
    *(
        Offer(provider="reve2img", model=model.id, remote_model=model.id, abilities=model.abilities)
        for model in MODELS
        if model.id in _AT_REVE2IMG
    ),
)

PROVIDERS: Final = tuple(dict.fromkeys(offer.provider for offer in OFFERS))


def find_model(model_id: str, models: Sequence[Model] = MODELS) -> Model:
    """Return the model with this id.

    `models` are those of the studio.

    Raises:
        UnknownModelError: no model has this id; the error names the existing ones.
        StudioClosedError: the studio has no models.
    """
    if not models:
        raise StudioClosedError
    for model in models:
        if model.id == model_id:
            return model
    raise UnknownModelError(model_id, tuple(model.id for model in models))


def offered_models(providers: Collection[str]) -> tuple[Model, ...]:
    """Return the models of these providers.

    Each has no more abilities than their offers have together.
    """
    found = []
    for model in MODELS:
        offers = [offer.abilities for offer in OFFERS if offer.model == model.id and offer.provider in providers]
        if offers:
            found.append(replace(model, abilities=_together(model.abilities, offers)))
    return tuple(found)


def _together(most: Abilities, offers: Sequence[Abilities]) -> Abilities:
    """Return the union of the offers' abilities.

    Choices are in the order of `most`.
    """
    limits = {name: OPTIONS[name].widest(limit, [one[name] for one in offers]) for name, limit in most.limits.items()}
    return Abilities(max_inputs=max(one.max_inputs for one in offers), **limits)
