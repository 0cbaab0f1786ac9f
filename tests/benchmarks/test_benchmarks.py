"""A small run of every workload, with both bots and the parts."""

import io

import pytest
from rich.console import Console

from benchmarks.load import Amounts, compare
from benchmarks.micro import medians
from benchmarks.profiling import profile
from benchmarks.report import ratio, show

A_LITTLE = Amounts(rounds=1, single=3, steady=8, burst=4)


@pytest.mark.timeout(240)
async def test_compare_measures_both_bots_and_parts() -> None:
    """The tables have a line for each measurement."""
    results, parts = await compare(A_LITTLE)
    for result in results.values():
        assert len(result.single) == 3
        assert len(result.burst) == 4
        assert result.missed == 0
        assert result.memory_idle > 10
    assert parts[0].hold_wall > 0
    assert parts[0].cpu > parts[0].picture_cpu > 0
    written = io.StringIO()
    show(Console(file=written, width=160), results["bare"], results["bot"], medians(parts))
    for line in ("one at a time, median", "all at once, longest", "processor a job", "a waiting job", "all seven"):
        assert line in written.getvalue()


@pytest.mark.timeout(240)
async def test_profile_shows_time_by_function() -> None:
    """It covers the threads of the database, and the event loop."""
    written = io.StringIO()
    await profile(Console(file=written, width=160), A_LITTLE)
    assert "db/sqlite.py" in written.getvalue()
    assert "engine/delay_queue.py" in written.getvalue()


def test_ratio_compares_with_baseline_plus_parts() -> None:
    assert ratio(bot=12.0, bare=2.0, parts=4.0) == 2.0
