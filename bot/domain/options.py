"""The table of image options, one `OptionSpec` each.

Slash commands, autocompletion, validation, refusals, prices, presets, settings, storage, cards, the details and the
help are derived from the table. An option needs one entry here, a field of the same name and default in
`GenerationRequest`, its limit at the models and offers that have it, and a line in the client of each provider.
Sources: seed "reve2img: Models, Parameters"; seed "SkillBoss: Parameters"; the official Reve ratios.
"""

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from bot.domain.errors import OptionRangeError, UnknownEffectError
from bot.domain.fit import Fit
from bot.domain.lazy_text import LazyPlural, LazyText
from bot.domain.option_spec import MAX_WORD, Factor, ModelPrices, OptionSpec, SettingTexts, Size, Stage

REVE_RATIOS: Final = ("16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16")
RATIOS: Final = (
    *("4:1", "21:9", "2:1", "16:9", "3:2", "4:3", "5:4", "1:1"),
    *("4:5", "3:4", "2:3", "9:16", "1:2", "9:21", "1:4", "auto"),
)
FORMATS: Final = ("png", "jpeg", "webp")
TRANSPARENT_FORMATS: Final = ("png", "webp")
RESOLUTIONS: Final = ("1K", "2K", "4K")
QUALITIES: Final = ("low", "medium", "high")
UPSCALES: Final = (2, 3, 4)
VERSIONS: Final = ("latest", "latest-fast")
"""The versions with a name; dated versions exist besides."""
EDIT_VERSIONS: Final = ("latest-fast",)
"""The named versions that only edits have."""
MAX_IMAGES: Final = 4
MAX_DETAIL: Final = 15
MAX_SEED: Final = 2**31 - 1
MAX_NEGATIVE: Final = 500
"""Characters of a negative prompt."""
DEFAULT_RATIO: Final = "1:1"
DEFAULT_FORMAT: Final = "png"

_DATED_VERSION: Final = re.compile(r"(?:[a-z0-9][a-z0-9.-]*@)?[0-9]{8}")
# The seed lists no effects, so any name that could be one; nothing that could be anything else.
_EFFECT: Final = re.compile(r"\w[\w .:/+-]*")


def nearest_ratio(width: int, height: int, ratios: Sequence[str] = REVE_RATIOS) -> str:
    """Return the ratio nearest to these sides.

    Each ratio is two numbers.
    """
    own = math.log(width / height)
    return min(ratios, key=lambda ratio: abs(math.log(ratio_value(ratio)) - own))


def ratio_value(ratio: str) -> float:
    """Return width divided by height of an aspect ratio."""
    width, height = ratio.split(":")
    return int(width) / int(height)


def _substitute_ratio(ratios: tuple[str, ...], size: Size | None) -> str:
    """Return the ratio nearest to that of the input image.

    It is the default one while the size is unknown.
    """
    named = [ratio for ratio in ratios if ":" in ratio]
    if not named:
        return ratios[0]
    if size is None:
        return DEFAULT_RATIO if DEFAULT_RATIO in named else named[0]
    return nearest_ratio(*size, named)


def is_effect_name(name: str) -> bool:
    """Return whether a text can be the name of an effect."""
    return len(name) <= MAX_WORD and _EFFECT.fullmatch(name) is not None


def find_effect(name: str, effects: Sequence[str]) -> str:
    """Return the known effect of a name, in any case.

    Raises:
        UnknownEffectError: `effects` has none of this name.
    """
    for known in effects:
        if known.casefold() == name.casefold():
            return known
    raise UnknownEffectError(name, tuple(effects))


def _parse_effect(typed: str) -> str:
    """Return an effect's name without the blanks around it."""
    name = typed.strip()
    if not is_effect_name(name):
        raise OptionRangeError("effect", typed, LazyText("a name of up to {most} letters and digits", most=MAX_WORD))
    return name


def _parse_version(typed: str) -> str:
    if typed not in VERSIONS and (len(typed) > MAX_WORD or not _DATED_VERSION.fullmatch(typed)):
        allowed = LazyText("{names}, or a dated one such as {example}", names=", ".join(VERSIONS), example="20250915")
        raise OptionRangeError("version", typed, allowed)
    return typed


def describe_model(default: str | None = None) -> LazyText:
    """Return the description of `model`; the catalogue knows the default."""
    if default is None:
        return LazyText("Model (default: yours, else the studio's)")
    return LazyText("Model (default: yours, else {model})", model=default)


def _resolution_help(resolutions: tuple[str, ...], prices: ModelPrices) -> str | None:
    joined = ", ".join(resolutions)
    match _other_factors(resolutions, prices.resolution_factors):
        case []:
            return joined or None
        case [("4K", factor)]:
            return LazyText("{resolutions} (4K costs {factor}×)", resolutions=joined, factor=factor)
        case several:
            return LazyText("{resolutions} (price: {factors})", resolutions=joined, factors=_listed(several))


