"""Short chaos runs around the paid calls of other providers.

`python -m tests.chaos --studio NAME` runs as many rounds as wanted.
"""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.call_invariants import Purchase
from tests.chaos.studios import STUDIOS, Studio, main_strikes, struck_scenario, studio_scenario
from tests.chaos.suite import SuiteResult, run
from tests.support.fork_server import ForkServer

SEED = 20


async def run_studio(studio: Studio, folder: Path, fork_server: ForkServer, database: str) -> SuiteResult:
    """Run a round for each of the main strikes at a studio's calls."""
    scenarios = [struck_scenario(studio, strike, SEED) for strike in main_strikes(studio)]
    return await run(
        scenarios,
        folder=folder / studio.name,
        database=database,
        webhooks=studio.name == "fal",
        studio=studio,
        launch=fork_server.launch,
    )


@pytest.mark.timeout(600)
async def test_kill_at_paid_calls_keeps_promises(tmp_path: Path, fork_server: ForkServer) -> None:
    """During calls, before the record of their images, and after replies."""
    results = await asyncio.gather(*(run_studio(each, tmp_path, fork_server, "sqlite") for each in STUDIOS.values()))

    assert [
        f"{each.scenario.name}: {line}" for result in results for each in result.failures for line in each.broken
    ] == []
    assert sum(result.stats.rounds for result in results) == sum(len(main_strikes(each)) for each in STUDIOS.values())
    assert sum(result.stats.bills[Purchase.DELIVERED] for result in results) > 0
    assert sum(result.stats.bills[Purchase.AT_RISK] for result in results) > 0


@pytest.mark.timeout(600)
async def test_kill_at_synchronous_calls_on_postgresql_keeps_promises(tmp_path: Path, fork_server: ForkServer) -> None:
    result = await run_studio(STUDIOS["gemini"], tmp_path, fork_server, "postgresql")

    assert [f"{each.scenario.name}: {line}" for each in result.failures for line in each.broken] == []
    assert result.stats.hits["kept answered SIGKILL"] == 1
    assert result.stats.hits["submit open SIGTERM"] == 1


@pytest.mark.parametrize("name", STUDIOS)
def test_round_of_a_studio_depends_on_seed_and_number_only(name: str) -> None:
    studio = STUDIOS[name]
    assert studio_scenario(studio, 5, 7) == studio_scenario(studio, 5, 7)
    assert studio_scenario(studio, 5, 7) != studio_scenario(studio, 5, 8)


@pytest.mark.parametrize("name", STUDIOS)
def test_named_cases_of_a_studio_exist(name: str) -> None:
    studio = STUDIOS[name]
    assert set(studio.cases) <= studio.build().cases.keys()
