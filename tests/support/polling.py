"""Waiting for another process where nothing announces the change."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

_PATIENCE: Final = 60.0
# A loop without a pause would take the processor from the process that it waits for.
_PAUSE: Final = 0.02


async def poll(read: Callable[[], Awaitable[T]], until: Callable[[T], object] = bool) -> T:
    """Read until the condition holds for the value, and return the value.

    Raises:
        TimeoutError: it does not hold within a minute.
    """
    async with asyncio.timeout(_PATIENCE):
        while not until(value := await read()):  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(_PAUSE)
    return value
