"""Round values for an axis."""

from typing import Final

_MOST_STEPS: Final = 4
_STEPS: Final = (1, 2, 5)
_DURATIONS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)


def round_steps(highest: int) -> tuple[int, ...]:
    """Return up to five even values from 0; the last is at least `highest`."""
    factor = 1
    while True:
        for step in (each * factor for each in _STEPS):
            if step * _MOST_STEPS >= highest:
                return _up_to(highest, step)
        factor *= 10


def duration_steps(highest: int) -> tuple[int, ...]:
    """Return such values in seconds, in round seconds, minutes or hours."""
    for step in _DURATIONS:
        if step * _MOST_STEPS >= highest:
            return _up_to(highest, step)
    hours = round_steps(-(-highest // 3600))
    return tuple(3600 * each for each in hours)


def _up_to(highest: int, step: int) -> tuple[int, ...]:
    return tuple(range(0, max(step, -(-highest // step) * step) + 1, step))


def spread(wanted: list[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Return places near the wanted ones, in their order and `gap` apart.

    They stay between `lowest` and `highest` as far as these have room.
    """
    places: list[float] = []
    for place in wanted:
        places.append(max(place, lowest if not places else places[-1] + gap))
    limit = highest
    for at in reversed(range(len(places))):
        places[at] = min(places[at], limit)
        limit = places[at] - gap
    return places
