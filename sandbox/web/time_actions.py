"""Moves of the studio's time from the panel."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sandbox.clock import StudioClock
from sandbox.discord import Actor, ClientRefusal
from sandbox.discord.encoding import Json
from sandbox.web.message_parsing import read_text

ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Tokyo", "Australia/Lord_Howe")
"""Time zones to name a time in; three of them have summer time."""

_MARGIN: Final = timedelta(minutes=2)
"""The time between the end of a jump and the event to watch."""


class TimeActions:
    """Runs the panel's moves of the time."""

    def __init__(self, clock: StudioClock) -> None:
        self._clock = clock
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {"move_time": self.move_time}

    @property
    def offset(self) -> float:
        """Seconds between the machine's time and the studio's."""
        return self._clock.offset

    async def move_time(self, _: Actor, body: Json) -> Json:
        """Move the time by seconds, to a time in a zone, or before an event."""
        try:
            if "seconds" in body:
                self._clock.advance(seconds=_seconds(body["seconds"]))
            else:
                self._clock.advance_to(self._target(body))
        except (ValueError, OverflowError) as error:
            raise ClientRefusal(str(error)) from None
        return {"offset": self._clock.offset}

    def _target(self, body: Json) -> datetime:
        name = read_text(body, "zone")
        if name not in ZONES:
            raise ClientRefusal("There is no such time zone here.")
        zone = ZoneInfo(name)
        here = self._clock.now().astimezone(zone)
        match body.get("to"):
            case "midnight":
                return _before(next_midnight(here), self._clock.now())
            case "month":
                return _before(next_month(here), self._clock.now())
            case "change":
                change = next_change(here)
                if change is None:
                    raise ClientRefusal(f"{name} has no summer time.")
                return _before(change, self._clock.now())
            case _:
                return _written(read_text(body, "at"), zone)


def next_midnight(here: datetime) -> datetime:
    """Return the first instant of the next day in the time's zone."""
    day = here.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=here.tzinfo)


def next_month(here: datetime) -> datetime:
    """Return the first instant of the next month in the time's zone."""
    later = here.year * 12 + here.month
    return datetime(later // 12, later % 12 + 1, 1, tzinfo=here.tzinfo)


def next_change(here: datetime) -> datetime | None:
    """Return the next instant with another UTC offset; None within a year."""
    start, zone = here.astimezone(UTC), here.tzinfo
    hours = (start + timedelta(hours=hour) for hour in range(1, 366 * 24))
    later = next((at for at in hours if at.astimezone(zone).utcoffset() != here.utcoffset()), None)
    if later is None:
        return None
    minutes = (later - timedelta(minutes=minute) for minute in range(61))
    same = next(at for at in minutes if at.astimezone(zone).utcoffset() == here.utcoffset())
    return (same + timedelta(minutes=1)).replace(second=0, microsecond=0)


def _before(event: datetime, now: datetime) -> datetime:
    """Return a moment shortly before an event, else the event itself."""
    shortly = event.astimezone(UTC) - _MARGIN
    return shortly if shortly > now else event.astimezone(UTC)


def _written(text: str, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ClientRefusal("Write a date and a time.") from None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ClientRefusal("Seconds are a number.")
    return float(value)
