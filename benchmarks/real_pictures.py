"""Jobs with pictures of a real size: processor time, and jobs a second."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.bot_under_test import BASELINE, BOT, BotUnderTest
from benchmarks.load import stream, warm_up
from benchmarks.measurements import Figure
from benchmarks.micro import DRAWING, measure_parts
from benchmarks.photos import FORMATS, photo

CPU_AIM: Final = 1.3
"""A job takes at most so many times the processor time of the bare handler and the parts."""
SMALL_TIME_AIM: Final = 350 / 80
"""Small pictures take at most so many times as long as with the bare handler: 80 jobs a second where it does 350."""

_TIME_AIMS: Final = {"png": 150 / 50}
_AT_ONCE: Final = 64
_ROUNDS: Final = 3


async def measure_pictures(jobs: int) -> list[Figure]:
    """Measure both bots in turns with each picture."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        stages = [BotUnderTest(command, Path(folder) / name) for name, command in (("bare", BASELINE), ("bot", BOT))]
        try:
            for each in stages:
                await each.start()
            for picture in (DRAWING, *FORMATS):
                figures += await _measure(stages, picture, jobs)
        finally:
            for each in stages:
                await each.stop()
    return figures


async def _measure(stages: list[BotUnderTest], picture: str, jobs: int) -> list[Figure]:
    data = None if picture == DRAWING else photo(picture)
    for each in stages:
        each.send_picture(data)
        await warm_up(each)
    cpu: list[list[float]] = [[] for _ in stages]
    rates: list[list[float]] = [[] for _ in stages]
    for _ in range(_ROUNDS):
        for at, each in enumerate(stages):
            before, start = each.cpu_seconds(), time.perf_counter()
            await stream(each, jobs, _AT_ONCE)
            rates[at].append(jobs / (time.perf_counter() - start))
            await each.settle()
            cpu[at].append(1000 * (each.cpu_seconds() - before) / jobs)
    parts = await measure_parts(max(10, jobs // 4), 10, picture)
    (bare_cpu, bot_cpu), (bare_rate, bot_rate) = (list(map(statistics.median, each)) for each in (cpu, rates))
    size = f"{picture}, {len(data) / 1e6:.1f} MB" if data is not None else picture
    return [
        Figure(name=f"processor a job, {size}", taken=bot_cpu, base=bare_cpu + parts.cpu, aim=CPU_AIM),
        Figure(
            name=f"time a job, {_AT_ONCE} at once, {size}",
            taken=1000 / bot_rate,
            base=1000 / bare_rate,
            aim=_TIME_AIMS.get(picture, SMALL_TIME_AIM),
        ),
    ]
