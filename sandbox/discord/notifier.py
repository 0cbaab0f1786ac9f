"""One small primitive to wait for changes without polling."""

import asyncio
from typing import Final

PATIENCE: Final = 60.0
"""Seconds to wait for what comes much sooner, unless something is broken: nobody should have to be in a hurry."""


class Bell:
    """Wakes everybody who waits, each time it is rung."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake all who wait at this moment."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        """Return at the next ring; what was rung before does not count."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future
