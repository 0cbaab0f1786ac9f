"""The bounded pool of threads in which pictures are decoded and encoded, off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class ImageThreadPool:
    """Runs blocking work on pictures; `threads` bounds how many are in memory at a time (up to 256 MB each)."""

    def __init__(self, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="picture")

    async def run(self, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        """Return what `work` returns; if the caller is cancelled, work that has begun still ends, unseen."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
