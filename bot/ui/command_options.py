"""The options of the commands that make pictures: how Discord describes them, and what it offers while one is typed."""

from collections.abc import Iterable
from typing import Final

from discord import app_commands
from discord.app_commands import locale_str

from bot.domain.lazy_text import LazyText
from bot.domain.models import (
    DEFAULT_FORMAT,
    DEFAULT_MODEL,
    DEFAULT_RATIO,
    FORMATS,
    MAX_DETAIL,
    RATIOS,
    RESOLUTIONS,
    VERSIONS,
)
from bot.domain.quotes import Quote
from bot.domain.requests import UPSCALE_NAMES
from bot.ui.i18n import N_, _
from bot.ui.render.error_messages import obstacle
from bot.ui.render.formatting import cut, in_credits

_OPTIONS: Final = {
    "model": LazyText("Choose who paints it; else your own default or {model}", model=DEFAULT_MODEL),
    "aspect_ratio": LazyText("Choose width to height; else your own default or {ratio}", ratio=DEFAULT_RATIO),
    "images": N_("Ask for several pictures; each costs"),
    "detail": LazyText("Ask for more detail, 1 to {most}; multiplies the price", most=MAX_DETAIL),
    "format": LazyText("Choose the file's format; else your own default or {format}", format=DEFAULT_FORMAT),
    "resolution": N_("Choose the size, for models that have the choice; 4K may cost more"),
    "upscale": N_("Enlarge the finished picture; adds to the price"),
    "remove_background": N_("Cut out what the picture shows, for png and webp; adds to the price"),
    "fit": N_("Scale down to a size: 2048 (longest side), 2048x (width), x1024 (height), 1920x1080 (both)"),
    "effect": N_("Apply an effect by its name, such as film grain; adds to the price"),
    "version": N_("Choose a version of the model, such as latest-fast or a dated one"),
}
DESCRIPTIONS: Final = {
    "prompt": N_("Say what the picture shows"),
    **_OPTIONS,
    "preset": N_("Use what was saved under a name; what you choose here comes before it"),
    "private": N_("Show the card to you alone; else your own default"),
}
OPTIONS_DESCRIBED: Final = {name: locale_str(text) for name, text in _OPTIONS.items()}
"""The descriptions of what a preset can keep, as `app_commands.describe` takes them."""
DESCRIBED: Final = {name: locale_str(text) for name, text in DESCRIPTIONS.items()}
"""The descriptions of a command that makes pictures, to be translated for each member's Discord."""

_MOST: Final = 25
_LONGEST: Final = 100
_FITS: Final = {
    "2048": N_("2048 · the longest side"),
    "2048x": N_("2048x · the width"),
    "x1024": N_("x1024 · the height"),
    "1920x1080": N_("1920x1080 · both"),
}


def _choices(values: Iterable[str]) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=value, value=value) for value in values]


CHOICES: Final = {
    "aspect_ratio": _choices(RATIOS),
    "format": _choices(FORMATS),
    "resolution": _choices(RESOLUTIONS),
    "upscale": _choices(UPSCALE_NAMES),
}


def model_choices(quotes: Iterable[Quote], typed: str) -> list[app_commands.Choice[str]]:
    """Return the models that match, with the price of what is chosen so far; those that cannot do it come last.

    Where nothing matches, all are offered: that is the way out of a slip.
    """
    ranked = sorted(quotes, key=lambda quote: quote.price is None)
    wanted = typed.strip().casefold()
    matching = [quote for quote in ranked if wanted in f"{quote.model.id} {_(quote.model.strength)}".casefold()]
    return [
        app_commands.Choice(name=cut(_quoted(quote), _LONGEST), value=quote.model.id)
        for quote in (matching or ranked)[:_MOST]
    ]


def _quoted(quote: Quote) -> str:
    if quote.price is not None:
        return f"{quote.model.id} · {in_credits(quote.price)} · {_(quote.model.strength)}"
    return f"{quote.model.id} · {obstacle(quote.obstacle)}" if quote.obstacle else quote.model.id


def fit_choices(typed: str) -> list[app_commands.Choice[str]]:
    """Return the forms of a size, for as long as what is typed may become one of them."""
    wanted = typed.strip().casefold()
    return [app_commands.Choice(name=_(name), value=value) for value, name in _FITS.items() if value.startswith(wanted)]


def version_choices(typed: str) -> list[app_commands.Choice[str]]:
    """Return the versions with a name that match."""
    return _choices(version for version in VERSIONS if typed.strip().casefold() in version)
