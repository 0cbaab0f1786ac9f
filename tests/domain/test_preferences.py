from typing import Any

import pytest

from bot.domain.errors import AtelierError, OptionRangeError, StudioClosedError, UnknownModelError
from bot.domain.preferences import NO_PREFERENCES, check_preferences

BOTH = ("skillboss", "reve2img")


def test_the_studio_asks_above_fifty_credits() -> None:
    """Unless a member says otherwise; and cards are for everybody."""
    assert (NO_PREFERENCES.confirm_over, NO_PREFERENCES.private) == (50, False)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": None, "aspect_ratio": None, "format": None, "confirm_over": None, "private": None},
        {"model": "seedream-5", "aspect_ratio": "auto", "format": "webp", "private": True, "confirm_over": 0},
        {"confirm_over": 100_000},
    ],
)
def test_what_can_be_preferred(changes: dict[str, Any]) -> None:
    """What the studio has, and None for its own default."""
    check_preferences(changes, BOTH)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": "dall-e"}, UnknownModelError),
        ({"aspect_ratio": "7:3"}, OptionRangeError),
        ({"format": "gif"}, OptionRangeError),
        ({"confirm_over": -1}, OptionRangeError),
        ({"confirm_over": 100_001}, OptionRangeError),
    ],
)
def test_what_cannot_be_preferred(changes: dict[str, Any], error: type[AtelierError]) -> None:
    """What would fail in every command is refused when it is set."""
    with pytest.raises(error):
        check_preferences(changes, BOTH)


def test_a_model_needs_a_provider() -> None:
    """One that this studio does not have, and any where it has none."""
    with pytest.raises(UnknownModelError):
        check_preferences({"model": "seedream-5"}, ("skillboss",))
    with pytest.raises(StudioClosedError):
        check_preferences({"model": "reve-2.0"}, ())
