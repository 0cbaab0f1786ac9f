"""A member's own defaults, in place of the studio's."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bot.domain.catalogue import Catalogue
from bot.domain.errors import OptionRangeError
from bot.domain.lazy_text import LazyText
from bot.domain.options import OPTIONS

DEFAULT_CONFIRM_OVER: Final = 50
MAX_CONFIRM_OVER: Final = 100_000


class Notice(StrEnum):
    """A message to a member when their job is done."""

    OFF = "off"
    PING = "ping"  # a reply to the card that mentions them
    DIRECT = "direct"  # a direct message


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """A member's defaults in all servers; None means the studio's.

    `confirm_over` are credits: a request above them is confirmed before anything is held; 0 confirms each one. `remix`
    opens the request for changes before Again and Vary. `decisions` sends messages about decisions on shared pictures.
    """

    model: str | None = None
    aspect_ratio: str | None = None
    format: str | None = None
    private: bool | None = None
    confirm_over: int = DEFAULT_CONFIRM_OVER
    notice: Notice = Notice.OFF
    remix: bool = False
    decisions: bool = True


NO_PREFERENCES: Final = Preferences()
OPTIONS_WITH_SETTING: Final = tuple(name for name, spec in OPTIONS.items() if spec.setting is not None)
"""The options of images that a member can have an own default for."""


def check_preferences(changes: Mapping[str, Any], catalogue: Catalogue) -> None:
    """Check the new values of preferences by name.

    None resets a preference to the studio's default.

    Raises:
        UnknownModelError: the studio has no such model.
        OptionRangeError: a value is out of range.
        StudioClosedError: the studio has no models.
    """
    if changes.get("model") is not None:
        catalogue.find(changes["model"])
    for name in OPTIONS_WITH_SETTING:
        OPTIONS[name].value_of(changes.get(name))
    threshold = changes.get("confirm_over")
    if threshold is not None and not 0 <= threshold <= MAX_CONFIRM_OVER:
        raise OptionRangeError("ask_over", threshold, LazyText("0 to {highest}", highest=MAX_CONFIRM_OVER))
