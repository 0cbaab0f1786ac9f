"""Requests for images: validation, prices and possible offers."""

import math
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    EditOnlyError,
    ExclusiveOptionsError,
    PromptError,
    PromptProblem,
    Remedy,
    StudioClosedError,
    UnknownModelError,
    UnsupportedOptionError,
)
from bot.domain.fit import Fit
from bot.domain.images import InputImage
from bot.domain.models import Abilities, Mode, Model, Offer
from bot.domain.option_spec import Factor
from bot.domain.options import DEFAULT_FORMAT, DEFAULT_RATIO, MAX_NEGATIVE, OPTIONS, TRANSPARENT_FORMATS, drop_unset

# Unicode calls them letters or symbols, but they are invisible: the fillers of Hangul, the Braille blank.
_BLANK_LETTERS: Final = "\u115f\u1160\u2800\u3164\uffa0"


KEEP_AS_IT_IS: Final = "Keep this picture exactly as it is and change nothing in it."
"""The instruction of a generation that only serves its post-processing: the providers document post-processing only as
a part of a generation."""
ERASED_PROMPT: Final = ""
"""The placeholder prompt of a job after the erasure of its words."""
BLEND_PROMPT: Final = "Blend these pictures into one picture."
"""The prompt of a blend without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A request for images; `generation_request` makes a checked one.

    `prompt` is as typed. The options are those of the table in `bot.domain.options`, one field each; None, False and ""
    ask for nothing. `keep_aspect_ratio`: nobody chose `aspect_ratio`, so it is the first input's: by Discord's width
    and height until the file is here. `keeps_picture`: the input is only processed, and `prompt` is that of its origin.
    `default_format_chosen`: somebody chose `format`, though it is the default. Any other format was always chosen.
    `preset` is the name of the preset behind prompt and options, as its author typed it; "" is none.
    """

    prompt: str
    model: str
    aspect_ratio: str = DEFAULT_RATIO
    images: int = 1
    detail: int = 1
    format: str = DEFAULT_FORMAT
    resolution: str | None = None
    upscale: int | None = None
    remove_background: bool = False
    fit: Fit | None = None
    effect: str | None = None
    version: str | None = None
    seed: int | None = None
    negative: str = ""
    quality: str | None = None
    transparent: bool = False
    inputs: tuple[InputImage, ...] = ()
    keep_aspect_ratio: bool = False
    keeps_picture: bool = False
    default_format_chosen: bool = False
    preset: str = ""

    @property
    def chosen_format(self) -> str | None:
        """Return the format that somebody chose, else None."""
        return self.format if self.default_format_chosen or self.format != DEFAULT_FORMAT else None

    @property
    def instruction(self) -> str:
        """Return the prompt for the provider."""
        return KEEP_AS_IT_IS if self.keeps_picture else self.prompt

    @property
    def words(self) -> tuple[str, ...]:
        """Return the member's words for the provider; a log must not have them."""
        return tuple(text for text in (self.instruction, self.negative) if text)

    @property
    def mode(self) -> Mode:
        """Return the mode: an edit if there are inputs."""
        return Mode.EDIT if self.inputs else Mode.TEXT


def generation_request(
    *, prompt: str, inputs: tuple[InputImage, ...] = (), catalogue: Catalogue, **options: Any
) -> GenerationRequest:
    """Return the checked request of a prompt and typed options.

    None is not chosen. A request beyond the catalogue is refused, and only its models are suggested instead.

    Raises:
        RequestError: the first mistake found.
        StudioClosedError: there is no provider.
        ValueError: a name is not that of an option.
    """
    chosen = drop_unset(options)
    chosen.setdefault("model", catalogue.default_model)
    known = _offered(chosen["model"], inputs, catalogue)
    check_prompt(prompt, known.max_prompt)
    values = {name: spec.value_of(chosen.get(name)) for name, spec in OPTIONS.items()}
    has_format = chosen.get("format") == DEFAULT_FORMAT
    request = GenerationRequest(prompt=prompt, **values, inputs=inputs, default_format_chosen=has_format)
    _check_negative(request.negative)
    _check_exclusive(request)
    if lacking := next(unsupported_options(known.abilities, request), None):
        raise _unsupported(*lacking, request, catalogue.models)
    _check_edit_only(request)
    require_offer(request, catalogue)
    return request


