"""Bounded thread pool for work on image files."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class ImageThreadPool:
    """Runs blocking work on image files, such as moving and deleting them.

    Files are decoded in processes instead: work here is short.
    """

    def __init__(self, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="picture")

    async def run(self, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
        """Run `work` in a thread and return its result.

        If the caller is cancelled, work that has begun still ends, and its result is dropped.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def close(self) -> None:
        """Drop queued work and wait for running work."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
