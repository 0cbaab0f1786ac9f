"""A start on a bad day at Discord."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.discord import text
from tests.end_to_end.system_harness import PATIENCE, SystemHarness


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield the running fakes for one test, without a bot."""
    system = SystemHarness(tmp_path)
    try:
        await system.start_fakes()
        yield system
    finally:
        await system.close()


@pytest.mark.parametrize("refusal", [{"status": 503}, {"status": 429, "retry_after": 3600.0}, {"delay": 600.0}])
async def test_bot_serves_while_commands_are_refused(system: SystemHarness, refusal: dict[str, float]) -> None:
    """Commands that another program overwrote return with the next start."""
    await system.start_bot()
    await system.stop_bot()
    foreign = [each for each in system.discord.commands.registered() if each["name"] == "credits"]
    system.discord.commands.replace(foreign)
    fault = system.discord.faults.add("PUT", "/commands$", times=1000, **refusal)
    await system.start_bot()
    await fault.wait_hit()
    invocation = await system.discord.actor("member").slash("credits balance")
    assert "200" in text(await invocation.response())
    assert await system.stop_bot() == 0
    assert "discord.commands_overwritten" in system.log()
    assert ("discord.commands_not_synced" in system.log()) is ("status" in refusal)
    system.discord.faults.clear()
    await system.start_bot()
    async with asyncio.timeout(PATIENCE):
        while system.discord.commands.find("imagine", 1, None) is None:
            await system.discord.commands.changed.wait()