def _offered(model_id: str, inputs: tuple[InputImage, ...], catalogue: Catalogue) -> Model:
    """Return an offered model.

    The error about one that is off names those that can do the same.
    """
    try:
        return catalogue.find(model_id)
    except UnknownModelError as error:
        if not any(model.id == model_id for model in catalogue.known):
            raise
        able = _able(GenerationRequest(prompt="", model=model_id, inputs=inputs), catalogue.models)
        raise UnknownModelError(model_id, able or error.models) from None


def price(request: GenerationRequest, catalogue: Catalogue) -> int:
    """Return the credits for all images of a request.

    Raises `UnknownModelError` as `unit_price` does. Source: seed "Models", "Credits are multiplied by ...".
    """
    return unit_price(request, catalogue) * request.images


def unit_price(request: GenerationRequest, catalogue: Catalogue) -> int:
    """Return the credits for one image.

    That is the model's price times resolution, quality and detail, rounded up, plus the surcharges of the options.

    Raises:
        UnknownModelError: the model no longer exists; the error names those that can do the request.
    """
    try:
        model = catalogue.find_known(request.model)
    except UnknownModelError:
        raise UnknownModelError(request.model, _able(request, catalogue.models)) from None
    price: Factor | None = model.text_price if request.mode is Mode.TEXT else model.edit_price
    if price is None:
        raise ValueError(f"{model.id} has no price for edits: the request was not checked")
    surcharges = 0
    for name, spec in OPTIONS.items():
        value = getattr(request, name)
        surcharges += spec.surcharge_of(value)
        if spec.multiplier is not None:
            price *= spec.multiplier(value, model)
    return math.ceil(price) + surcharges


