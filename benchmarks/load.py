"""Workloads: single commands, bursts, a steady stream, waiting jobs."""

import asyncio
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.bot_under_test import BASELINE, BOT, BotUnderTest
from benchmarks.micro import Parts, measure_parts
from sandbox.discord import Invocation, NoAnswerError
from sandbox.discord.state import ACKNOWLEDGE_WITHIN

SUBJECTS: Final = {"bare": BASELINE, "bot": BOT}

_WARM_UP = 10
_STREAMS = 8
_LONG_POLL = 30.0


@dataclass(slots=True, kw_only=True)
class Result:
    """A bot's results.

    Milliseconds to acknowledge, CPU milliseconds per job, megabytes.
    """

    single: list[float] = field(default_factory=list)
    burst: list[float] = field(default_factory=list)
    burst_longest: list[float] = field(default_factory=list)
    steady_cpu: list[float] = field(default_factory=list)
    burst_cpu: list[float] = field(default_factory=list)
    missed: int = 0  # commands without an answer in time
    memory_idle: float = 0.0
    memory_a_job: float = 0.0

    @property
    def single_median(self) -> float:
        """Median time to acknowledge a single command, in milliseconds."""
        return statistics.median(self.single)

    @property
    def single_p90(self) -> float:
        """90th percentile of the time to acknowledge a single command."""
        return statistics.quantiles(self.single, n=10)[8]

    @property
    def burst_median(self) -> float:
        """Median time to acknowledge a command of a burst."""
        return statistics.median(self.burst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Sizes: rounds of `single` commands, a stream of `steady`, a `burst`."""

    rounds: int = 3
    single: int = 40
    steady: int = 100
    burst: int = 200


async def compare(
    amounts: Amounts, subjects: Mapping[str, tuple[str, ...]] = SUBJECTS
) -> tuple[dict[str, Result], list[Parts]]:
    """Measure the bots and the parts in turns.

    In turns, so that the load of the machine affects all alike.
    """
    results = {name: Result() for name in subjects}
    parts: list[Parts] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        stages = {name: BotUnderTest(command, Path(folder) / name) for name, command in subjects.items()}
        try:
            for bot_process in stages.values():
                await bot_process.start()
                await warm_up(bot_process)
            for _ in range(amounts.rounds):
                for workload in (_single, _steady, _burst):
                    for name, bot_process in stages.items():
                        await workload(bot_process, amounts, results[name])
                parts.append(await measure_parts(amounts.steady, amounts.burst))
        finally:
            for bot_process in stages.values():
                await bot_process.stop()
        for name, command in subjects.items():
            await _waiting(BotUnderTest(command, Path(folder) / f"{name}-waiting"), amounts, results[name])
    return results, parts


async def _single(bot_process: BotUnderTest, amounts: Amounts, result: Result) -> None:
    for _ in range(amounts.single):
        result.single.append(await bot_process.job())
    await bot_process.settle()


async def _steady(bot_process: BotUnderTest, amounts: Amounts, result: Result) -> None:
    before = bot_process.cpu_seconds()
    await stream(bot_process, amounts.steady)
    await bot_process.settle()
    result.steady_cpu.append(1000 * (bot_process.cpu_seconds() - before) / amounts.steady)


async def _burst(bot_process: BotUnderTest, amounts: Amounts, result: Result) -> None:
    before = bot_process.cpu_seconds()
    invocations = [await bot_process.command() for _ in range(amounts.burst)]

    async def go_through(invocation: Invocation) -> float:
        try:
            taken = await bot_process.acknowledged(invocation)
        except NoAnswerError:
            result.missed += 1
            return 1000 * ACKNOWLEDGE_WITHIN
        await bot_process.finished(invocation)
        return taken

    taken = await asyncio.gather(*(go_through(invocation) for invocation in invocations))
    await bot_process.settle()
    result.burst += taken
    result.burst_longest.append(max(taken))
    result.burst_cpu.append(1000 * (bot_process.cpu_seconds() - before) / amounts.burst)


async def _waiting(bot_process: BotUnderTest, amounts: Amounts, result: Result) -> None:
    """Measure a fresh bot's memory, idle and with waiting jobs."""
    try:
        await bot_process.start(poll_seconds=_LONG_POLL)
        bot_process.hold_jobs()
        await bot_process.settle()
        result.memory_idle = bot_process.memory()
        for invocation in [await bot_process.command() for _ in range(_WARM_UP)]:
            await bot_process.acknowledged(invocation)
        await bot_process.settle()
        before = bot_process.memory()
        for _ in range(amounts.burst):
            await bot_process.acknowledged(await bot_process.command())
        await bot_process.settle()
        result.memory_a_job = (bot_process.memory() - before) / amounts.burst
    finally:
        await bot_process.stop()


async def warm_up(bot_process: BotUnderTest) -> None:
    """Run some jobs that do not count."""
    await stream(bot_process, _WARM_UP * 2)


async def stream(bot_process: BotUnderTest, jobs: int, streams: int = _STREAMS) -> None:
    """Run jobs, several at a time."""
    left = iter(range(jobs))

    async def one_after_another() -> None:
        for _ in left:
            await bot_process.job()

    await asyncio.gather(*(one_after_another() for _ in range(streams)))
