"""A stranger's picture while another member sends hostile ones."""

import asyncio
import io
import math
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from PIL import Image

from benchmarks.bot_under_test import BOT, BotUnderTest, memory_of
from benchmarks.measurements import Figure
from sandbox.discord import Invocation, Message, Upload

MEMORY_AIM_MB: Final = 700.0
STOP_AIM_SECONDS: Final = 10.0
STRANGER_AIM: Final = 2.0

_EDITS: Final = 5
_STRANGERS: Final = 8
_ATTACKER: Final = 249
_EDIT_SECONDS: Final = 600.0
_SAMPLE_SECONDS: Final = 0.02
_TURNED: Final = 6
_ORIENTATION: Final = 0x0112


async def measure_attack(pixels: int) -> list[Figure]:
    """Measure with five edits of three large pictures and a broken one each.

    The memory is that of all processes, with shared pages counted for each. At last the bot is stopped amid decoding.
    """
    uploads = hostile_uploads(math.isqrt(pixels))
    with tempfile.TemporaryDirectory(prefix="benchmark-attack-") as folder:
        bot_process = BotUnderTest(BOT, Path(folder) / "bot")
        try:
            await bot_process.start(edits=True)
            await _strangers(bot_process, 2)
            unloaded = await _strangers(bot_process, _STRANGERS)
            idle = bot_process.memory()
            watch = await _start_watch(bot_process.pid)
            started = bot_process.cpu_seconds(), time.perf_counter()
            edits = [await bot_process.edit(_ATTACKER, *uploads) for _ in range(_EDITS)]
            ends = asyncio.create_task(_ended(edits))
            loaded = await _strangers(bot_process, _STRANGERS)
            await ends
            seconds, cpu = time.perf_counter() - started[1], bot_process.cpu_seconds() - started[0]
            await bot_process.edit(_ATTACKER, *uploads)
            await bot_process.settle()
            peak, _ = await watch.communicate(b"end")
            stopped = await bot_process.terminate()
        finally:
            await bot_process.stop()
    base = statistics.median(unloaded)
    return [
        Figure(name="a stranger's picture, median", base=base, taken=statistics.median(loaded), aim=STRANGER_AIM),
        Figure(name="a stranger's picture, longest", base=base, taken=max(loaded)),
        Figure(name="all five edits refused after", taken=seconds, unit="s"),
        Figure(name="processor time of the attack", taken=cpu, unit="s"),
        Figure(name="memory of all processes, before", taken=idle, unit="MB"),
        Figure(name="memory of all processes, most", taken=float(peak), unit="MB", aim=MEMORY_AIM_MB),
        Figure(name="end after SIGTERM amid decoding", taken=stopped, unit="s", aim=STOP_AIM_SECONDS),
    ]


def hostile_uploads(side: int) -> tuple[Upload, ...]:
    """Return three transparent WebPs, one of them turned, and a broken PNG."""
    gradient = Image.linear_gradient("L").resize((side, side))
    picture = Image.merge("RGBA", (gradient, gradient.transpose(Image.Transpose.ROTATE_90), gradient, gradient))
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    upright = _encoded(picture, "WEBP", lossless=True, quality=0, method=0)
    turned = _encoded(picture, "WEBP", lossless=True, quality=0, method=0, exif=exif)
    broken = _encoded(gradient.resize((256, 256)), "PNG")[:400]
    files = (("a.webp", upright), ("b.webp", turned), ("c.webp", upright), ("d.png", broken))
    return tuple(Upload(filename=name, data=data) for name, data in files)


def _encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, file_format, **options)
    return out.getvalue()


async def _strangers(bot_process: BotUnderTest, jobs: int) -> list[float]:
    """Return the milliseconds from each command to its picture."""
    taken = []
    for _ in range(jobs):
        start = time.perf_counter()
        await bot_process.job()
        taken.append(1000 * (time.perf_counter() - start))
    return taken


async def _ended(edits: list[Invocation]) -> None:
    await asyncio.gather(*(edit.wait_until(_is_refused, timeout=_EDIT_SECONDS) for edit in edits))


def _is_refused(message: Message) -> bool:
    return "Nothing was charged" in str(message.components)


async def _start_watch(pid: int) -> asyncio.subprocess.Process:
    """Start a process to sample the memory until its input ends.

    It is a separate process because a sample takes time that the fakes need.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.hostile_pictures", str(pid), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def main() -> None:
    """Print the most megabytes of a process and its children."""
    most = 0.0
    while not select.select([sys.stdin], [], [], _SAMPLE_SECONDS)[0]:
        most = max(most, memory_of(int(sys.argv[1])))
    print(most)


if __name__ == "__main__":
    main()