def affordable(request: GenerationRequest, credits_: int, catalogue: Catalogue) -> GenerationRequest | None:
    """Return the request with fewer images, then with less detail.

    It costs at most `credits_`. None if one image without detail costs more.
    """
    if (images := credits_ // unit_price(request, catalogue)) > 0:
        return replace(request, images=min(images, request.images))
    levels = range(request.detail - 1, 0, -1)
    smaller = (replace(request, images=1, detail=level) for level in levels)
    return next((each for each in smaller if unit_price(each, catalogue) <= credits_), None)


def remedy(request: GenerationRequest, credits_: int, catalogue: Catalogue) -> Remedy:
    """Return the change to a request for a price within `credits_`."""
    plain = replace(request, detail=1)
    fewer = request.images > 1 and unit_price(request, catalogue) <= credits_
    if request.detail > 1 and price(plain, catalogue) <= credits_:
        return Remedy.EITHER if fewer else Remedy.LESS_DETAIL
    if fewer:
        return Remedy.FEWER
    return Remedy.BOTH if unit_price(plain, catalogue) <= credits_ else Remedy.NONE


def offers_for(request: GenerationRequest, catalogue: Catalogue) -> tuple[Offer, ...]:
    """Return the offers with every option of the request.

    They are in the operator's order of providers.
    """
    return tuple(offer for offer in catalogue.offers if _covers(offer, request))


def images_by_call(images: int, offer: Offer) -> tuple[int, ...]:
    """Return the images of each call of an offer for a number of images."""
    most = offer.images_per_call or images
    return tuple(min(most, images - made) for made in range(0, images, most))


def require_offer(request: GenerationRequest, catalogue: Catalogue) -> None:
    """Check that some configured provider can do the request.

    Raises:
        UnsupportedOptionError: the model is offered, but not with these options; the error names the models that can.
        UnknownModelError: the model is not offered; the error names the models that can do the request.
        StudioClosedError: no model is offered at all.
    """
    if offers_for(request, catalogue):
        return
    if not catalogue.models:
        raise StudioClosedError
    offered = catalogue.offers_of(request.model)
    if not offered:
        raise UnknownModelError(request.model, _able(request, catalogue.models))
    # The options that the nearest of several offers lacks.
    lacking = min((list(unsupported_options(offer.abilities, request)) for offer in offered), key=len)
    raise _unsupported(*lacking[0], request, catalogue.models)


def unsupported_options(abilities: Abilities, request: GenerationRequest) -> Iterator[tuple[str, object]]:
    """Yield the options beyond the abilities, with their typed values."""
    if request.mode not in abilities.modes:
        yield "mode", request.mode.value
    if len(request.inputs) > abilities.max_inputs:
        yield "inputs", len(request.inputs)
    for name, limit in abilities.limits.items():
        spec = OPTIONS[name]
        value = request.chosen_format if name == "format" else getattr(request, name)
        if not spec.is_within(limit, value):
            yield name, spec.typed(value)


def format_for(request: GenerationRequest, offer: Offer) -> str | None:
    """Return the file format to ask of an offer that covers a request.

    If nobody chose one it is the default, else the offer's first. None if the offer has no choice of formats.
    """
    formats = offer.abilities["format"]
    if request.transparent or request.remove_background:
        formats = tuple(each for each in formats if each in TRANSPARENT_FORMATS)
    return request.format if request.format in formats else next(iter(formats), None)


def _covers(offer: Offer, request: GenerationRequest) -> bool:
    return offer.model == request.model and not any(unsupported_options(offer.abilities, request))


def _unsupported(
    option: str, value: object, request: GenerationRequest, models: Collection[Model]
) -> UnsupportedOptionError:
    """Return the error for an unsupported option.

    It names the models that can do the whole request, or else at least this option.
    """
    lacks = _lacks(request, models)
    able = [model for model, lacking in lacks.items() if not lacking]
    able = able or [model for model, lacking in lacks.items() if option not in lacking]
    return UnsupportedOptionError(option, value, model=request.model, models=tuple(able))


def _able(request: GenerationRequest, models: Collection[Model]) -> tuple[str, ...]:
    """Return the other models able to do a request, else all others."""
    lacks = _lacks(request, models)
    return tuple(model for model, lacking in lacks.items() if not lacking) or tuple(lacks)


def _lacks(request: GenerationRequest, models: Collection[Model]) -> dict[str, set[str]]:
    """Return the options lacking for a request, by other model."""
    others = [model for model in models if model.id != request.model]
    return {model.id: {name for name, _ in unsupported_options(model.abilities, request)} for model in others}


def readable(prompt: str) -> str:
    """Return a prompt without unreadable characters."""
    return "".join(character for character in prompt if not _unreadable(character))


def check_prompt(prompt: str, limit: int) -> None:
    """Check a prompt against a limit of `limit` code points.

    Raises:
        PromptError: it is unreadable, empty or too long.
    """
    length = len(prompt)
    if any(_unreadable(character) for character in prompt):
        raise PromptError(PromptProblem.UNREADABLE, length=length, limit=limit)
    if not any(_visible(character) for character in prompt):
        raise PromptError(PromptProblem.EMPTY, length=length, limit=limit)
    if length > limit:
        raise PromptError(PromptProblem.TOO_LONG, length=length, limit=limit)


def require_prompt(request: GenerationRequest) -> None:
    """Check that a request's prompt was not erased with an earlier job.

    Raises:
        PromptError: it was.
    """
    if request.prompt == ERASED_PROMPT:
        raise PromptError(PromptProblem.ERASED, length=0, limit=0)


def _check_negative(negative: str) -> None:
    if not negative:
        return
    try:
        check_prompt(negative, MAX_NEGATIVE)
    except PromptError as error:
        raise PromptError(error.problem, length=error.length, limit=error.limit, negative=True) from None


def _unreadable(character: str) -> bool:
    """Return whether a character is unsafe to send or store.

    Those are lone surrogates and control characters: no provider, database or JSON handles them reliably.
    """
    return unicodedata.category(character) in {"Cs", "Cc"} and character not in "\n\r\t"


def _visible(character: str) -> bool:
    blank = character.isspace() or character in _BLANK_LETTERS
    return not blank and unicodedata.category(character) not in {"Cf", "Mn", "Me"}


def _check_exclusive(request: GenerationRequest) -> None:
    for name, spec in OPTIONS.items():
        if spec.needs is None or not spec.is_asked(getattr(request, name)):
            continue
        other, allowed = spec.needs
        if (value := getattr(request, other)) not in allowed:
            raise ExclusiveOptionsError(name, other=other, value=value, allowed=allowed)


def _check_edit_only(request: GenerationRequest) -> None:
    if request.mode is Mode.EDIT:
        return
    for name, spec in OPTIONS.items():
        if (value := getattr(request, name)) in spec.edits_only:
            raise EditOnlyError(name, spec.typed(value))
