"""One small primitive to wait for changes without polling."""

import asyncio
from typing import Final

PATIENCE: Final = 60.0
"""Seconds to wait for what comes much sooner, unless something is broken: nobody should have to be in a hurry."""


class Notifier:
    """Wakes all waiting tasks at each notification."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        """Wake all tasks waiting at this moment."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        """Return at the next notification; earlier ones do not count."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future
