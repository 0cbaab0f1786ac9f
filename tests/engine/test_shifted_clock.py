"""The sandbox's clock, moved by a file."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.engine.clock import SystemClock
from bot.engine.delay_queue import DelayQueue
from bot.engine.shifted_clock import OFFSET_FILE_VARIABLE, ShiftedClock
from bot.factories import build_clock
from bot.settings import load_settings
from sandbox.clock import StudioClock

PATIENCE = 30.0
DAY = timedelta(days=1)


@pytest.fixture
def studio(tmp_path: Path) -> StudioClock:
    """Return the sandbox's side of the clock."""
    return StudioClock(tmp_path / "offset")


@pytest.fixture
def clock(tmp_path: Path) -> ShiftedClock:
    """Return the bot's side of the clock."""
    return ShiftedClock(tmp_path / "offset")


def ahead(clock: ShiftedClock) -> timedelta:
    """Return the distance to the machine's time, in whole seconds."""
    return timedelta(seconds=round((clock.now() - datetime.now(UTC)).total_seconds()))


def test_clock_without_file_is_machines(clock: ShiftedClock) -> None:
    assert ahead(clock) == timedelta(0)


def test_moved_time_is_same_for_bot_and_fakes(clock: ShiftedClock, studio: StudioClock) -> None:
    started = clock.monotonic()
    studio.advance(days=1)
    assert ahead(clock) == DAY
    assert abs(studio.now() - clock.now()) < timedelta(seconds=5)
    assert round(clock.monotonic() - started) == 86_400

    studio.advance_to(studio.now() + timedelta(hours=2))
    assert ahead(clock) == DAY + timedelta(hours=2)


@pytest.mark.parametrize("text", ["", "soon", "-86400", "nan", "inf", "0"], ids=str)
def test_unusable_file_changes_nothing(tmp_path: Path, clock: ShiftedClock, studio: StudioClock, text: str) -> None:
    studio.advance(days=1)
    assert ahead(clock) == DAY
    (tmp_path / "offset").write_text(text)
    assert ahead(clock) == DAY


async def test_wait_ends_soon_after_jump(clock: ShiftedClock, studio: StudioClock) -> None:
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), 3600))
    await asyncio.sleep(0)
    studio.advance(hours=1)
    async with asyncio.timeout(PATIENCE):
        await waiting


async def test_wait_ends_by_its_event(clock: ShiftedClock) -> None:
    event = asyncio.Event()
    waits = [asyncio.create_task(clock.wait(event, seconds)) for seconds in (None, 3600)]
    await asyncio.sleep(0)
    event.set()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*waits)


async def test_delayed_key_is_due_after_jump(clock: ShiftedClock, studio: StudioClock) -> None:
    called = asyncio.Event()

    async def handle(key: str) -> None:
        assert key == "job"
        called.set()

    queue = DelayQueue(clock, handle, concurrency=1)
    queue.set("job", 86_400)
    running = asyncio.create_task(queue.run())
    await asyncio.sleep(0)
    assert not called.is_set()
    studio.advance(days=1)
    async with asyncio.timeout(PATIENCE):
        await called.wait()
    running.cancel()


@pytest.mark.parametrize(
    "move",
    [
        lambda studio: studio.advance(seconds=-1),
        lambda studio: studio.advance(days=367),
        lambda studio: studio.advance(seconds=float("nan")),
        lambda studio: studio.advance_to(datetime(2020, 1, 1, tzinfo=UTC)),
    ],
    ids=["backward", "far", "nan", "past"],
)
def test_impossible_move_is_refused(
    clock: ShiftedClock, studio: StudioClock, move: Callable[[StudioClock], None]
) -> None:
    with pytest.raises(ValueError, match="Time"):
        move(studio)
    assert ahead(clock) == timedelta(0)


def test_twenty_years_are_the_end(studio: StudioClock) -> None:
    for _ in range(20):
        studio.advance(days=366)
    with pytest.raises(ValueError, match="twenty years"):
        studio.advance(days=1)


@pytest.mark.parametrize(("url", "kind"), [("http://127.0.0.1:1/api/v10", ShiftedClock), ("", SystemClock)])
def test_only_sandbox_moves_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, kind: type[SystemClock]
) -> None:
    monkeypatch.setenv(OFFSET_FILE_VARIABLE, str(tmp_path / "offset"))
    monkeypatch.setenv("DISCORD_API_URL", url)
    assert type(build_clock(load_settings())) is kind


def test_clock_without_variable_is_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_API_URL", "http://127.0.0.1:1/api/v10")
    monkeypatch.delenv(OFFSET_FILE_VARIABLE, raising=False)
    assert type(build_clock(load_settings())) is SystemClock
