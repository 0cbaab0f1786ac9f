"""What a member asks for, checked before a credit is held, what it costs, and which offers can do it."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.domain.errors import (
    ExclusiveOptionsError,
    OptionRangeError,
    PromptError,
    PromptProblem,
    StudioClosedError,
    UnsupportedOptionError,
)
from bot.domain.fit import Fit
from bot.domain.lazy_text import LazyText
from bot.domain.models import (
    DEFAULT_FORMAT,
    DEFAULT_MODEL,
    DEFAULT_RATIO,
    FORMATS,
    MAX_DETAIL,
    MAX_IMAGES,
    OFFERS,
    PROVIDERS,
    RATIOS,
    RESOLUTIONS,
    TRANSPARENT_FORMATS,
    UPSCALES,
    VERSIONS,
    Abilities,
    Mode,
    Model,
    Offer,
    find_model,
    offered_models,
)

UPSCALE_NAMES: Final = {f"{factor}x": factor for factor in UPSCALES}
"""What a member chooses, with the factors."""
MAX_WORD: Final = 64
"""Characters of an effect's or a version's name."""

# Unicode calls them letters or symbols, but nothing is to be seen: the fillers of Hangul, the Braille blank.
_BLANK_LETTERS: Final = "\u115f\u1160\u2800\u3164\uffa0"
_DATED_VERSION: Final = re.compile(r"(?:[a-z0-9][a-z0-9.-]*@)?[0-9]{8}")
# The seed lists no effects, so any name that could be one; nothing that could be anything else.
_EFFECT: Final = re.compile(r"\w[\w .:/+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """Names a picture that the studio has made: its job and its place there, from 0."""

    job_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A picture in the store, found there by `sha256` and `media_type`; sides in pixels, `size` in bytes."""

    sha256: str
    media_type: str
    width: int
    height: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """A picture that a request starts from.

    `url` is where it can be fetched while that address lives: by us, and in a submit by the provider. It may hold a
    secret. `file` is None until we have it in the store; `parent` is set where it is a picture of the studio's own.
    """

    url: str | None = field(default=None, repr=False)
    file: ImageFile | None = None
    parent: ImageRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What pictures to make, from text or from pictures. Make one with `generation_request`, which checks it.

    `prompt` is as typed; `images` is how many pictures are asked for; `detail` scales quality and price (1-15);
    `resolution` is None where the model has no such choice; `upscale` is a factor. None and False ask for nothing.
    `keeps_form`: nobody chose `aspect_ratio`; it is the first input's, by what Discord says until that is here.
    """

    prompt: str
    model: str = DEFAULT_MODEL
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
    inputs: tuple[InputImage, ...] = ()
    keeps_form: bool = False

    @property
    def mode(self) -> Mode:
        """Return what it starts from."""
        return Mode.EDIT if self.inputs else Mode.TEXT


def generation_request(
    *,
    prompt: str,
    model: str = DEFAULT_MODEL,
    aspect_ratio: str = DEFAULT_RATIO,
    images: int = 1,
    detail: int = 1,
    format: str = DEFAULT_FORMAT,  # noqa: A002 - the option's name on Discord
    resolution: str | None = None,
    upscale: str | None = None,
    remove_background: bool = False,
    fit: str | None = None,
    effect: str | None = None,
    version: str | None = None,
    inputs: tuple[InputImage, ...] = (),
    providers: Sequence[str] = PROVIDERS,
) -> GenerationRequest:
    """Return the checked request from options as a member writes them, or raise the error of the first mistake.

    `upscale` is "2x", "3x" or "4x"; `fit` is what `Fit.parse` takes. `providers` are those that this studio has: what
    they cannot do is refused, and only their models are named as a way out. Raises a `RequestError`, or
    `StudioClosedError` where there is no provider.
    """
    models = offered_models(providers)
    known = find_model(model, models)
    check_prompt(prompt, known.max_prompt)
    _check_range("images", images, MAX_IMAGES)
    _check_range("detail", detail, MAX_DETAIL)
    _check_choice("format", format, FORMATS)
    _check_choice("aspect_ratio", aspect_ratio, RATIOS)
    _check_choice("resolution", resolution, (None, *RESOLUTIONS))
    _check_choice("upscale", upscale, (None, *UPSCALE_NAMES))
    request = GenerationRequest(
        prompt=prompt,
        model=model,
        aspect_ratio=aspect_ratio,
        images=images,
        detail=detail,
        format=format,
        resolution=resolution,
        upscale=None if upscale is None else UPSCALE_NAMES[upscale],
        remove_background=remove_background,
        fit=None if fit is None else Fit.parse(fit),
        effect=_checked_effect(effect),
        version=_checked_version(version),
        inputs=inputs,
    )
    if remove_background and format not in TRANSPARENT_FORMATS:
        raise ExclusiveOptionsError("remove_background", other="format", value=format, allowed=TRANSPARENT_FORMATS)
    if lacking := next(unsupported_options(known.abilities, request), None):
        raise _unsupported(*lacking, request, models)
    require_offer(request, providers)
    return request


def price(request: GenerationRequest) -> int:
    """Return the credits for all pictures of a request (seed: "Models", "Credits are multiplied by ...")."""
    return unit_price(request) * request.images


def unit_price(request: GenerationRequest) -> int:
    """Return the credits for one picture: the model's price times 4K and detail, and then what its extras add."""
    model = find_model(request.model)
    base = model.text_price if request.mode is Mode.TEXT else model.edit_price
    if base is None:
        raise ValueError(f"{model.id} has no price for edits: the request was not checked")
    factor_4k = model.price_factor_4k if request.resolution == "4K" else 1
    return base * factor_4k * request.detail + _extras(request, model)


