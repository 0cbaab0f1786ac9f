"""Ten thousand jobs at once: start, queue, polls and memory."""

import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import psutil

from benchmarks.databases import Maker, SqliteMaker, open_database
from benchmarks.harness import PROVIDER, EndlessProvider, Harness
from benchmarks.measurements import Figure
from benchmarks.seed import seed
from bot.container import new_id
from bot.domain.jobs import State
from bot.engine.config import EngineConfig
from tests.support.clock import ManualClock, let_others_run

START_AIM_SECONDS: Final = 5.0
WEIGHT_AIM_KB: Final = 4.0
_DENSER: Final = 1.05
"""Jitter aside, polls are never denser than in the steady state."""

_ROUNDS: Final = 7
_STEP_SECONDS: Final = 0.25
_FIRST_SECONDS: Final = 10
_SETTLED_SECONDS: Final = 20
_WARM_UP: Final = 100
_POLLS_EACH: Final = 2
_QUIET_LOOKS: Final = 8


async def measure_crowd(maker: Maker, jobs: int) -> list[Figure]:
    """Measure a start and a queue on databases of one kind."""
    return [await _start(maker, jobs), *await _line(maker, jobs)]


async def _start(maker: Maker, jobs: int) -> Figure:
    async with open_database(await maker.make("start")) as database:
        harness = Harness(database)
        await seed(harness, jobs, State.QUEUED, owner=new_id())
        start = time.perf_counter()
        await harness.engine.start()
        taken = time.perf_counter() - start
        await harness.close()
    return Figure(name=f"start with {jobs:,} jobs at a provider", taken=taken, unit="s", aim=START_AIM_SECONDS)


async def _line(maker: Maker, jobs: int) -> list[Figure]:
    async with open_database(await maker.make("short")) as short, open_database(await maker.make("long")) as long:
        desks = (Harness(short), Harness(long))
        ids = [await seed(desks[0], 1, State.HELD), await seed(desks[1], jobs, State.HELD)]
        figures = []
        for name, do in (
            ("dispatch without a free slot", _dispatch(0, line=False)),
            ("dispatch with a free slot", _dispatch(1, line=False)),
            ("dispatch that shows the line", _dispatch(0, line=True)),
            ("twenty cards in line", _twenty_cards),
            ("hold", _hold),
        ):
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(_ROUNDS):
                for side, harness in enumerate(desks):
                    start = time.perf_counter()
                    await do(harness, ids[side])
                    taken[side].append(1000 * (time.perf_counter() - start))
            few, many = (statistics.median(each) for each in taken)
            figures.append(Figure(name=f"{name}, {jobs:,} waiting", base=few, taken=many))
        for harness in desks:
            await harness.close()
    return figures


def _dispatch(slots: int, *, line: bool) -> Callable[[Harness, list[str]], Awaitable[object]]:
    async def dispatch(harness: Harness, ids: list[str]) -> None:
        del ids
        turn = await harness.job_store.claim_batch(1, {PROVIDER: slots}, with_queue=line)
        for claim in turn.claims:
            await harness.job_store.release_claim(claim.job)

    return dispatch


async def _twenty_cards(harness: Harness, ids: list[str]) -> None:
    await asyncio.gather(*(harness.snapshots.get(ids[number % len(ids)]) for number in range(20)))


async def _hold(harness: Harness, ids: list[str]) -> None:
    del ids
    await harness.hold()


