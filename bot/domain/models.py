"""The models: what each can do, what it costs, and which provider offers it under which name.

Options, prices, help texts and refusals are all derived from here. Sources: seed "reve2img: Models, Parameters";
seed "SkillBoss: Parameters"; the official Reve ratios.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from bot.domain.errors import StudioClosedError, UnknownModelError
from bot.domain.lazy_text import LazyText

REVE_RATIOS: Final = ("16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16")
FORMATS: Final = ("png", "jpeg", "webp")
TRANSPARENT_FORMATS: Final = ("png", "webp")
RESOLUTIONS: Final = ("1K", "2K", "4K")
UPSCALES: Final = (2, 3, 4)
VERSIONS: Final = ("latest", "latest-fast")
"""The versions with a name; dated ones exist besides."""
MAX_IMAGES: Final = 4
MAX_DETAIL: Final = 15
DEFAULT_RATIO: Final = "1:1"
DEFAULT_FORMAT: Final = "png"


class Mode(StrEnum):
    """What a model starts from."""

    TEXT = "text"  # the prompt alone
    EDIT = "edit"  # the prompt and pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What can be asked for; limits are inclusive.

    `resolutions` and `upscales` are empty where there is no such choice; `max_detail` is 1 where detail cannot be
    scaled; `max_inputs` is how many pictures an edit may start from, 0 where there are no edits.
    """

    aspect_ratios: tuple[str, ...] = REVE_RATIOS
    formats: tuple[str, ...] = FORMATS
    resolutions: tuple[str, ...] = ()
    max_images: int = MAX_IMAGES
    max_detail: int = 1
    max_inputs: int = 0
    upscales: tuple[int, ...] = ()
    remove_background: bool = False
    fit: bool = False
    effects: bool = False
    versions: bool = False

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Return what it can start from."""
        return (Mode.TEXT, Mode.EDIT) if self.max_inputs else (Mode.TEXT,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraPrices:
    """Credits that post-processing adds to each picture, whatever its detail.

    The seed says that paid post-processing costs more, not how much. These are this product's own, set beside the
    12 credits of a picture: a larger picture costs more, and `fit` only makes one smaller, so it is free.
    """

    upscale: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({2: 6, 3: 9, 4: 12}), hash=False)
    remove_background: int = 6
    effect: int = 4
    fit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as members know it. Prices are credits a picture; `edit_price` is None where there are no edits."""

    id: str
    strength: str
    text_price: int
    edit_price: int | None
    max_prompt: int
    abilities: Abilities
    price_factor_4k: int = 1
    extra_prices: ExtraPrices = field(default_factory=ExtraPrices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A provider's way to run a model: the name it uses there, and what it can do of the model's abilities."""

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
            aspect_ratios=(*REVE_RATIOS, "auto"),
            max_detail=MAX_DETAIL,
            max_inputs=6,  # Reve's remix takes that many
            upscales=UPSCALES,
            remove_background=True,
            fit=True,
            effects=True,
            versions=True,
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
        abilities=Abilities(resolutions=RESOLUTIONS, max_inputs=4),
        price_factor_4k=2,
    ),
    Model(
        id="seedream-5",
        strength=LazyText("photographs and scenes"),
        text_price=25,
        edit_price=25,
        max_prompt=4000,
        abilities=Abilities(resolutions=RESOLUTIONS, max_inputs=4),
    ),
)

MODEL_IDS: Final = tuple(model.id for model in MODELS)
DEFAULT_MODEL: Final = "reve-2.0"
RATIOS: Final = tuple(dict.fromkeys(ratio for model in MODELS for ratio in model.abilities.aspect_ratios))

OFFERS: Final = (
    # SkillBoss knows three sizes, so three ratios (1792x1024, 1024x1024, 1024x1792), and only text.
    Offer(
        provider="skillboss",
        model="reve-2.0",
        remote_model="reve/text-to-image",
        abilities=Abilities(aspect_ratios=("16:9", "1:1", "9:16")),
    ),
    *(Offer(provider="reve2img", model=model.id, remote_model=model.id, abilities=model.abilities) for model in MODELS),
)

PROVIDERS: Final = tuple(dict.fromkeys(offer.provider for offer in OFFERS))


def find_model(model_id: str, models: Sequence[Model] = MODELS) -> Model:
    """Return the model of this name, or raise `UnknownModelError` naming those that there are.

    `models` are a studio's; one that has none raises `StudioClosedError`.
    """
    if not models:
        raise StudioClosedError
    for model in models:
        if model.id == model_id:
            return model
    raise UnknownModelError(model_id, tuple(model.id for model in models))


def offered_models(providers: Collection[str]) -> tuple[Model, ...]:
    """Return the models that these providers offer, each with no more abilities than their offers have together."""
    found = []
    for model in MODELS:
        offers = [offer.abilities for offer in OFFERS if offer.model == model.id and offer.provider in providers]
        if offers:
            found.append(replace(model, abilities=_together(model.abilities, offers)))
    return tuple(found)


def _together(most: Abilities, offers: Sequence[Abilities]) -> Abilities:
    """Return what one or another of the offers can do, its choices in the order of `most`."""
    return Abilities(
        aspect_ratios=tuple(each for each in most.aspect_ratios if any(each in one.aspect_ratios for one in offers)),
        formats=tuple(each for each in most.formats if any(each in one.formats for one in offers)),
        resolutions=tuple(each for each in most.resolutions if any(each in one.resolutions for one in offers)),
        max_images=max(one.max_images for one in offers),
        max_detail=max(one.max_detail for one in offers),
        max_inputs=max(one.max_inputs for one in offers),
        upscales=tuple(each for each in most.upscales if any(each in one.upscales for one in offers)),
        remove_background=any(one.remove_background for one in offers),
        fit=any(one.fit for one in offers),
        effects=any(one.effects for one in offers),
        versions=any(one.versions for one in offers),
    )
