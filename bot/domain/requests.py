"""What a member asks for, checked before a credit is held, and which offers can do it."""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from bot.domain.catalogue import (
    DEFAULT_MODEL,
    DEFAULT_RATIO,
    FORMATS,
    MAX_DETAIL,
    MAX_IMAGES,
    MODEL_IDS,
    MODELS,
    OFFERS,
    RESOLUTIONS,
    Model,
    Offer,
    find_model,
)
from bot.domain.errors import (
    OptionRangeError,
    PromptError,
    PromptProblem,
    StudioClosedError,
    UnsupportedOptionError,
)

# Unicode calls them letters or symbols, but nothing is to be seen: the fillers of Hangul, the Braille blank.
_BLANK_LETTERS: Final = "\u115f\u1160\u2800\u3164\uffa0"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A text-to-image request. Make one with `generation_request`, which checks it.

    `prompt` is as typed; `images` is how many pictures are asked for; `detail` scales quality and price (1-15);
    `resolution` is None where the model has no such choice.
    """

    prompt: str
    model: str = DEFAULT_MODEL
    aspect_ratio: str = DEFAULT_RATIO
    images: int = 1
    detail: int = 1
    format: str = "png"
    resolution: str | None = None


def generation_request(
    *,
    prompt: str,
    model: str = DEFAULT_MODEL,
    aspect_ratio: str = DEFAULT_RATIO,
    images: int = 1,
    detail: int = 1,
    format: str = "png",  # noqa: A002 - the option's name on Discord
    resolution: str | None = None,
    offered: Collection[str] = MODEL_IDS,
) -> GenerationRequest:
    """Return the checked request, or raise the `RequestError` that names the first mistake.

    `offered` are the models that this studio has: only those are named as a way out.
    """
    known = find_model(model)
    _check_prompt(prompt, known.max_prompt)
    _check_range("images", images, MAX_IMAGES)
    _check_range("detail", detail, MAX_DETAIL)
    _check_choice("format", format, FORMATS)
    ratios = tuple(dict.fromkeys(ratio for each in MODELS for ratio in each.aspect_ratios))
    _check_choice("aspect_ratio", aspect_ratio, ratios)
    if aspect_ratio not in known.aspect_ratios:
        raise _unsupported("aspect_ratio", aspect_ratio, known, offered)
    if detail > known.max_detail:
        raise _unsupported("detail", detail, known, offered)
    if resolution is not None:
        _check_choice("resolution", resolution, RESOLUTIONS)
        if resolution not in known.resolutions:
            raise _unsupported("resolution", resolution, known, offered)
    return GenerationRequest(
        prompt=prompt,
        model=model,
        aspect_ratio=aspect_ratio,
        images=images,
        detail=detail,
        format=format,
        resolution=resolution,
    )


def price(request: GenerationRequest) -> int:
    """Return the credits for all pictures of a request (seed: "Models", "Credits are multiplied by ...")."""
    return unit_price(request) * request.images


def unit_price(request: GenerationRequest) -> int:
    """Return the credits for one picture of a request."""
    model = find_model(request.model)
    factor_4k = model.price_factor_4k if request.resolution == "4K" else 1
    return model.text_price * factor_4k * request.detail


def offers_for(request: GenerationRequest, providers: tuple[str, ...]) -> tuple[Offer, ...]:
    """Return the offers that cover every option of the request, in the operator's order of providers."""
    fitting = [offer for offer in OFFERS if offer.provider in providers and _covers(offer, request)]
    return tuple(sorted(fitting, key=lambda offer: providers.index(offer.provider)))


def require_offer(request: GenerationRequest, providers: tuple[str, ...]) -> None:
    """Raise unless some configured provider can do the request.

    `UnsupportedOptionError` when the model is offered but not with these options: it names the models that can
    here; `StudioClosedError` when no configured provider offers the model at all.
    """
    if offers_for(request, providers):
        return
    offered = [offer for offer in OFFERS if offer.provider in providers and offer.model == request.model]
    if not offered:
        raise StudioClosedError
    option, value = _uncovered(offered[0], request)[0]
    able = tuple(
        dict.fromkeys(
            offer.model
            for offer in OFFERS
            if offer.provider in providers and (option, value) not in _uncovered(offer, request)
        )
    )
    raise UnsupportedOptionError(option, value, model=request.model, models=able)


def _uncovered(offer: Offer, request: GenerationRequest) -> list[tuple[str, object]]:
    """Return the options of the request, with their values, that the offer cannot do."""
    wanted: list[tuple[str, object, bool]] = [
        ("aspect_ratio", request.aspect_ratio, request.aspect_ratio in offer.aspect_ratios),
        ("resolution", request.resolution, request.resolution in (None, *offer.resolutions)),
        ("detail", request.detail, request.detail <= offer.max_detail),
        ("images", request.images, request.images <= offer.max_images),
        ("format", request.format, request.format in offer.formats),
    ]
    return [(option, value) for option, value, fits in wanted if not fits]


def _covers(offer: Offer, request: GenerationRequest) -> bool:
    return offer.model == request.model and not _uncovered(offer, request)


def _check_prompt(prompt: str, limit: int) -> None:
    length = len(prompt)
    if any(_unreadable(character) for character in prompt):
        raise PromptError(PromptProblem.UNREADABLE, length=length, limit=limit)
    if not any(_visible(character) for character in prompt):
        raise PromptError(PromptProblem.EMPTY, length=length, limit=limit)
    if length > limit:
        raise PromptError(PromptProblem.TOO_LONG, length=length, limit=limit)


def _unreadable(character: str) -> bool:
    """Return whether no provider, database or JSON can be trusted with it: lone surrogates, control characters."""
    return unicodedata.category(character) in {"Cs", "Cc"} and character not in "\n\r\t"


def _visible(character: str) -> bool:
    blank = character.isspace() or character in _BLANK_LETTERS
    return not blank and unicodedata.category(character) not in {"Cf", "Mn", "Me"}


def _check_range(option: str, value: int, highest: int) -> None:
    if not 1 <= value <= highest:
        raise OptionRangeError(option, value, f"1 to {highest}")


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionRangeError(option, value, ", ".join(choices))


def _unsupported(option: str, value: object, model: Model, offered: Collection[str]) -> UnsupportedOptionError:
    able = tuple(other.id for other in MODELS if other.id in offered and _can(other, option, value))
    return UnsupportedOptionError(option, value, model=model.id, models=able)


def _can(model: Model, option: str, value: object) -> bool:
    match option:
        case "aspect_ratio":
            return value in model.aspect_ratios
        case "detail":
            return isinstance(value, int) and value <= model.max_detail
        case "resolution":
            return value in model.resolutions
        case _:
            raise AssertionError(option)
