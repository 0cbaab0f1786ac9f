"""A bot stopped or killed midway loses nothing and doubles nothing."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.clock import StudioClock
from sandbox.discord import text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import SystemHarness, has_images, says


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot for one test."""
    system = SystemHarness(tmp_path, clock=StudioClock(tmp_path / "clock-offset"))
    try:
        await system.start()
        yield system
    finally:
        await system.close()


async def test_job_of_killed_bot_is_finished_by_next_process(system: SystemHarness) -> None:
    """The next process delivers into the same card and charges once."""
    invocation = await system.discord.actor("member").slash("imagine", prompt="survives a kill")
    await system.skillboss.wait_for(lambda: bool(system.skillboss.jobs))
    await invocation.response()
    system.skillboss.advance()
    await invocation.wait_until(says("Generating"))
    await system.stop_bot(signal.SIGKILL)
    system.skillboss.finish()
    await system.start_bot()
    card = await invocation.wait_until(has_images)
    assert read_mark((await system.pictures(card))[0]) == expected_mark("survives a kill", 0)
    assert len(system.discord.actor("member").sees()) == 1
    ledger = await system.ledger()
    assert (ledger.problems, ledger.states, ledger.charged, ledger.held) == ([], ["done"], 12, 0)
    assert len(system.skillboss.billed) == 1


async def test_submit_in_flight_at_kill_is_not_repeated(system: SystemHarness) -> None:
    """The credits return."""
    system.skillboss.faults.add("submit", "delay", seconds=60)
    invocation = await system.discord.actor("member").slash("imagine", prompt="sent or not")
    await system.skillboss.wait_for(lambda: bool(system.skillboss.requests))
    await system.stop_bot(signal.SIGKILL)
    await system.start_bot()
    card = await invocation.wait_until(says("outcome is unknown"))
    assert "Nothing was charged: 12 credits returned." in text(card)
    assert len([each for each in system.skillboss.requests if each.method == "POST"]) == 1
    ledger = await system.ledger()
    assert (ledger.problems, ledger.states, ledger.charged) == ([], ["failed"], 0)


async def test_cancel_on_card_of_earlier_process_works(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="older than the bot")
    card = await invocation.response()
    await system.skillboss.wait_for(lambda: bool(system.skillboss.jobs))
    assert await system.stop_bot() == 0
    await system.start_bot()
    await (await member.click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("Cancelled"))


async def test_job_without_card_is_abandoned_after_restart(system: SystemHarness) -> None:
    """The job is abandoned and its credits return."""
    gate = system.discord.faults.hold("POST", "callback$")
    invocation = await system.discord.actor("member").slash("imagine", prompt="never seen")
    await gate.wait_hit()
    assert (await system.ledger()).held == 12
    await system.stop_bot(signal.SIGKILL)
    await system.start_bot()
    system.clock.advance(seconds=30)  # an answer may be on its way for 20 seconds
    # The last thing that is tried for such a job is its card.
    await system.discord.recorder.wait(lambda sent: sent.method == "PATCH")
    ledger = await system.ledger()
    assert (ledger.problems, ledger.states, ledger.held) == ([], ["failed"], 0)
    assert system.skillboss.jobs == []
    assert invocation.interaction.id


async def test_sigterm_exits_cleanly_and_next_process_delivers(system: SystemHarness) -> None:
    """SIGTERM gives exit code 0; the next process delivers."""
    invocation = await system.discord.actor("member").slash("imagine", prompt="finished in between")
    await system.skillboss.wait_for(lambda: bool(system.skillboss.jobs))
    assert await system.stop_bot() == 0
    system.skillboss.finish()
    await system.start_bot()
    card = await invocation.wait_until(has_images)
    assert "12 credits" in text(card)


async def test_card_after_token_expiry_is_edited_by_bot_token(system: SystemHarness) -> None:
    invocation = await system.discord.actor("member").slash("imagine", prompt="slow as a glacier")
    await system.skillboss.wait_for(lambda: bool(system.skillboss.jobs))
    system.discord.expire_tokens()
    system.skillboss.finish()
    card = await invocation.wait_until(has_images)
    assert "12 credits" in text(card)
