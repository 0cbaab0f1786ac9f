"""Checks that repeat until they are cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from bot.engine.clock import Clock


async def repeat(
    check: Callable[[], Awaitable[object]],
    *,
    first: Callable[[], Awaitable[object]] | None = None,
    every: float,
    clock: Clock,
    on_failure: Callable[[], None],
) -> NoReturn:
    """Repeat a check until cancelled.

    Args:
        check: called at once, and `every` seconds after it ended.
        first: called before the first check, again after a failure.
        every: the pause between two checks, in seconds.
        clock: it waits.
        on_failure: called inside the handler of an exception, so that a logger finds it.
    """
    started = first is None
    while True:
        try:
            if first is not None and not started:
                await first()
                started = True
            await check()
        except Exception:  # noqa: BLE001 - the database may be back in a moment
            on_failure()
        await clock.wait(asyncio.Event(), every)
