"""Drawing of charts in a child process."""

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from bot.charts.drawing_process import LENGTH
from bot.charts.specs import Chart

_log = structlog.get_logger(__name__)

_ROOT: Final = Path(__file__).parents[2]
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from bot.charts.drawing_process import main; main()"
_PASSED_ON: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZDIR")
_PICTURE: Final = b"\x89PNG\r\n"


class DrawingError(Exception):
    """The charts could not be drawn."""


class ChartDrawer:
    """Draws charts as PNG files, one request at a time.

    Each request has a new process, which gives its memory back at its end. `folder` keeps matplotlib's list of fonts,
    which takes a second to make. The process has none of the bot's secrets.
    """

    def __init__(self, *, folder: Path, seconds: float = 30.0) -> None:
        self._folder = folder
        self._seconds = seconds
        self._turn = asyncio.Lock()

    async def draw(self, charts: Sequence[Chart]) -> tuple[bytes, ...]:
        """Return a PNG file for each chart.

        If the caller is cancelled, the process is killed.

        Raises:
            DrawingError: a chart cannot be drawn, or not in time; the time includes the wait for others.
        """
        try:
            async with asyncio.timeout(self._seconds), self._turn:
                answer = await self._run(pickle.dumps(tuple(charts)))
        except TimeoutError:
            _log.warning("charts.late", seconds=self._seconds)
            raise DrawingError("time") from None
        except OSError as error:
            _log.warning("charts.not_started", error=type(error).__name__)
            raise DrawingError(type(error).__name__) from None
        pictures = tuple(_pictures(answer))
        if len(pictures) != len(charts):
            raise DrawingError("answer")
        return pictures

    async def _run(self, request: bytes) -> bytes:
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _START,
            str(_ROOT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(self._folder),
            cwd="/",
            process_group=0,  # the terminal's Ctrl-C does not reach it
        )
        try:
            answer, trouble = await process.communicate(request)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            # The last line names the error's class; its words may quote a member's name.
            last = trouble.decode(errors="replace").strip().rpartition("\n")[2]
            _log.error("charts.failed", code=process.returncode, error=last.partition(":")[0][:80])
            raise DrawingError(str(process.returncode))
        return answer


def _environment(folder: Path) -> dict[str, str]:
    return {
        "LC_ALL": "C.UTF-8",
        "MPLCONFIGDIR": str(folder.absolute()),
        "MPLBACKEND": "agg",
        "OPENBLAS_NUM_THREADS": "1",  # no thread is used, and each takes memory
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    }


def _pictures(answer: bytes) -> Iterator[bytes]:
    """Yield the complete pictures of an answer."""
    while len(answer) > LENGTH.size:
        (length,) = LENGTH.unpack_from(answer)
        picture, answer = answer[LENGTH.size : LENGTH.size + length], answer[LENGTH.size + length :]
        if len(picture) == length and picture.startswith(_PICTURE):
            yield picture
