"""Decoder processes: turns, budget and limits."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, TypeVarTuple, get_type_hints

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.domain.errors import ImageError, ImageProblem
from bot.images.decoder_process import Answer, DecoderDiedError, DecoderProcess
from bot.images.decoder_protocol import Call
from bot.images.fair_queue import FairQueue
from bot.images.header import estimate_memory

_log = structlog.get_logger(__name__)

BeforeDecoding = Callable[[int], Awaitable[None]]
"""Awaited before a file is opened, with the bytes of memory that it is expected to take."""

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")

_MEBIBYTE: Final = 1024 * 1024
# Beside the largest file that is decoded, room for usual ones stays free.
_BUDGET_BYTES: Final = 608 * _MEBIBYTE
_LARGEST_COST_BYTES: Final = 544 * _MEBIBYTE
_PROBLEMS: Final = frozenset(str(problem) for problem in ImageProblem)


async def do_nothing(cost: int) -> None:
    """Do nothing before the decoding."""
    del cost


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderLimits:
    """Limits of one call: processor time, time, and memory.

    The memory is `spare_bytes`, and half as much again as the header says, but never more than `max_bytes`.
    """

    cpu_seconds: int = 20
    wall_seconds: float = 60.0
    spare_bytes: int = 192 * _MEBIBYTE
    max_bytes: int = 1536 * _MEBIBYTE


class DecoderPool:
    """Runs functions on image files in killable child processes.

    `processes` bounds the calls at a time, one of each member. The processes start when they are first needed. One
    that dies, grows or has answered many calls is replaced.
    """

    def __init__(self, processes: int = 2, limits: DecoderLimits | None = None) -> None:
        self._limits = limits or DecoderLimits()
        self._queue = FairQueue(slots=processes, budget=_BUDGET_BYTES)
        self._idle: list[DecoderProcess] = []
        self._busy: set[DecoderProcess] = set()
        self._ending: set[asyncio.Task[str]] = set()
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Ids of the processes, the busy ones first."""
        return tuple(process.pid for process in (*self._busy, *self._idle) if process.pid is not None)

    @property
    def waiting(self) -> int:
        """Number of calls waiting for their turn."""
        return self._queue.waiting

    async def run(
        self,
        function: Callable[[Path, *_Arguments], _Result],
        path: Path,
        *arguments: *_Arguments,
        member: int,
        before: BeforeDecoding = do_nothing,
        first: bool = False,
        spare: bool = False,
    ) -> _Result:
        """Run `function` on a file in a process, in the member's turn.

        It is a function of a module and returns a dataclass. `before` is awaited in the turn, `first` and
        `spare` are as in `FairQueue.turn`. If the caller is cancelled, the process is killed.

        Raises:
            ImageError: As the function does, and DECODER_DIED if the process ended or ran into a limit.
            OSError: As the function does, or the processes are closed or cannot be started.
        """
        path, cost = await asyncio.to_thread(_measure, path)
        memory = min(self._limits.spare_bytes + cost + cost // 2, self._limits.max_bytes)
        call = Call(
            function=function,
            path=path,
            arguments=arguments,
            cpu_seconds=self._limits.cpu_seconds,
            memory_bytes=memory,
        )
        async with self._queue.turn(member, min(cost, _LARGEST_COST_BYTES), first=first, spare=spare):
            await before(cost)
            return _result(function, await self._call(call))

    async def close(self) -> None:
        """Kill all processes; running calls fail."""
        self._closed = True
        for process in (*self._busy, *self._idle):
            self._end(process)
        self._idle.clear()
        while self._ending:
            await asyncio.gather(*self._ending)

    async def _call(self, call: Call) -> Answer:
        if self._closed:
            raise _closed()
        process = self._take()
        self._busy.add(process)
        try:
            answer = await process.call(call, self._limits.wall_seconds)
        except DecoderDiedError as error:
            self._busy.discard(process)
            if self._closed:
                raise _closed() from None
            _log.warning("decoder.died", reason=str(error), end=await asyncio.shield(self._end(process)))
            raise ImageError(ImageProblem.DECODER_DIED, str(error)) from None
        except BaseException:
            self._end(process)
            raise
        finally:
            self._busy.discard(process)
        if process.is_spent:
            self._end(process)
        else:
            self._idle.append(process)
        return answer

    def _take(self) -> DecoderProcess:
        while self._idle:
            process = self._idle.pop()
            if not process.is_spent:
                return process
            self._end(process)  # it was killed while it was idle
        return DecoderProcess()

    def _end(self, process: DecoderProcess) -> asyncio.Task[str]:
        """Begin to end a process."""
        task = asyncio.create_task(process.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task


def _measure(path: Path) -> tuple[Path, int]:
    """Return the absolute path and the memory for decoding it."""
    return path.absolute(), estimate_memory(path)


def _closed() -> OSError:
    return OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))


@cache
def _adapter(function: Callable[..., _Result]) -> TypeAdapter[_Result]:
    adapter: TypeAdapter[_Result] = TypeAdapter(get_type_hints(function)["return"])
    return adapter


def _result(function: Callable[..., _Result], answer: Answer) -> _Result:
    """Return the function's result, or raise its error."""
    match answer.values:
        case {"value": dict(values), "content": content}:
            inserted: dict[str, Any] = {} if content is None else {str(content): answer.content}
        case {"problem": str(problem), "detail": str(detail)} if problem in _PROBLEMS:
            raise ImageError(ImageProblem(problem), detail)
        case {"errno": int(number), "strerror": str(text)}:
            raise OSError(number, text)
        case {"fault": str(fault)}:
            # A fault of ours, with this file: like a crash, because another try will hardly differ.
            _log.error("decoder.failed", function=function.__name__, error=fault)
            raise ImageError(ImageProblem.DECODER_DIED, fault)
        case _:
            raise ImageError(ImageProblem.DECODER_DIED, "answer")
    try:
        result: _Result = _adapter(function).validate_python(values | inserted)
    except ValidationError:
        raise ImageError(ImageProblem.DECODER_DIED, "answer") from None
    return result
