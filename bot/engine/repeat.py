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
    wake: asyncio.Event | None = None,
) -> NoReturn:
    """Repeat a check until cancelled.

    Args:
        check: called at once, and `every` seconds after it ended.
        first: called before the first check, again after a failure.
        every: the pause between two checks, in seconds.
        clock: it waits.
        on_failure: called inside the handler of an exception, so that a logger finds it.
        wake: ends a pause. A check clears it first, so what sets it during the check causes another one.
    """
    started = first is None
    woken = wake or asyncio.Event()
    while True:
        woken.clear()
        try:
            if first is not None and not started:
                await first()
                started = True
            await check()
        except Exception:  # noqa: BLE001 - the database may be back in a moment
            on_failure()
        await clock.wait(woken, every)
