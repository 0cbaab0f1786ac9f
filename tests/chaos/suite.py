"""Many rounds, several houses at a time; a house in which a promise was broken is closed and kept."""

import asyncio
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
from tests.chaos.runner import Played, Rig
from tests.chaos.scenario import Plan
from tests.chaos.stats import Tally
from tests.support.databases import PostgresqlDatabases

_ROUNDS_A_HOUSE: Final = 40
"""After so many rounds a house starts afresh, so that its checks stay quick."""

_PROGRESS_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A round that broke promises; `folder` keeps its log and, for SQLite, its database."""

    plan: Plan
    database: str
    broken: tuple[str, ...]
    folder: Path


@dataclass(slots=True, kw_only=True)
class Campaign:
    """What came of many rounds."""

    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


async def run(
    plans: Iterable[Plan],
    *,
    folder: Path,
    database: str = "sqlite",
    parallel: int = 2,
    webhooks: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Campaign:
    """Play all plans, each in one of so many houses below `folder`."""
    campaign, began = Campaign(), time.monotonic()
    waiting = iter(plans)
    houses = _Houses(folder, database=database, webhooks=webhooks)
    try:
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell(campaign, say))
            working = [
                group.create_task(_work(waiting, houses, campaign, database, say), name=f"house {number}")
                for number in range(parallel)
            ]
            await asyncio.wait(working)
            telling.cancel()
    finally:
        houses.close()
    campaign.seconds = time.monotonic() - began
    return campaign


class _Houses:
    """Opens rigs, each with a folder and a database of its own."""

    def __init__(self, folder: Path, *, database: str, webhooks: bool) -> None:
        self._folder = folder
        self._webhooks = webhooks
        self._opened = 0
        self._creating = asyncio.Lock()  # the first makes the others' template
        self._postgresql = PostgresqlDatabases() if database == "postgresql" else None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Rig]:
        """Give a rig, and close it at the end."""
        self._opened += 1
        folder = self._folder / f"house-{self._opened}"
        async with self._creating:
            url = None if self._postgresql is None else await self._postgresql.create(migrated=True)
        rig = Rig(folder, database_url=url, webhooks=self._webhooks)
        try:
            await rig.start()
            yield rig
        finally:
            await rig.close()

    def close(self) -> None:
        """Stop what served databases."""
        if self._postgresql is not None:
            self._postgresql.close()


async def _work(
    waiting: Iterator[Plan], houses: _Houses, campaign: Campaign, database: str, say: Callable[[str], None]
) -> None:
    plan = next(waiting, None)
    while plan is not None:
        async with houses.open() as rig:
            for _ in range(_ROUNDS_A_HOUSE):
                sound = await _play(rig, plan, campaign, database, say)
                plan = next(waiting, None)
                if plan is None or not sound:
                    break
            folder = rig.house.folder
        if sound:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _play(rig: Rig, plan: Plan, campaign: Campaign, database: str, say: Callable[[str], None]) -> bool:
    """Play one round, and return whether every promise was kept."""
    played = Played(plan=plan)
    try:
        played = await rig.play(plan)
        assert played.evidence is not None
        broken = broken_promises(played.evidence, [stop.code for stop in played.stops])
    except Exception as error:  # noqa: BLE001 - a round that cannot be carried out is a failure of its own
        broken = ["the round broke off: " + "".join(traceback.format_exception(error))]
    campaign.tally.add(played)
    if broken:
        failure = Failure(plan=plan, database=database, broken=tuple(broken), folder=rig.house.folder)
        campaign.failures.append(failure)
        report = {
            "plan": asdict(plan),
            "hits": played.hits,
            "stops": [asdict(stop) for stop in played.stops],
            "broken": broken,
        }
        if played.evidence is not None:
            report["evidence"] = asdict(played.evidence)
        (rig.house.folder / f"{plan.name}.json").write_text(json.dumps(report, indent=1, default=str))
        say("\n".join((f"BROKEN in {plan.name}, kept in {rig.house.folder}", *(f"  {line}" for line in broken))))
    return not broken


async def _tell(campaign: Campaign, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        tally, minutes = campaign.tally, (time.monotonic() - began) / 60
        say(
            f"{tally.rounds} rounds, {sum(tally.hits.values())} kills, {sum(tally.ends.values())} orders,"
            f" {len(campaign.failures)} broken; {tally.rounds / minutes:.1f} rounds a minute"
        )
