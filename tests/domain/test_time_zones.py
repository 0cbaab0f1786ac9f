"""Time zones as people type them."""

import pytest

from bot.domain.errors import UnknownTimeZoneError
from bot.domain.time_zones import read_zone, zone_of, zone_title


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        (" berlin ", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("kolk", "Asia/Kolkata"),
        ("UTC", "UTC"),
        ("UTC+1", "Etc/GMT-1"),
        ("gmt -3", "Etc/GMT+3"),
        ("+02:00", "Etc/GMT-2"),
    ],
)
def test_zone_is_read_as_typed(typed: str, name: str) -> None:
    assert read_zone(typed) == name
    assert zone_of(name).key == name


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [("berlen", "Europe/Berlin"), ("indiana", "America/Indiana/Knox"), ("dakota", "America/North_Dakota/Center")],
)
def test_unclear_zone_gets_suggestions(typed: str, suggested: str) -> None:
    with pytest.raises(UnknownTimeZoneError) as refused:
        read_zone(typed)
    assert suggested in refused.value.suggestions
    assert len(refused.value.suggestions) <= 5


@pytest.mark.parametrize("typed", ["", "x", "UTC+99", "qqqqqqqq", "../../etc/passwd", "posixrules"])
def test_unknown_zone_gets_no_suggestions(typed: str) -> None:
    with pytest.raises(UnknownTimeZoneError) as refused:
        read_zone(typed)
    assert refused.value.suggestions == ()


def test_fixed_hours_are_shown_as_typed() -> None:
    assert [zone_title(each) for each in ("Etc/GMT-1", "Etc/GMT+3", "Europe/Berlin", None)] == [
        "UTC+1",
        "UTC-3",
        "Europe/Berlin",
        "UTC",
    ]


@pytest.mark.parametrize("typed", ["localtime", "Factory"])
def test_file_without_a_zone_is_refused(typed: str) -> None:
    """The machine's own time is another one after a move."""
    with pytest.raises(UnknownTimeZoneError):
        read_zone(typed)
