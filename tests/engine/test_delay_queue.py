import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from bot.engine.delay_queue import DelayQueue
from tests.support.clock import ManualClock, let_others_run


@asynccontextmanager
async def running(
    clock: ManualClock, handle: Callable[[str], Awaitable[None]], *, concurrency: int = 10
) -> AsyncIterator[DelayQueue]:
    """Run a delay queue until the block ends."""
    schedule = DelayQueue(clock, handle, concurrency=concurrency)
    task = asyncio.create_task(schedule.run())
    try:
        yield schedule
    finally:
        task.cancel()
        await schedule.drain(0)
        with pytest.raises(asyncio.CancelledError):
            await task


class Handler:
    """Records calls; a key in `gates` runs until its event is set."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def __call__(self, key: str) -> None:
        """Record the call."""
        self.begun.append(key)
        if key in self.gates:
            await self.gates[key].wait()
        self.ended.append(key)


async def pass_time(clock: ManualClock, seconds: float = 0.0) -> None:
    """Let time pass once everything has settled."""
    await let_others_run()
    clock.advance(seconds)
    await let_others_run()


async def test_keys_are_called_in_order_of_due_time(clock: ManualClock) -> None:
    # Keys with the same due time are called in the order of `set`.
    handler = Handler()
    async with running(clock, handler) as schedule:
        for key, delay in (("late", 3), ("soon", 1), ("now", 0), ("also soon", 1)):
            schedule.set(key, delay)
        await pass_time(clock)
        assert handler.begun == ["now"]
        assert clock.next_alarm == 1
        await pass_time(clock, 1)
        assert handler.begun == ["now", "soon", "also soon"]
        await pass_time(clock, 1.5)
        assert clock.next_alarm == 0.5
        await pass_time(clock, 0.5)
        assert handler.begun == ["now", "soon", "also soon", "late"]
        assert len(schedule) == 0


async def test_empty_queue_waits_without_timeout_until_key_is_set(clock: ManualClock) -> None:
    handler = Handler()
    async with running(clock, handler) as schedule:
        await pass_time(clock)
        assert clock.next_alarm is None
        schedule.set("key")
        await let_others_run()
        assert handler.begun == ["key"]


@pytest.mark.parametrize(("first", "second"), [(5, 1), (1, 5)])
async def test_key_set_twice_has_sooner_due_time(clock: ManualClock, first: float, second: float) -> None:
    # A step's "later" never postpones a webhook's "now".
    handler = Handler()
    async with running(clock, handler) as schedule:
        schedule.set("key", first)
        schedule.set("key", second)
        assert len(schedule) == 1
        await pass_time(clock, min(first, second) - 0.1)
        assert handler.begun == []
        await pass_time(clock, 0.1)
        assert handler.begun == ["key"]
        await pass_time(clock, 10)
        assert handler.begun == ["key"]


async def test_key_set_again_with_shorter_delay_runs_once_at_it(clock: ManualClock) -> None:
    handler = Handler()
    async with running(clock, handler) as schedule:
        schedule.set("key", 60)
        await pass_time(clock, 1)
        schedule.set("key")
        await let_others_run()
        assert handler.begun == ["key"]
        await pass_time(clock, 60)
        assert handler.begun == ["key"]


@pytest.mark.parametrize("delay", [0, 4])
async def test_key_set_during_its_call_is_called_once_more_afterwards(clock: ManualClock, delay: float) -> None:
    # A key never has two calls at once, however often it is set.
    handler = Handler()
    gate = handler.gates["key"] = asyncio.Event()
    async with running(clock, handler) as schedule:
        schedule.set("key")
        await pass_time(clock)
        for _ in range(3):
            schedule.set("key", delay)
        await pass_time(clock, 5)
        assert (handler.begun, handler.ended) == (["key"], [])
        assert len(schedule) == 1
        gate.set()
        await let_others_run()
        assert handler.begun == handler.ended == ["key", "key"]
        assert len(schedule) == 0


async def test_key_set_for_later_during_its_call_waits_its_delay(clock: ManualClock) -> None:
    handler = Handler()
    gate = handler.gates["key"] = asyncio.Event()
    async with running(clock, handler) as schedule:
        schedule.set("key")
        await pass_time(clock)
        schedule.set("key", 10)
        gate.set()
        await pass_time(clock, 9)
        assert handler.begun == ["key"]
        await pass_time(clock, 1)
        assert handler.begun == ["key", "key"]


async def test_handler_can_set_its_own_key(clock: ManualClock) -> None:
    # A job is polled again this way.
    called: list[float] = []

    async def handle(key: str) -> None:
        called.append(clock.monotonic())
        schedule.set(key, 3)

    async with running(clock, handle) as schedule:
        schedule.set("key")
        for _ in range(3):
            await pass_time(clock, 3)
    assert [moment - called[0] for moment in called] == [0, 3, 6, 9]


async def test_concurrency_limits_running_calls(clock: ManualClock) -> None:
    handler = Handler()
    handler.gates = {key: asyncio.Event() for key in "abc"}
    async with running(clock, handler, concurrency=2) as schedule:
        for key in "abc":
            schedule.set(key)
        await let_others_run()
        assert handler.begun == ["a", "b"]
        assert len(schedule) == 3
        handler.gates["b"].set()
        await let_others_run()
        assert handler.begun == ["a", "b", "c"]


async def test_keys_beyond_concurrency_have_no_task(clock: ManualClock) -> None:
    # After a start thousands are due at once; each is called once, also if set meanwhile.
    handler = Handler()
    gate = asyncio.Event()
    keys = [f"{number}" for number in range(100)]
    handler.gates = dict.fromkeys(keys, gate)
    async with running(clock, handler, concurrency=3) as schedule:
        before = len(asyncio.all_tasks())
        for key in keys:
            schedule.set(key)
        await let_others_run()
        assert len(asyncio.all_tasks()) == before + 3
        schedule.set(keys[-1])
        assert (len(schedule), keys[-1] in schedule) == (100, True)
        gate.set()
        await let_others_run(200)
        assert handler.begun == keys
        assert len(schedule) == 0


async def test_failing_call_is_logged_and_others_continue(clock: ManualClock) -> None:
    # It stops neither other keys nor its own next call, and frees its place.
    handler = Handler()

    async def handle(key: str) -> None:
        await handler(key)
        if key == "bad":
            raise RuntimeError("broken")

    with capture_logs() as logs:
        async with running(clock, handle, concurrency=1) as schedule:
            for key in ("bad", "good"):
                schedule.set(key)
            await let_others_run()
            schedule.set("bad")
            await let_others_run()
            assert handler.begun == ["bad", "good", "bad"]
            assert len(schedule) == 0
    assert [(log["event"], log["key"], log["log_level"]) for log in logs] == [
        ("schedule.call_failed", "bad", "error")
    ] * 2


async def test_drain_waits_for_running_calls(clock: ManualClock) -> None:
    # Keys that are not due yet are no longer called.
    handler = Handler()
    gate = handler.gates["key"] = asyncio.Event()
    schedule = DelayQueue(clock, handler, concurrency=2)
    task = asyncio.create_task(schedule.run())
    schedule.set("key")
    schedule.set("tomorrow", 1)
    await let_others_run()
    task.cancel()
    drain = asyncio.create_task(schedule.drain(60))
    await pass_time(clock, 5)
    assert not drain.done()
    gate.set()
    await drain
    assert handler.begun == handler.ended == ["key"]
    assert task.cancelled()


async def test_drain_cancels_calls_after_timeout(clock: ManualClock) -> None:
    # A cancelled call has ended before `drain` returns.
    handler = Handler()
    handler.gates["key"] = asyncio.Event()
    schedule = DelayQueue(clock, handler, concurrency=2)
    task = asyncio.create_task(schedule.run())
    schedule.set("key")
    await let_others_run()
    task.cancel()
    await schedule.drain(0)
    assert (handler.begun, handler.ended) == (["key"], [])
    await let_others_run()
    assert len(schedule) == 0


async def test_drain_of_idle_queue_returns(clock: ManualClock) -> None:
    schedule = DelayQueue(clock, Handler(), concurrency=1)
    schedule.set("later", 5)
    await schedule.drain(60)
    assert len(schedule) == 1
