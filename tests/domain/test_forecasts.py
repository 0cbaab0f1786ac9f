import pytest

from bot.domain.forecasts import Lane, forecast, is_decisive


@pytest.mark.parametrize(
    ("slots", "active", "rank", "rounds"),
    [(3, 0, 1, 0), (3, 2, 1, 0), (3, 2, 2, 1), (3, 3, 1, 1), (3, 3, 3, 1), (3, 3, 4, 2), (1, 1, 9, 9), (0, 0, 1, 1)],
)
def test_lane_counts_rounds_before_a_free_slot(slots: int, active: int, rank: int, rounds: int) -> None:
    assert Lane(slots=slots, active=active, rank=rank).rounds == rounds


def test_forecast_multiplies_by_longest_lane() -> None:
    own, shared = Lane(slots=3, active=3, rank=1), Lane(slots=4, active=4, rank=10)
    assert forecast(8, own, shared) == 32
    assert forecast(8, own) == 16
    assert forecast(8, Lane(slots=3, active=0, rank=3)) is None
    assert not is_decisive(own, shared)
    assert is_decisive(own, Lane(slots=64, active=3, rank=1))
    assert not is_decisive(Lane(slots=3, active=0, rank=1))
