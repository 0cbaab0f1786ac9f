"""The models: what each can do, what it costs, and which provider offers it under which name.

Options, prices, help texts and refusals are all derived from here. Sources: seed "reve2img: Models, Parameters";
seed "SkillBoss: Parameters"; the official Reve ratios.
"""

from dataclasses import dataclass
from typing import Final

from bot.domain.errors import UnknownModelError

REVE_RATIOS: Final = ("16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16")
FORMATS: Final = ("png", "jpeg", "webp")
RESOLUTIONS: Final = ("1K", "2K", "4K")
MAX_IMAGES: Final = 4
MAX_DETAIL: Final = 15
DEFAULT_RATIO: Final = "1:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as members know it. Prices are credits a picture; limits are inclusive.

    `resolutions` is empty where the model has no such choice; `max_detail` is 1 where detail cannot be scaled.
    """

    id: str
    strength: str
    text_price: int
    edit_price: int | None
    max_prompt: int
    aspect_ratios: tuple[str, ...] = REVE_RATIOS
    resolutions: tuple[str, ...] = ()
    max_detail: int = 1
    price_factor_4k: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A provider's way to run a model: the name it uses there, and what it can do of the model's options."""

    provider: str
    model: str
    remote_model: str
    aspect_ratios: tuple[str, ...]
    resolutions: tuple[str, ...] = ()
    max_images: int = MAX_IMAGES
    max_detail: int = 1
    formats: tuple[str, ...] = FORMATS


MODELS: Final = (
    Model(
        id="reve-2.0",
        strength="all-round, true to the prompt, good at text",
        text_price=12,
        edit_price=20,
        max_prompt=2560,
        aspect_ratios=(*REVE_RATIOS, "auto"),
        max_detail=MAX_DETAIL,
    ),
    Model(
        id="nano-banana",
        strength="quick ideas from text",
        text_price=20,
        edit_price=None,
        max_prompt=4000,
    ),
    Model(
        id="nano-banana-pro",
        strength="fine detail, up to 4K",
        text_price=70,
        edit_price=70,
        max_prompt=4000,
        resolutions=RESOLUTIONS,
        price_factor_4k=2,
    ),
    Model(
        id="seedream-5",
        strength="photographs and scenes",
        text_price=25,
        edit_price=25,
        max_prompt=4000,
        resolutions=RESOLUTIONS,
    ),
)

MODEL_IDS: Final = tuple(model.id for model in MODELS)
DEFAULT_MODEL: Final = "reve-2.0"

_REVE2IMG: Final = "reve2img"

OFFERS: Final = (
    # SkillBoss knows three sizes, so three ratios (1024x1024, 1024x1792, 1792x1024).
    Offer(
        provider="skillboss",
        model="reve-2.0",
        remote_model="reve/text-to-image",
        aspect_ratios=("1:1", "9:16", "16:9"),
    ),
    *(
        Offer(
            provider=_REVE2IMG,
            model=model.id,
            remote_model=model.id,
            aspect_ratios=model.aspect_ratios,
            resolutions=model.resolutions,
            max_detail=model.max_detail,
        )
        for model in MODELS
    ),
)


def find_model(model_id: str) -> Model:
    """Return the model of this name, or raise `UnknownModelError` naming those that exist."""
    for model in MODELS:
        if model.id == model_id:
            return model
    raise UnknownModelError(model_id, MODEL_IDS)
