"""A start on a bad day at Discord."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.discord import text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import PATIENCE, TOKEN, SystemHarness, has_images, launch, says


@pytest.fixture
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield the running fakes for one test, without a bot.

    Its bots are forked; with the parameter `launch` each is a fresh interpreter, which takes seconds to start.
    """
    system = SystemHarness(tmp_path, launch=getattr(request, "param", None))
    try:
        await system.start_fakes()
        yield system
    finally:
        await system.close()


@pytest.mark.parametrize("refusal", [{"status": 503}, {"status": 429, "retry_after": 3600.0}, {"delay": 600.0}])
async def test_bot_serves_while_commands_are_refused(system: SystemHarness, refusal: dict[str, float]) -> None:
    """Overwritten commands return with the next start."""
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


@pytest.mark.parametrize("noticed", ["gateway", "rest"])
async def test_reset_token_ends_process_and_loses_no_job(system: SystemHarness, noticed: str) -> None:
    """One line with the remedy; the job goes on with the new token."""
    await system.start_bot()
    invocation = await system.discord.actor("member").slash("imagine", prompt="after the reset")
    await system.skillboss.wait_for(lambda: bool(system.skillboss.jobs))
    await invocation.response()
    system.skillboss.advance()
    await invocation.wait_until(says("Generating"))
    system.discord.world.application.token = "reset"
    if noticed == "gateway":
        await system.discord.gateway.drop()
    else:
        await system.discord.actor("owner").slash("studio admit")
    assert await system.bot_ended() == 1
    assert system.log().splitlines()[-1].startswith("Discord does not accept DISCORD_TOKEN.")
    assert "Traceback" not in system.log()
    system.discord.world.application.token = TOKEN
    system.skillboss.finish()
    await system.start_bot()
    card = await invocation.wait_until(has_images)
    assert read_mark((await system.pictures(card))[0]) == expected_mark("after the reset", 0)
    assert (await system.ledger()).problems == []


async def test_start_outlives_outage_of_discord(system: SystemHarness) -> None:
    system.discord.faults.add("GET", "/users/@me", status=503)
    system.discord.faults.add("GET", "/gateway/bot", status=503)
    await system.start_bot()
    invocation = await system.discord.actor("member").slash("credits balance")
    await invocation.response()
    assert await system.stop_bot() == 0
    assert "discord.unreachable" in system.log()


@pytest.mark.parametrize("system", [launch], indirect=True)
async def test_refused_connection_ends_process_in_one_line(system: SystemHarness) -> None:
    """The remedy of Discord's close code, no traceback."""
    await system.start_bot()
    await system.discord.gateway.drop(code=4011)
    assert await system.bot_ended() == 1
    assert system.log().splitlines()[-1] == "Discord wants more shards. Raise SHARD_COUNT, or leave it unset."
    assert "Traceback" not in system.log()
