"""A day within a moment, for the bot and for Discord."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.clock import StudioClock
from sandbox.discord import media, text
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, has_images, wait_for_provider_job


@pytest.fixture
async def moved(folder: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with a time that can be moved."""
    system = SystemHarness(folder, clock=StudioClock(folder / "clock-offset"))
    try:
        await system.start(DEFAULT_ALLOWANCE="100")
        yield system
    finally:
        await system.close()


async def balance(system: SystemHarness) -> str:
    """Return the member's balance as they read it."""
    message = await (await system.discord.actor("member").slash("credits balance")).response()
    return text(message)


async def test_allowance_is_new_after_a_day(moved: SystemHarness) -> None:
    before = await balance(moved)
    card = await moved.discord.actor("member").slash("imagine", prompt="a heron")
    await card.response()
    moved.skillboss.store.complete(await wait_for_provider_job(moved.skillboss, "a heron"))
    await card.wait_until(has_images)
    spent = await balance(moved)
    moved.clock.advance(days=1)
    after = await balance(moved)

    def left(words: str) -> list[str]:
        return re.findall(r"\d+", re.sub(r"<t:.*?>", "", words))

    assert left(spent) != left(before)
    assert left(after) == left(before)
    assert re.findall(r"<t:(\d+)", after) != re.findall(r"<t:(\d+)", before)


async def test_picture_address_expires_after_two_days(moved: SystemHarness) -> None:
    card = await moved.discord.actor("member").slash("imagine", prompt="a stork")
    await card.response()
    moved.skillboss.store.complete(await wait_for_provider_job(moved.skillboss, "a stork"))
    message = await card.wait_until(has_images, timeout=PATIENCE)
    (image,) = media(message)
    assert (await moved.status(image["url"]))[0] == 200
    moved.clock.advance(days=2)

    assert (await moved.status(image["url"]))[0] == 404