def _extras(request: GenerationRequest, model: Model) -> int:
    """Return what post-processing adds to one picture."""
    prices = model.extra_prices
    return sum(
        (
            0 if request.upscale is None else prices.upscale[request.upscale],
            prices.remove_background if request.remove_background else 0,
            prices.effect if request.effect is not None else 0,
            prices.fit if request.fit is not None else 0,
        )
    )


def offers_for(request: GenerationRequest, providers: Sequence[str]) -> tuple[Offer, ...]:
    """Return the offers that cover every option of the request, in the operator's order of providers."""
    fitting = [offer for offer in OFFERS if offer.provider in providers and _covers(offer, request)]
    return tuple(sorted(fitting, key=lambda offer: providers.index(offer.provider)))


def require_offer(request: GenerationRequest, providers: Sequence[str]) -> None:
    """Raise unless some configured provider can do the request.

    `UnsupportedOptionError` when the model is offered but not with these options: it names the models that can
    here; `StudioClosedError` when no configured provider offers the model at all.
    """
    if offers_for(request, providers):
        return
    offered = [offer for offer in OFFERS if offer.provider in providers and offer.model == request.model]
    if not offered:
        raise StudioClosedError
    # Of several offers, what the one that comes nearest lacks.
    lacking = min((list(unsupported_options(offer.abilities, request)) for offer in offered), key=len)
    raise _unsupported(*lacking[0], request, offered_models(providers))


def unsupported_options(abilities: Abilities, request: GenerationRequest) -> Iterator[tuple[str, object]]:
    """Yield the options of the request, with their values as a member writes them, that go beyond the abilities."""
    wanted: tuple[tuple[str, object, bool], ...] = (
        ("mode", request.mode.value, request.mode in abilities.modes),
        ("inputs", len(request.inputs), len(request.inputs) <= abilities.max_inputs),
        ("aspect_ratio", request.aspect_ratio, request.aspect_ratio in abilities.aspect_ratios),
        ("images", request.images, request.images <= abilities.max_images),
        ("detail", request.detail, request.detail <= abilities.max_detail),
        ("format", request.format, request.format in abilities.formats),
        ("resolution", request.resolution, request.resolution in (None, *abilities.resolutions)),
        ("upscale", f"{request.upscale}x", request.upscale in (None, *abilities.upscales)),
        ("remove_background", request.remove_background, abilities.remove_background or not request.remove_background),
        ("fit", str(request.fit), abilities.fit or request.fit is None),
        ("effect", request.effect, abilities.effects or request.effect is None),
        ("version", request.version, abilities.versions or request.version is None),
    )
    return ((option, value) for option, value, fits in wanted if not fits)


def _covers(offer: Offer, request: GenerationRequest) -> bool:
    return offer.model == request.model and not any(unsupported_options(offer.abilities, request))


def _unsupported(
    option: str, value: object, request: GenerationRequest, models: Collection[Model]
) -> UnsupportedOptionError:
    """Return the error that names the models that can do all that is asked for, or else this option at least."""
    lacks = {model.id: {name for name, _ in unsupported_options(model.abilities, request)} for model in models}
    lacks.pop(request.model, None)
    able = [model for model, lacking in lacks.items() if not lacking]
    able = able or [model for model, lacking in lacks.items() if option not in lacking]
    return UnsupportedOptionError(option, value, model=request.model, models=tuple(able))


def readable(prompt: str) -> str:
    """Return a prompt without the characters that cannot be sent on."""
    return "".join(character for character in prompt if not _unreadable(character))


def check_prompt(prompt: str, limit: int) -> None:
    """Raise `PromptError` unless a model that takes `limit` code points can be given this."""
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


def _checked_effect(effect: str | None) -> str | None:
    """Return the name without blanks around it."""
    if effect is None:
        return None
    name = effect.strip()
    if len(name) > MAX_WORD or not _EFFECT.fullmatch(name):
        raise OptionRangeError("effect", effect, LazyText("a name of up to {most} letters and digits", most=MAX_WORD))
    return name


def _checked_version(version: str | None) -> str | None:
    if version is None or version in VERSIONS:
        return version
    if len(version) > MAX_WORD or not _DATED_VERSION.fullmatch(version):
        allowed = LazyText("{names}, or a dated one such as {example}", names=", ".join(VERSIONS), example="20250915")
        raise OptionRangeError("version", version, allowed)
    return version


def _check_range(option: str, value: int, highest: int) -> None:
    if not 1 <= value <= highest:
        raise OptionRangeError(option, value, LazyText("1 to {highest}", highest=highest))


def _check_choice(option: str, value: str | None, choices: Collection[str | None]) -> None:
    if value not in choices:
        raise OptionRangeError(option, value, ", ".join(choice for choice in choices if choice is not None))
