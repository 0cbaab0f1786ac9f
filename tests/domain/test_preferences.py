from typing import Any

import pytest

from bot.domain.errors import AtelierError, OptionRangeError, StudioClosedError, UnknownModelError
from bot.domain.preferences import NO_PREFERENCES, check_preferences
from tests.support.catalogue import BOTH, NO_PROVIDERS, SKILLBOSS


def test_default_preferences_confirm_above_fifty_and_leave_privacy_open() -> None:
    assert (NO_PREFERENCES.confirm_over, NO_PREFERENCES.private) == (50, None)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": None, "aspect_ratio": None, "format": None, "confirm_over": None, "private": None},
        {"model": "seedream-5", "aspect_ratio": "auto", "format": "webp", "private": True, "confirm_over": 0},
        {"confirm_over": 100_000},
    ],
)
def test_check_accepts_offered_values_and_none(changes: dict[str, Any]) -> None:
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
def test_check_of_impossible_value_raises(changes: dict[str, Any], error: type[AtelierError]) -> None:
    with pytest.raises(error):
        check_preferences(changes, BOTH)


def test_check_of_model_without_provider_raises() -> None:
    with pytest.raises(UnknownModelError):
        check_preferences({"model": "seedream-5"}, SKILLBOSS)
    with pytest.raises(StudioClosedError):
        check_preferences({"model": "reve-2.0"}, NO_PROVIDERS)
