"""A short chaos run.

Every transition and some random instants, fixed seeds.

`make chaos` runs as long as wanted. Rounds run side by side, so many of them are one test.
"""

from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.chaos.invariants import Settlement
from tests.chaos.scenario import Scenario, random_scenario
from tests.chaos.suite import run
from tests.chaos.transitions import TRANSITIONS, WEBHOOK_TRANSITIONS, Transition, transition_scenario
from tests.support.fork_server import ForkServer

SEED = 20
STOPPED_AT = tuple(each for number, each in enumerate(TRANSITIONS) if number % 8 == 0)
"""Strikes by SIGTERM; `make chaos` does that at every transition."""


async def assert_every_promise_is_kept(
    folder: Path,
    fork_server: ForkServer,
    scenarios: Sequence[Scenario],
    *,
    database: str = "sqlite",
    webhooks: bool = False,
) -> None:
    """Run the rounds; expect strikes and no broken promise."""
    suite_result = await run(
        scenarios, folder=folder, parallel=6, database=database, webhooks=webhooks, launch=fork_server.launch
    )
    assert [f"{each.scenario.name}: {line}" for each in suite_result.failures for line in each.broken] == []
    assert suite_result.stats.rounds == len(scenarios)
    assert suite_result.stats.bills[Settlement.CAPTURED] > 0


@pytest.mark.timeout(600)
async def test_kill_at_each_transition_keeps_promises(tmp_path: Path, fork_server: ForkServer) -> None:
    """Before, during and after each request of a job's life.

    Some with SIGTERM.
    """
    scenarios = [transition_scenario(each, SEED) for each in TRANSITIONS]
    scenarios += [transition_scenario(each, SEED, SIGTERM) for each in STOPPED_AT]
    await assert_every_promise_is_kept(tmp_path, fork_server, scenarios)


@pytest.mark.timeout(600)
async def test_kill_at_random_instants_keeps_promises(tmp_path: Path, fork_server: ForkServer) -> None:
    """Twenty rounds with incidents, cancels and up to three kills each."""
    await assert_every_promise_is_kept(
        tmp_path, fork_server, [random_scenario(SEED, number, jobs=4) for number in range(20)]
    )


@pytest.mark.timeout(600)
async def test_kill_with_webhooks_keeps_promises(tmp_path: Path, fork_server: ForkServer) -> None:
    """Strikes at webhooks, and at submits with a lost reply."""
    submits = [each for each in TRANSITIONS if each.event == "submit"]
    scenarios = [transition_scenario(each, SEED, SIGKILL) for each in (*WEBHOOK_TRANSITIONS, *submits)]
    await assert_every_promise_is_kept(tmp_path, fork_server, scenarios, webhooks=True)


@pytest.mark.timeout(600)
async def test_kill_on_postgresql_keeps_promises(tmp_path: Path, fork_server: ForkServer) -> None:
    """Jobs are taken over only after the dead worker's lease expired."""
    scenarios = [random_scenario(SEED, number, jobs=3) for number in range(5)]
    await assert_every_promise_is_kept(tmp_path, fork_server, scenarios, database="postgresql")


def test_every_event_and_moment_has_a_round() -> None:
    names = {str(each) for each in (*TRANSITIONS, *WEBHOOK_TRANSITIONS)}
    assert len(names) == len(TRANSITIONS) + len(WEBHOOK_TRANSITIONS) == 47
    assert all(isinstance(each, Transition) for each in STOPPED_AT)


def test_scenario_depends_on_seed_and_number_only() -> None:
    assert random_scenario(5, 7, jobs=4) == random_scenario(5, 7, jobs=4)
    assert random_scenario(5, 7, jobs=4) != random_scenario(5, 8, jobs=4)