async def measure_polls(maker: Maker, jobs: int) -> list[Figure]:
    """Count the polls after a start with jobs long at their provider.

    Time is simulated. The base is the steady rate: each job once per longest interval.
    """
    clock, provider = ManualClock(), EndlessProvider()
    config = EngineConfig(active_per_provider=jobs)
    steady = jobs / config.poll_ceiling
    async with open_database(await maker.make(f"polls_{jobs}")) as database:
        harness = Harness(database, config=config, provider=provider, clock=clock)
        await seed(harness, jobs, State.QUEUED, owner=new_id())
        await harness.engine.start()
        first = await _polls(harness, clock, provider, _FIRST_SECONDS)
        cpu = time.process_time()
        settled = await _polls(harness, clock, provider, _SETTLED_SECONDS)
        cpu = time.process_time() - cpu
        await harness.close()
    return [
        Figure(name=f"polls a second after a start, {jobs:,} jobs", base=steady, taken=first, unit="", aim=_DENSER),
        Figure(name=f"polls a second later on, {jobs:,} jobs", base=steady, taken=settled, unit="", aim=_DENSER),
        Figure(name="processor time a poll", taken=1000 * cpu / (settled * _SETTLED_SECONDS)),
    ]


async def _polls(harness: Harness, clock: ManualClock, provider: EndlessProvider, seconds: int) -> float:
    """Let time pass; return the polls per second."""
    before = provider.polls
    for _ in range(round(seconds / _STEP_SECONDS)):
        clock.advance(_STEP_SECONDS)
        await let_others_run(5)
        while harness.database.busy:
            await let_others_run(1)
    return (provider.polls - before) / seconds


WEIGHTS: Final = tuple((state, way) for state in (State.HELD, State.QUEUED) for way in ("counted", "resident"))
"""What is weighed: the state of the jobs, and the method."""


async def measure_weight(jobs: int, weights: Sequence[tuple[State, str]] = WEIGHTS) -> list[Figure]:
    """Measure the engine's memory per job, by state and by method.

    Tracing allocations takes more memory than it measures, so each measurement has a separate process.
    """
    figures = []
    for state, way in weights:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.many_jobs", state, str(jobs), way, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("the memory could not be measured")
        weight = json.loads(output.splitlines()[-1])
        figures.append(Figure(name=f"a {state} job, {way}", taken=weight, unit="kB", aim=WEIGHT_AIM_KB))
    return figures


async def _kilobytes_per_job(state: State, jobs: int, folder: Path, *, count: bool) -> float:
    """Return the kilobytes per job, by Python's count or by the system's."""
    config = EngineConfig(active_per_provider=0 if state is State.HELD else jobs, poll_floor=0.5, poll_ceiling=1.0)
    async with open_database(await SqliteMaker(folder).make("weight")) as database:
        provider = EndlessProvider()
        harness = Harness(database, config=config, provider=provider)
        await _taken_up(harness, provider, state, _WARM_UP)
        await harness.close()
        harness = Harness(database, config=config, provider=provider)
        await seed(harness, jobs, state, owner=new_id(), first=_WARM_UP)
        gc.collect()
        before = _resident()
        if count:
            tracemalloc.start()
        await harness.engine.start()
        await _advance_all(harness, provider, state, jobs)
        gc.collect()
        added = tracemalloc.get_traced_memory()[0] if count else _resident() - before
        tracemalloc.stop()
        await harness.close()
    return added / jobs / 1024


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


async def _taken_up(harness: Harness, provider: EndlessProvider, state: State, jobs: int) -> None:
    await seed(harness, jobs, state, owner=new_id())
    await harness.engine.start()
    await _advance_all(harness, provider, state, jobs)


async def _advance_all(harness: Harness, provider: EndlessProvider, state: State, jobs: int) -> None:
    """Wait until each job was advanced once.

    Jobs at a provider were polled; the others are not due again.
    """
    enough = provider.polls + _POLLS_EACH * jobs
    quiet = 0
    while provider.polls < enough if state is State.QUEUED else quiet < _QUIET_LOOKS:
        await asyncio.sleep(_STEP_SECONDS)
        quiet = 0 if harness.database.busy else quiet + 1


def main() -> None:
    """Print the memory per job as JSON."""
    state, jobs, way = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="benchmark-weight-") as folder:
        print(
            json.dumps(asyncio.run(_kilobytes_per_job(State(state), int(jobs), Path(folder), count=way == "counted")))
        )


if __name__ == "__main__":
    main()
