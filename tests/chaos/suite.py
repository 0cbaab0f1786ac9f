"""Many rounds on several systems at a time.

A system with a broken promise is closed and kept.
"""

import asyncio
import contextlib
import json
import shutil
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.invariants import broken_promises
from tests.chaos.runner import RoundResult, Runner
from tests.chaos.scenario import Scenario
from tests.chaos.stats import Stats
from tests.chaos.studios import Studio
from tests.end_to_end.system_harness import Launch
from tests.support.databases import PostgresqlDatabases, SqliteDatabases
from tests.support.fork_server import ForkServer

_ROUNDS_PER_SYSTEM: Final = 40
"""Rounds before a fresh system starts, so that its checks stay quick."""

_PROGRESS_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A round with broken promises.

    `folder` keeps its log and, for SQLite, its database.
    """

    scenario: Scenario
    database: str
    broken: tuple[str, ...]
    folder: Path


@dataclass(slots=True, kw_only=True)
class SuiteResult:
    """Result of many rounds."""

    stats: Stats = field(default_factory=Stats)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


async def run(
    scenarios: Iterable[Scenario],
    *,
    folder: Path,
    database: str = "sqlite",
    parallel: int = 2,
    webhooks: bool = False,
    studio: Studio | None = None,
    launch: Launch | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> SuiteResult:
    """Run all scenarios on `parallel` systems below `folder`.

    `launch` starts the bots; the default is a new fork server.
    """
    suite_result, began = SuiteResult(), time.monotonic()
    waiting = iter(scenarios)
    with contextlib.ExitStack() as stack:
        launch = launch or stack.enter_context(ForkServer()).launch
        systems = _Systems(folder, launch=launch, database=database, webhooks=webhooks, studio=studio)
        try:
            async with asyncio.TaskGroup() as group:
                reporting = group.create_task(_report_progress(suite_result, say))
                working = [
                    group.create_task(_work(waiting, systems, suite_result, database, say), name=f"system {number}")
                    for number in range(parallel)
                ]
                await asyncio.wait(working)
                reporting.cancel()
        finally:
            systems.close()
    suite_result.seconds = time.monotonic() - began
    return suite_result


class _Systems:
    """Opens runners with separate folders and databases."""

    def __init__(self, folder: Path, *, launch: Launch, database: str, webhooks: bool, studio: Studio | None) -> None:
        self._folder = folder
        self._launch = launch
        self._webhooks = webhooks
        self._studio = studio
        self._opened = 0
        self._creating = asyncio.Lock()  # the first makes the others' template
        self._postgresql = PostgresqlDatabases() if database == "postgresql" else None
        self._sqlite = SqliteDatabases(folder)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Runner]:
        """Yield a runner and close it at the end."""
        self._opened += 1
        folder = self._folder / f"system-{self._opened}"
        async with self._creating:
            url = None if self._postgresql is None else await self._postgresql.create(migrated=True)
        runner = Runner(
            folder,
            launch=self._launch,
            prepare=self._sqlite.copy_to,
            database_url=url,
            webhooks=self._webhooks,
            studio=self._studio,
        )
        try:
            await runner.start()
            yield runner
        finally:
            await runner.close()

    def close(self) -> None:
        """Stop the database server."""
        if self._postgresql is not None:
            self._postgresql.close()


async def _work(
    waiting: Iterator[Scenario], systems: _Systems, suite_result: SuiteResult, database: str, say: Callable[[str], None]
) -> None:
    scenario = next(waiting, None)
    while scenario is not None:
        async with systems.open() as runner:
            for _ in range(_ROUNDS_PER_SYSTEM):
                is_sound = await _run_round(runner, scenario, suite_result, database, say)
                scenario = next(waiting, None)
                if scenario is None or not is_sound:
                    break
            folder = runner.system.folder
        if is_sound:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _run_round(
    runner: Runner, scenario: Scenario, suite_result: SuiteResult, database: str, say: Callable[[str], None]
) -> bool:
    """Run one round; return whether every promise was kept."""
    result = RoundResult(scenario=scenario)
    try:
        result = await runner.run_round(scenario)
        assert result.observations is not None
        codes = [stop.code for stop in result.stops]
        broken = broken_promises(result.observations, codes, by_calls=runner.has_calls)
    except Exception as error:  # noqa: BLE001 - a round that cannot be carried out is a failure of its own
        broken = ["the round broke off: " + "".join(traceback.format_exception(error))]
    suite_result.stats.add(result, by_calls=runner.has_calls)
    if broken:
        failure = Failure(scenario=scenario, database=database, broken=tuple(broken), folder=runner.system.folder)
        suite_result.failures.append(failure)
        report = {
            "scenario": asdict(scenario),
            "hits": result.hits,
            "stops": [asdict(stop) for stop in result.stops],
            "broken": broken,
        }
        if result.observations is not None:
            report["observations"] = asdict(result.observations)
        (runner.system.folder / f"{scenario.name}.json").write_text(json.dumps(report, indent=1, default=str))
        say(
            "\n".join((f"BROKEN in {scenario.name}, kept in {runner.system.folder}", *(f"  {line}" for line in broken)))
        )
    return not broken


async def _report_progress(suite_result: SuiteResult, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        stats, minutes = suite_result.stats, (time.monotonic() - began) / 60
        say(
            f"{stats.rounds} rounds, {sum(stats.hits.values())} kills, {sum(stats.ends.values())} orders,"
            f" {len(suite_result.failures)} broken; {stats.rounds / minutes:.1f} rounds a minute"
        )
