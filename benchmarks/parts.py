"""What the bot must do and the bare handler does not, run alone: a job's durable transactions, a picture's decoding.

It runs as a process of its own, through the product's own services, and prints its result as JSON.
"""

import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from benchmarks.stage import PROMPT
from bot.app import new_id
from bot.domain.jobs import Job, Picture, Place
from bot.domain.requests import generation_request
from bot.engine.books import Books
from bot.engine.clock import SystemClock
from bot.engine.engine import Engine
from bot.engine.journal import Journal
from bot.engine.lease import Lease
from bot.engine.limits import Limits
from bot.images.download import PictureDownloader
from bot.images.keeper import PictureKeeper
from bot.images.store import PictureStore, StoredPicture
from bot.images.workers import PictureWorkers
from bot.providers.base import Finished, Pending
from bot.sandbox.providers.pictures import draw_picture
from bot.services.access import AccessService
from bot.services.generation import GenerationService
from db.database import Database
from db.migrate import migrate

_WARM_UP = 20
_MEMBERS = 250
_SIDE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Milliseconds. `hold` is the one transaction before an answer, `transactions` all seven of a job."""

    hold_wall: float
    hold_burst_median: float
    hold_burst_longest: float
    transactions_wall: float
    transactions_cpu: float
    picture_wall: float
    picture_cpu: float

    @property
    def cpu(self) -> float:
        """The processor time a job of all that the bare handler does not do."""
        return self.transactions_cpu + self.picture_cpu


async def measure_parts(jobs: int, burst: int) -> Parts:
    """Measure in a process of its own, so that nothing of this one's counts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.parts", str(jobs), str(burst), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the parts could not be measured")
    return Parts(**json.loads(output))


def medians(measured: Sequence[Parts]) -> Parts:
    """Return each part's median over several measurements."""
    rows = [asdict(each) for each in measured]
    return Parts(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})


class _Nobody:
    """Stands where the engine is told of a job, so that nothing but the transaction runs."""

    worker_id = "parts"

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_: None


class _Desk:
    """The services over a database of their own."""

    def __init__(self, database: Database) -> None:
        clock, limits = SystemClock(), Limits(active_per_provider=1_000_000)
        books = Books(allowance=1_000_000, budget=1_000_000_000, new_id=new_id)
        lease = Lease(worker_id=_Nobody.worker_id, seconds=60.0, alone=True, clock=clock)
        self.journal = Journal(
            database=database, books=books, clock=clock, limits=limits, lease=lease, providers=("skillboss",)
        )
        self.generation = GenerationService(
            database=database,
            journal=self.journal,
            engine=cast("Engine", _Nobody()),
            books=books,
            access=AccessService(database=database, admitted="*", now=clock.now),
            clock=clock,
            limits=limits,
            providers=("skillboss",),
            new_id=new_id,
        )
        self._request = generation_request(prompt=PROMPT)
        self._numbers = itertools.count(1)

    async def hold(self) -> Job:
        """Hold the credits and insert the job."""
        number = next(self._numbers)
        place = Place(
            interaction_id=number,
            application_id=1,
            community_id=1,
            channel_id=1,
            member_id=1 + number % _MEMBERS,
            token="x" * 180,
        )
        return (await self.generation.request(place, self._request)).job

    async def finish(self, held: Job, stored: StoredPicture) -> None:
        """Take a held job through the rest of its life."""
        await self.generation.acknowledged(held.id, held.place.interaction_id)
        claim, *_ = (await self.journal.claim(64, {"skillboss": 64})).claims
        job = await self.journal.accepted(claim.job, Pending(handle=held.id, running=False, record_id="record"))
        job = await self.journal.storing(
            job, Finished(image_urls=("https://cdn.example/1.png",), handle=held.id, record_id="record")
        )
        picture = Picture(job_id=job.id, position=0, **asdict(stored))
        await self.journal.done(job, [picture])
        await self.journal.delivered(job.id)


async def _measure(jobs: int, burst: int, folder: Path) -> Parts:
    keeper = PictureKeeper(
        downloader=PictureDownloader(), store=PictureStore(folder / "pictures"), workers=PictureWorkers()
    )
    database = await Database.open(f"sqlite+aiosqlite:///{folder / 'parts.db'}")
    try:
        await migrate(database)
        desk = _Desk(database)
        data = draw_picture(PROMPT, 0, width=_SIDE, height=_SIDE, format="png")
        stored = await keeper.keep_bytes(data)
        for _ in range(_WARM_UP):
            await desk.finish(await desk.hold(), stored)
            await keeper.keep_bytes(data)
        return Parts(**await _times(desk, keeper, data, stored, jobs), **await _burst(desk, stored, burst))
    finally:
        await database.close()
        await keeper.close()


async def _times(desk: _Desk, keeper: PictureKeeper, data: bytes, stored: StoredPicture, jobs: int) -> dict[str, float]:
    holds, wholes = [], []
    cpu = time.process_time()
    for _ in range(jobs):
        start = time.perf_counter()
        held = await desk.hold()
        holds.append(time.perf_counter() - start)
        await desk.finish(held, stored)
        wholes.append(time.perf_counter() - start)
    transactions_cpu = (time.process_time() - cpu) / jobs
    pictures = []
    cpu = time.process_time()
    for _ in range(jobs):
        start = time.perf_counter()
        await keeper.keep_bytes(data)
        pictures.append(time.perf_counter() - start)
    return {
        "hold_wall": 1000 * statistics.median(holds),
        "transactions_wall": 1000 * statistics.median(wholes),
        "transactions_cpu": 1000 * transactions_cpu,
        "picture_wall": 1000 * statistics.median(pictures),
        "picture_cpu": 1000 * (time.process_time() - cpu) / jobs,
    }


async def _burst(desk: _Desk, stored: StoredPicture, burst: int) -> dict[str, float]:
    start = time.perf_counter()

    async def hold() -> tuple[Job, float]:
        job = await desk.hold()
        return job, 1000 * (time.perf_counter() - start)

    held = await asyncio.gather(*(hold() for _ in range(burst)))
    for job, _ in held:
        await desk.finish(job, stored)
    taken: list[Any] = [each for _, each in held]
    return {"hold_burst_median": statistics.median(taken), "hold_burst_longest": max(taken)}


def main() -> None:
    """Print the parts as JSON."""
    with tempfile.TemporaryDirectory(prefix="benchmark-parts-") as folder:
        parts = asyncio.run(_measure(int(sys.argv[1]), int(sys.argv[2]), Path(folder)))
    print(json.dumps(asdict(parts)))


if __name__ == "__main__":
    main()
