"""The workloads: one command at a time, all at once, a steady stream, and jobs that wait."""

import asyncio
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.bot_under_test import BARE, BOT, BotUnderTest
from benchmarks.micro import Parts, measure_parts
from sandbox.discord import Invocation, NoAnswerError
from sandbox.discord.state import ACKNOWLEDGE_WITHIN

CONTESTANTS: Final = {"bare": BARE, "bot": BOT}

_WARM_UP = 10
_STREAMS = 8
_LONG_POLL = 30.0


@dataclass(slots=True, kw_only=True)
class Result:
    """What one contestant took: milliseconds to acknowledge, milliseconds of processor time a job, megabytes."""

    single: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)
    burst_longest: list[float] = field(default_factory=list)
    steady_cpu: list[float] = field(default_factory=list)
    burst_cpu: list[float] = field(default_factory=list)
    missed: int = 0  # commands that got no answer in time
    memory_idle: float = 0.0
    memory_a_job: float = 0.0

    @property
    def single_median(self) -> float:
        """The median of the time to acknowledge, one command at a time."""
        return statistics.median(self.single)

    @property
    def single_p90(self) -> float:
        """The 90th percentile of the same."""
        return statistics.quantiles(self.single, n=10)[8]

    @property
    def burst_median(self) -> float:
        """The median of the time to acknowledge in a burst."""
        return statistics.median(self.burst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much is measured: rounds of `single` commands in turn, a stream of `steady` and a `burst` at once."""

    rounds: int = 3
    single: int = 40
    steady: int = 100
    burst: int = 200


async def race(
    amounts: Amounts, contestants: Mapping[str, tuple[str, ...]] = CONTESTANTS
) -> tuple[dict[str, Result], list[Parts]]:
    """Measure the contestants and the parts in turns, so that what else the machine does meets each alike."""
    results = {name: Result() for name in contestants}
    parts: list[Parts] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        stages = {name: BotUnderTest(command, Path(folder) / name) for name, command in contestants.items()}
        try:
            for stage in stages.values():
                await stage.start()
                await stream(stage, _WARM_UP * 2)
            for _ in range(amounts.rounds):
                for workload in (_single, _steady, _burst):
                    for name, stage in stages.items():
                        await workload(stage, amounts, results[name])
                parts.append(await measure_parts(amounts.steady, amounts.burst))
        finally:
            for stage in stages.values():
                await stage.stop()
        for name, command in contestants.items():
            await _waiting(BotUnderTest(command, Path(folder) / f"{name}-waiting"), amounts, results[name])
    return results, parts


async def _single(stage: BotUnderTest, amounts: Amounts, result: Result) -> None:
    for _ in range(amounts.single):
        result.single.append(await stage.job())
    await stage.settle()


async def _steady(stage: BotUnderTest, amounts: Amounts, result: Result) -> None:
    before = stage.cpu_seconds()
    await stream(stage, amounts.steady)
    await stage.settle()
    result.steady_cpu.append(1000 * (stage.cpu_seconds() - before) / amounts.steady)


async def _burst(stage: BotUnderTest, amounts: Amounts, result: Result) -> None:
    before = stage.cpu_seconds()
    invocations = [await stage.command() for _ in range(amounts.burst)]

    async def go_through(invocation: Invocation) -> float:
        try:
            taken = await stage.acknowledged(invocation)
        except NoAnswerError:
            result.missed += 1
            return 1000 * ACKNOWLEDGE_WITHIN
        await stage.finished(invocation)
        return taken

    taken = await asyncio.gather(*(go_through(invocation) for invocation in invocations))
    await stage.settle()
    result.burst += taken
    result.burst_longest.append(max(taken))
    result.burst_cpu.append(1000 * (stage.cpu_seconds() - before) / amounts.burst)


async def _waiting(stage: BotUnderTest, amounts: Amounts, result: Result) -> None:
    """Measure a fresh contestant's memory, idle and with jobs that wait and are seldom looked at."""
    try:
        await stage.start(poll_seconds=_LONG_POLL)
        stage.hold_jobs()
        await stage.settle()
        result.memory_idle = stage.memory()
        for invocation in [await stage.command() for _ in range(_WARM_UP)]:
            await stage.acknowledged(invocation)
        await stage.settle()
        before = stage.memory()
        for _ in range(amounts.burst):
            await stage.acknowledged(await stage.command())
        await stage.settle()
        result.memory_a_job = (stage.memory() - before) / amounts.burst
    finally:
        await stage.stop()


async def stream(stage: BotUnderTest, jobs: int) -> None:
    """Go through jobs, eight at a time."""
    left = iter(range(jobs))

    async def one_after_another() -> None:
        for _ in left:
            await stage.job()

    await asyncio.gather(*(one_after_another() for _ in range(_STREAMS)))
