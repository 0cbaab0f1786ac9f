"""Moves of the studio's time from the panel."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sandbox.clock import StudioClock
from sandbox.discord import ClientRefusal
from sandbox.discord.encoding import Json
from sandbox.web.time_actions import ZONES, TimeActions, next_change, next_midnight, next_month

BERLIN = ZoneInfo("Europe/Berlin")


async def move(clock: StudioClock, **body: object) -> None:
    """Move the time as the panel does."""
    await TimeActions(clock).move_time(None, dict(body))  # type: ignore[arg-type] # nobody acts


def seconds_to(clock: StudioClock, event: datetime) -> float:
    """Return the whole seconds from the studio's time to an event."""
    return round(event.timestamp() - clock())


@pytest.mark.parametrize(
    ("here", "zone", "change"),
    [
        ("2026-11-30T12:00", "Europe/Berlin", "2027-03-28T01:00"),
        ("2027-07-01T12:34:56", "Europe/Berlin", "2027-10-31T01:00"),
        ("2026-11-30T12:00", "America/New_York", "2027-03-14T07:00"),
        ("2026-11-30T12:00", "Australia/Lord_Howe", "2027-04-03T15:00"),
    ],
)
def test_next_change_is_found_to_the_minute(here: str, zone: str, change: str) -> None:
    at = datetime.fromisoformat(here).replace(tzinfo=ZoneInfo(zone))
    assert next_change(at) == datetime.fromisoformat(change).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_zone_without_summer_time_has_no_change(zone: str) -> None:
    assert next_change(datetime(2026, 11, 30, tzinfo=ZoneInfo(zone))) is None


def test_next_midnight_and_month_are_those_of_the_zone() -> None:
    here = datetime(2026, 12, 31, 23, 30, tzinfo=BERLIN)
    assert next_midnight(here) == datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    assert next_month(here) == datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    assert next_month(datetime(2027, 3, 28, tzinfo=BERLIN)) == datetime(2027, 3, 31, 22, 0, tzinfo=UTC)


async def test_time_moves_by_seconds_and_to_a_written_time() -> None:
    clock = StudioClock()
    await move(clock, seconds=3600)
    assert clock.offset == 3600

    tomorrow = datetime.fromtimestamp(clock() + 86_400, BERLIN).replace(second=0, microsecond=0)
    await move(clock, zone="Europe/Berlin", at=tomorrow.strftime("%Y-%m-%dT%H:%M"))
    assert seconds_to(clock, tomorrow) == 0


@pytest.mark.parametrize("to", ["midnight", "month", "change"])
async def test_time_stops_shortly_before_event_and_next_move_passes_it(to: str) -> None:
    clock = StudioClock()
    find = {"midnight": next_midnight, "month": next_month, "change": next_change}[to]
    event = find(clock.now().astimezone(BERLIN))
    assert event is not None
    await move(clock, zone="Europe/Berlin", to=to)
    assert seconds_to(clock, event) == 120
    await move(clock, zone="Europe/Berlin", to=to)
    assert seconds_to(clock, event) <= 0


@pytest.mark.parametrize(
    "body",
    [
        {"seconds": -1},
        {"seconds": True},
        {"seconds": "1"},
        {"seconds": 1e30},
        {"zone": "Moon/Base", "to": "month"},
        {"zone": "UTC", "to": "change"},
        {"zone": "UTC", "at": "tomorrow"},
        {"zone": "UTC", "at": "2020-01-01T00:00"},
        {"zone": "UTC", "at": "9999-12-31T23:59"},
        {"zone": "UTC"},
        {},
    ],
    ids=str,
)
async def test_impossible_move_is_refused(body: Json) -> None:
    clock = StudioClock()
    with pytest.raises(ClientRefusal):
        await move(clock, **body)
    assert clock.offset == 0


def test_every_zone_exists() -> None:
    assert [ZoneInfo(zone).key for zone in ZONES] == list(ZONES)
