import asyncio
from contextlib import suppress

import structlog
from structlog.testing import capture_logs

from bot.engine.repeat import repeat
from tests.support.clock import ManualClock, let_others_run

_log = structlog.get_logger(__name__)


class Calls:
    """Records calls, and fails those that `failing` names."""

    def __init__(self, *failing: int) -> None:
        self.made: list[str] = []
        self._failing = failing

    async def first(self) -> None:
        """Record the step before the first check."""
        self._make("first")

    async def check(self) -> None:
        """Record a check."""
        self._make("check")

    def _make(self, name: str) -> None:
        self.made.append(name)
        if len(self.made) in self._failing:
            raise OSError


async def let_pass(calls: Calls, pauses: int, *, with_first: bool) -> list[str]:
    """Repeat for some pauses; return the logged failures."""
    clock = ManualClock()
    with capture_logs() as logs:
        task = asyncio.create_task(
            repeat(
                calls.check,
                first=calls.first if with_first else None,
                every=15.0,
                clock=clock,
                on_failure=lambda: _log.exception("check.failed"),
            )
        )
        await let_others_run()
        for _ in range(pauses):
            clock.advance(14.9)
            await let_others_run()
            before = list(calls.made)
            clock.advance(0.1)
            await let_others_run()
            assert calls.made != before
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert task.cancelled()
    return [each["event"] for each in logs if each["exc_info"]]


async def test_a_failed_check_is_logged_and_made_again_after_the_pause() -> None:
    calls = Calls(2)
    failures = await let_pass(calls, 2, with_first=False)
    assert calls.made == ["check", "check", "check"]
    assert failures == ["check.failed"]


async def test_the_first_step_repeats_until_it_succeeds_once() -> None:
    calls = Calls(1, 3)
    failures = await let_pass(calls, 2, with_first=True)
    assert calls.made == ["first", "first", "check", "check"]
    assert failures == ["check.failed", "check.failed"]


async def test_a_woken_check_is_made_at_once_and_again_if_woken_meanwhile() -> None:
    calls, wake = Calls(), asyncio.Event()

    async def check() -> None:
        await calls.check()
        if len(calls.made) == 2:
            wake.set()

    task = asyncio.create_task(
        repeat(check, every=15.0, clock=ManualClock(), on_failure=lambda: _log.exception("check.failed"), wake=wake)
    )
    await let_others_run()
    assert len(calls.made) == 1
    wake.set()
    await let_others_run()
    assert len(calls.made) == 3
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
