"""The torture in short: a kill at every transition and at some random instants, with fixed seeds.

`make torture` goes on for as long as you like. Rounds run side by side here, so many of them are one test.
"""

from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.chaos.invariants import Bill
from tests.chaos.scenario import Plan, random_plan
from tests.chaos.suite import run
from tests.chaos.transitions import TRANSITIONS, WEBHOOK_TRANSITIONS, Transition, transition_plan

SEED = 20
STOPPED_AT = tuple(each for number, each in enumerate(TRANSITIONS) if number % 8 == 0)
"""Where the bot is asked to stop instead of being killed; `make torture` does that at every transition."""


async def assert_every_promise_is_kept(
    folder: Path, plans: Sequence[Plan], *, database: str = "sqlite", webhooks: bool = False
) -> None:
    """Play the rounds and expect no broken promise, and that there was something to break."""
    campaign = await run(plans, folder=folder, parallel=6, database=database, webhooks=webhooks)
    assert [f"{each.plan.name}: {line}" for each in campaign.failures for line in each.broken] == []
    assert campaign.tally.rounds == len(plans)
    assert campaign.tally.bills[Bill.CAPTURED] > 0


@pytest.mark.timeout(600)
async def test_a_kill_at_any_transition_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """`kill -9` before, during and after each request of a job's life; some of them with SIGTERM."""
    plans = [transition_plan(each, SEED) for each in TRANSITIONS]
    plans += [transition_plan(each, SEED, SIGTERM) for each in STOPPED_AT]
    await assert_every_promise_is_kept(tmp_path, plans)


@pytest.mark.timeout(600)
async def test_a_kill_at_any_instant_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Twenty rounds of several members' jobs, with mishaps, cancels and up to three kills each."""
    await assert_every_promise_is_kept(tmp_path, [random_plan(SEED, number, jobs=4) for number in range(20)])


@pytest.mark.timeout(600)
async def test_with_webhooks_a_kill_loses_nothing_either(tmp_path: Path) -> None:
    """Where providers call the bot: struck at their calls, and where a submit's reply is lost."""
    submits = [each for each in TRANSITIONS if each.event == "submit"]
    plans = [transition_plan(each, SEED, SIGKILL) for each in (*WEBHOOK_TRANSITIONS, *submits)]
    await assert_every_promise_is_kept(tmp_path, plans, webhooks=True)


@pytest.mark.timeout(600)
async def test_postgresql_loses_nothing_either(tmp_path: Path) -> None:
    """Where jobs are taken over only when the dead worker's lease has ended."""
    plans = [random_plan(SEED, number, jobs=3) for number in range(5)]
    await assert_every_promise_is_kept(tmp_path, plans, database="postgresql")


def test_every_event_and_moment_has_a_round() -> None:
    """No transition that a strike can name is left out."""
    names = {str(each) for each in (*TRANSITIONS, *WEBHOOK_TRANSITIONS)}
    assert len(names) == len(TRANSITIONS) + len(WEBHOOK_TRANSITIONS) == 47
    assert all(isinstance(each, Transition) for each in STOPPED_AT)


def test_a_seed_decides_everything() -> None:
    """The same seed and number give the same plan, another number gives another one."""
    assert random_plan(5, 7, jobs=4) == random_plan(5, 7, jobs=4)
    assert random_plan(5, 7, jobs=4) != random_plan(5, 8, jobs=4)
