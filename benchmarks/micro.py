"""The bot's extra work, run alone: transactions and image decoding.

It runs as a separate process, through the product's services, and prints its result as JSON.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.bot_under_test import PROMPT
from benchmarks.harness import Harness
from benchmarks.photos import photo
from bot.domain.images import ImageFile
from bot.domain.jobs import Job
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from db.database import Database
from db.migrate import migrate
from sandbox.providers.pictures import draw_picture

DRAWING: Final = "drawing"
"""The sandbox's usual picture, a PNG of about 100 kB."""

_WARM_UP = 20
_SIDE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Milliseconds of each part.

    `hold` is the transaction before an answer, `transactions` all seven of a job.
    """

    hold_wall: float
    hold_burst_median: float
    hold_burst_longest: float
    transactions_wall: float
    transactions_cpu: float
    picture_wall: float
    picture_cpu: float

    @property
    def cpu(self) -> float:
        """Processor time per job beyond the baseline bot."""
        return self.transactions_cpu + self.picture_cpu


async def measure_parts(jobs: int, burst: int, picture: str = DRAWING) -> Parts:
    """Measure in a separate process, with a drawing or a photo of a format."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.micro", str(jobs), str(burst), picture, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the parts could not be measured")
    return Parts(**json.loads(output))


def medians(measured: Sequence[Parts]) -> Parts:
    """Return the median of each part over several measurements."""
    rows = [asdict(each) for each in measured]
    return Parts(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})


async def _measure(jobs: int, burst: int, picture: str, folder: Path) -> Parts:
    image_service = ImageService(
        downloader=ImageDownloader(), store=ImageStore(folder / "pictures"), workers=ImageThreadPool()
    )
    database = await Database.open(f"sqlite+aiosqlite:///{folder / 'parts.db'}")
    try:
        await migrate(database)
        harness = Harness(database)
        is_drawing = picture == DRAWING
        data = draw_picture(PROMPT, 0, width=_SIDE, height=_SIDE, format="png") if is_drawing else photo(picture)
        stored = await image_service.store_bytes(data)
        for _ in range(_WARM_UP):
            await harness.finish(await harness.hold(), stored)
            await image_service.store_bytes(data)
        measured = Parts(
            **await _times(harness, image_service, data, stored, jobs), **await _burst(harness, stored, burst)
        )
        await harness.close()
        return measured
    finally:
        await database.close()
        await image_service.close()


async def _times(
    harness: Harness, image_service: ImageService, data: bytes, stored: ImageFile, jobs: int
) -> dict[str, float]:
    holds, wholes = [], []
    cpu = time.process_time()
    for _ in range(jobs):
        start = time.perf_counter()
        held = await harness.hold()
        holds.append(time.perf_counter() - start)
        await harness.finish(held, stored)
        wholes.append(time.perf_counter() - start)
    transactions_cpu = (time.process_time() - cpu) / jobs
    pictures = []
    cpu = _cpu_seconds()
    for _ in range(jobs):
        start = time.perf_counter()
        await image_service.store_bytes(data)
        pictures.append(time.perf_counter() - start)
    return {
        "hold_wall": 1000 * statistics.median(holds),
        "transactions_wall": 1000 * statistics.median(wholes),
        "transactions_cpu": 1000 * transactions_cpu,
        "picture_wall": 1000 * statistics.median(pictures),
        "picture_cpu": 1000 * (_cpu_seconds() - cpu) / jobs,
    }


def _cpu_seconds() -> float:
    """Return the processor time of this process and of its decoders."""
    seconds = time.process_time()
    for child in psutil.Process().children():
        times = child.cpu_times()
        seconds += times.user + times.system
    return seconds


async def _burst(harness: Harness, stored: ImageFile, burst: int) -> dict[str, float]:
    start = time.perf_counter()

    async def hold() -> tuple[Job, float]:
        job = await harness.hold()
        return job, 1000 * (time.perf_counter() - start)

    held = await asyncio.gather(*(hold() for _ in range(burst)))
    for job, _ in held:
        await harness.finish(job, stored)
    taken: list[Any] = [each for _, each in held]
    return {"hold_burst_median": statistics.median(taken), "hold_burst_longest": max(taken)}


def main() -> None:
    """Print the parts as JSON."""
    with tempfile.TemporaryDirectory(prefix="benchmark-parts-") as folder:
        parts = asyncio.run(_measure(int(sys.argv[1]), int(sys.argv[2]), (sys.argv[3:] or [DRAWING])[0], Path(folder)))
    print(json.dumps(asdict(parts)))


if __name__ == "__main__":
    main()
