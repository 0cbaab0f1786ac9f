"""One decoder process, as the bot sees it."""

import asyncio
import contextlib
import json
import os
import pickle
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from bot.images.decoder_protocol import LENGTH, LENGTHS, MAX_CONTENT_BYTES, MAX_JSON_BYTES, Call

_log = structlog.get_logger(__name__)

_ROOT: Final = Path(__file__).parents[2]
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from bot.images.decoder_main import main; main()"
# Blocks of large images go back to the system at once; those of usual ones stay, because new pages cost time.
ENVIRONMENT: Final = {
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "16777216",
    "MALLOC_TRIM_THRESHOLD_": "33554432",
}
_PASSED_ON: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_END_SECONDS: Final = 1.0
_MOST_CALLS: Final = 500
_MOST_RESIDENT_BYTES: Final = 96 * 1024 * 1024


class DecoderDiedError(Exception):
    """The process ended, or was killed at a limit, before it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a call: `values` as JSON has them, and bytes."""

    values: dict[str, Any]
    content: bytes


class DecoderProcess:
    """A child process with one call at a time.

    It starts with its first call. Its environment has no secrets, and the terminal's Ctrl-C does not reach it.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._calls = 0
        self._resident = 0
        self._is_ending = False

    @property
    def pid(self) -> int | None:
        """The process id; None before the first call."""
        return None if self._process is None else self._process.pid

    @property
    def is_spent(self) -> bool:
        """True if the process ended, has grown, or has answered many calls."""
        ended = self._process is not None and self._process.returncode is not None
        return ended or self._calls >= _MOST_CALLS or self._resident > _MOST_RESIDENT_BYTES

    async def call(self, call: Call, wall_seconds: float) -> Answer:
        """Run the call and return its answer.

        After any exception, a cancellation included, the process is of no further use: `end` it.

        Raises:
            DecoderDiedError: The process ended, or did not answer in `wall_seconds`.
            OSError: The process cannot be started.
        """
        if self._process is None:
            self._process = await self._start()
        self._calls += 1
        try:
            async with asyncio.timeout(wall_seconds):
                return await self._exchange(self._process, pickle.dumps(call))
        except TimeoutError:
            raise DecoderDiedError("time") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self._is_ending = True
            raise DecoderDiedError(type(error).__name__) from None
        except (ValueError, TypeError) as error:
            raise DecoderDiedError(type(error).__name__) from None

    async def end(self) -> str:
        """Kill the process; return its signal or exit code."""
        if self._process is None:
            return ""
        if self._is_ending:
            # Not killed at once: asyncio would miss the exit code of a process that has just ended by itself.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await self._process.wait()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        code = await self._process.wait()
        # The pipes' transports close with the process, the one for standard input only if asked.
        if self._process.stdin is not None:
            self._process.stdin.close()
        return signal.Signals(-code).name if code < 0 else str(code)

    async def _start(self) -> asyncio.subprocess.Process:
        environment = ENVIRONMENT | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _START,
            str(_ROOT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd="/",
            # A group, not a session: Linux schedules sessions apart, and may starve a new one beside a busy bot.
            process_group=0,
        )

    async def _exchange(self, process: asyncio.subprocess.Process, request: bytes) -> Answer:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes were asked for
        process.stdin.write(LENGTH.pack(len(request)) + request)
        await process.stdin.drain()
        head, content = LENGTHS.unpack(await process.stdout.readexactly(LENGTHS.size))
        if head > MAX_JSON_BYTES or content > MAX_CONTENT_BYTES:
            raise ValueError("the answer is too long")
        values = json.loads(await process.stdout.readexactly(head))
        if not isinstance(values, dict):
            raise ValueError("the answer is no object")  # noqa: TRY004 - as for any other bad answer
        self._resident = int(values.pop("resident", 0))
        return Answer(values=values, content=await process.stdout.readexactly(content))