def _quality_help(qualities: tuple[str, ...], prices: ModelPrices) -> str | None:
    if not qualities:
        return None
    joined = ", ".join(qualities)
    if factors := _other_factors(qualities, prices.quality_factors):
        return LazyText("quality {qualities} (price: {factors})", qualities=joined, factors=_listed(factors))
    return LazyText("quality {qualities}", qualities=joined)


_QUALITY_WORDS: Final = {
    "low": LazyText("low quality"),
    "medium": LazyText("medium quality"),
    "high": LazyText("high quality"),
}


def _other_factors(choices: tuple[str, ...], factors: Mapping[str, Factor]) -> list[tuple[str, Factor]]:
    """Return the choices with another price, and their factors."""
    return [(each, factors[each]) for each in choices if factors.get(each, 1) != 1]


def _listed(factors: Sequence[tuple[str, Factor]]) -> str:
    return ", ".join(f"{each} {factor}×" for each, factor in factors)


_SPECS: Final = (
    OptionSpec(
        name="model",
        kind=str,
        description=describe_model(),
        stage=Stage.RESULT,
        setting=SettingTexts(name=LazyText("Model"), description=LazyText("Model to use unless you name one")),
        always_on_card=True,
    ),
    OptionSpec(
        name="aspect_ratio",
        kind=str,
        description=LazyText("Aspect ratio (default: yours, else {ratio})", ratio=DEFAULT_RATIO),
        edit_description=LazyText("Aspect ratio (default: the picture's own, as nearly as possible)"),
        default=DEFAULT_RATIO,
        choices={ratio: ratio for ratio in RATIOS},
        limit=REVE_RATIOS,
        substitute=_substitute_ratio,
        stage=Stage.RESULT,
        setting=SettingTexts(
            name=LazyText("Aspect ratio"), description=LazyText("Aspect ratio to use unless you name one")
        ),
        always_stored=True,
        label=LazyText("aspect ratio"),
        always_on_card=True,
    ),
    OptionSpec(
        name="images",
        kind=int,
        description=LazyText("How many (1-4); each is charged"),
        default=1,
        maximum=MAX_IMAGES,
        limit=MAX_IMAGES,
        stage=Stage.COUNT,
        always_stored=True,
        label=LazyText("number of pictures"),
        card=lambda count: LazyPlural("{count} picture", "{count} pictures", count),
        always_on_card=True,
        help=lambda most, _: LazyText("1-{most} pictures", most=most),
    ),
    OptionSpec(
        name="detail",
        kind=int,
        description=LazyText("Level of detail, 1 to {most}; multiplies the price", most=MAX_DETAIL),
        default=1,
        maximum=MAX_DETAIL,
        limit=1,
        stage=Stage.GENERATION,
        always_stored=True,
        multiplier=lambda level, _: level,
        card=lambda level: LazyText("detail {level}", level=level),
        help=lambda most, _: LazyText("detail 1-{most}, which multiplies the price", most=most) if most > 1 else None,
    ),
    OptionSpec(
        name="format",
        kind=str,
        description=LazyText("File format (default: yours, else {format})", format=DEFAULT_FORMAT),
        default=DEFAULT_FORMAT,
        choices={format_: format_ for format_ in FORMATS},
        limit=FORMATS,
        open_default=True,
        stage=Stage.RESULT,
        setting=SettingTexts(name=LazyText("Format"), description=LazyText("Format to use unless you name one")),
        always_stored=True,
        card_after="resolution",
    ),
    OptionSpec(
        name="resolution",
        kind=str,
        description=LazyText("Resolution, for models with a choice; 4K may cost more"),
        choices={resolution: resolution for resolution in RESOLUTIONS},
        limit=(),
        stage=Stage.GENERATION,
        always_stored=True,
        multiplier=lambda resolution, prices: prices.resolution_factors.get(resolution, 1),
        label=LazyText("resolution"),
        help=_resolution_help,
    ),
    # The seed says that paid post-processing costs more, not how much. The surcharges of the next four are this
    # product's own, set beside the 12 credits of an image: a larger one costs more, `fit` only shrinks, so it is free.
    OptionSpec(
        name="upscale",
        kind=str,
        description=LazyText("Enlarge the finished picture; adds to the price"),
        choices={f"{factor}x": factor for factor in UPSCALES},
        limit=(),
        stage=Stage.PROCESSING,
        surcharge=MappingProxyType({2: 6, 3: 9, 4: 12}),
        refusal=LazyText("cannot upscale a picture"),
        card=lambda typed: LazyText("upscaled {factor}×", factor=typed.rstrip("x")),
        surcharge_help=lambda prices: LazyText("upscale {prices}", prices=prices),
    ),
    OptionSpec(
        name="remove_background",
        kind=bool,
        description=LazyText("Cut out what the picture shows, for png and webp; adds to the price"),
        default=False,
        limit=False,
        needs=("format", TRANSPARENT_FORMATS),
        stage=Stage.PROCESSING,
        surcharge=6,
        refusal=LazyText("cannot remove the background"),
        card=lambda wanted: LazyText("cut out") if wanted else LazyText("not cut out"),
        surcharge_help=lambda price: LazyText("remove background {price}", price=price),
    ),
    OptionSpec(
        name="fit",
        kind=str,
        description=LazyText(
            "Scale down to a size: 2048 (longest side), 2048x (width), x1024 (height), 1920x1080 (both)"
        ),
        parse=Fit.parse,
        suggestions={
            "2048": LazyText("2048 · the longest side"),
            "2048x": LazyText("2048x · the width"),
            "x1024": LazyText("x1024 · the height"),
            "1920x1080": LazyText("1920x1080 · both"),
        },
        suggest_by_prefix=True,
        limit=False,
        stage=Stage.PROCESSING,
        dump=str,
        load=Fit.parse,
        surcharge=0,
        refusal=LazyText("cannot fit a picture to a size"),
        card=lambda size: LazyText("fit {size}", size=size),
        surcharge_help=lambda price: LazyText("fit {price}", price=price),
    ),
    OptionSpec(
        name="effect",
        kind=str,
        description=LazyText("Apply an effect by its name, such as film grain; adds to the price"),
        parse=_parse_effect,
        free_text=True,
        limit=False,
        stage=Stage.PROCESSING,
        surcharge=4,
        refusal=LazyText("cannot apply an effect"),
        card=lambda name: LazyText("effect {name}", name=name),
        surcharge_help=lambda price: LazyText("effect {price}", price=price),
    ),
    OptionSpec(
        name="version",
        kind=str,
        description=LazyText("Choose a version of the model: latest, or a dated one"),
        edit_description=LazyText("Choose a version of the model, such as latest-fast or a dated one"),
        parse=_parse_version,
        suggestions={version: version for version in VERSIONS},
        limit=False,
        edits_only=EDIT_VERSIONS,
        stage=Stage.GENERATION,
        refusal=LazyText("cannot use another version"),
        card=lambda name: LazyText("version {name}", name=name),
    ),
    OptionSpec(
        name="seed",
        kind=int,
        description=LazyText("Number to start from, 0 to {most}; the same one gives a similar picture", most=MAX_SEED),
        minimum=0,
        maximum=MAX_SEED,
        limit=False,
        stage=Stage.GENERATION,
        refusal=LazyText("cannot take a seed"),
        card=lambda seed: LazyText("seed {seed}", seed=seed),
        help=lambda can, _: LazyText("seed") if can else None,
    ),
    OptionSpec(
        name="negative",
        kind=str,
        description=LazyText("Negative prompt: say what the picture should not show"),
        default="",
        parse=str.strip,
        free_text=True,
        max_length=MAX_NEGATIVE,
        private=True,
        limit=False,
        stage=Stage.GENERATION,
        label=LazyText("negative prompt"),
        refusal=LazyText("cannot take a negative prompt"),
        card=lambda text: LazyText("without: {text}", text=text),
        help=lambda can, _: LazyText("negative prompt") if can else None,
    ),
    OptionSpec(
        name="quality",
        kind=str,
        description=LazyText("Quality, for models with a choice; changes the price"),
        choices={quality: quality for quality in QUALITIES},
        labels={"low": LazyText("low"), "medium": LazyText("medium"), "high": LazyText("high")},
        limit=(),
        stage=Stage.GENERATION,
        multiplier=lambda quality, prices: prices.quality_factors.get(quality, 1),
        label=LazyText("quality"),
        card=lambda quality: _QUALITY_WORDS.get(quality, quality),
        help=_quality_help,
    ),
    OptionSpec(
        name="transparent",
        kind=bool,
        description=LazyText("Make the picture with a transparent background, for png and webp"),
        default=False,
        limit=False,
        needs=("format", TRANSPARENT_FORMATS),
        stage=Stage.RESULT,
        refusal=LazyText("cannot make a transparent background"),
        card=lambda wanted: LazyText("transparent background") if wanted else LazyText("no transparent background"),
        help=lambda can, _: LazyText("transparent background") if can else None,
    ),
)

_BY_NAME: Final = {spec.name: spec for spec in _SPECS}
OPTIONS: Final[Mapping[str, OptionSpec]] = MappingProxyType(_BY_NAME)
"""The options by name, in the order of the slash commands."""


def drop_unset(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chosen options: all but None.

    Raises:
        ValueError: a name is not in the table.
    """
    if unknown := typed.keys() - OPTIONS.keys():
        raise ValueError(f"no options: {sorted(unknown)}")
    return {name: value for name, value in typed.items() if value is not None}


def card_order() -> list[OptionSpec]:
    """Return the options in the order of the cards."""
    ordered = [spec for spec in OPTIONS.values() if spec.card_after is None]
    for spec in OPTIONS.values():
        if spec.card_after is not None:
            ordered.insert(ordered.index(OPTIONS[spec.card_after]) + 1, spec)
    return ordered
