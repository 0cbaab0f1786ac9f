"""Round values for axes, and labels kept apart."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.charts.scale import duration_steps, round_steps, spread


@pytest.mark.parametrize(
    ("highest", "steps"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (4, (0, 1, 2, 3, 4)),
        (5, (0, 2, 4, 6)),
        (47, (0, 20, 40, 60)),
        (1240, (0, 500, 1000, 1500)),
    ],
)
def test_steps_are_round(highest: int, steps: tuple[int, ...]) -> None:
    assert round_steps(highest) == steps


@pytest.mark.parametrize(
    ("highest", "steps"),
    [(0, (0, 1)), (75, (0, 30, 60, 90)), (1700, (0, 600, 1200, 1800)), (30_000, (0, 18_000, 36_000))],
)
def test_durations_are_round(highest: int, steps: tuple[int, ...]) -> None:
    """Up to seconds, minutes and hours."""
    assert duration_steps(highest) == steps


@given(st.integers(0, 10**7))
def test_scale_reaches_the_highest_with_few_steps(highest: int) -> None:
    for steps in (round_steps(highest), duration_steps(highest)):
        assert steps[0] == 0
        assert steps[-1] >= highest
        assert 2 <= len(steps) <= 5


@given(st.lists(st.floats(0, 300), min_size=1, max_size=6).map(sorted))
def test_labels_are_apart_and_inside(wanted: list[float]) -> None:
    places = spread(wanted, 38, 0, 330)
    assert all(upper - lower >= 38 - 1e-6 for lower, upper in pairwise(places))
    assert places[0] >= -1e-6
    assert places[-1] <= 330 + 1e-6


def test_labels_with_room_stay_at_their_places() -> None:
    assert spread([10, 100, 200], 38, 0, 330) == [10, 100, 200]
