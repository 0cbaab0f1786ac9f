"""A bot that is stopped or killed midway: nothing is lost, nothing is doubled."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.discord import text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import SystemHarness, is_done, says


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """A running bot of the test's own."""
    house = SystemHarness(tmp_path)
    try:
        await house.start()
        yield house
    finally:
        await house.close()


async def test_a_killed_bot_takes_its_jobs_up_again(house: SystemHarness) -> None:
    """Killed while the provider draws, the next process delivers the picture into the same card, charged once."""
    invocation = await house.discord.actor("member").slash("imagine", prompt="survives a kill")
    await house.skillboss.wait_for(lambda: bool(house.skillboss.jobs))
    await invocation.response()
    house.skillboss.advance()
    await invocation.wait_until(says("Drawing"))
    await house.stop_bot(signal.SIGKILL)
    house.skillboss.finish()
    await house.start_bot()
    card = await invocation.wait_until(is_done)
    assert read_mark((await house.pictures(card))[0]) == expected_mark("survives a kill", 0)
    assert len(house.discord.actor("member").sees()) == 1
    ledger = await house.ledger()
    assert (ledger.problems, ledger.states, ledger.charged, ledger.held) == ([], ["done"], 12, 0)
    assert len(house.skillboss.billed) == 1


async def test_a_submit_that_was_under_way_at_the_kill_is_never_repeated(house: SystemHarness) -> None:
    """Killed between sending and the answer, the job ends with its credits returned, and is not sent again."""
    house.skillboss.faults.add("submit", "delay", seconds=60)
    invocation = await house.discord.actor("member").slash("imagine", prompt="sent or not")
    await house.skillboss.wait_for(lambda: bool(house.skillboss.requests))
    await house.stop_bot(signal.SIGKILL)
    await house.start_bot()
    card = await invocation.wait_until(says("outcome is unknown"))
    assert "Nothing was charged: 12 credits returned, 200 left today." in text(card)
    assert len([each for each in house.skillboss.requests if each.method == "POST"]) == 1
    ledger = await house.ledger()
    assert (ledger.problems, ledger.states, ledger.charged) == ([], ["failed"], 0)


async def test_cancel_works_on_a_card_of_an_earlier_process(house: SystemHarness) -> None:
    """A button lives in the message, not in the process that posted it."""
    member = house.discord.actor("member")
    invocation = await member.slash("imagine", prompt="older than the bot")
    card = await invocation.response()
    await house.skillboss.wait_for(lambda: bool(house.skillboss.jobs))
    assert await house.stop_bot() == 0
    await house.start_bot()
    await (await member.click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("Cancelled"))


async def test_a_card_that_never_appeared_is_settled_at_the_next_start(house: SystemHarness) -> None:
    """Killed before its answer reached Discord, the job is dropped and its credits are returned."""
    gate = house.discord.faults.hold("POST", "callback$")
    invocation = await house.discord.actor("member").slash("imagine", prompt="never seen")
    await gate.wait_hit()
    assert (await house.ledger()).held == 12
    await house.stop_bot(signal.SIGKILL)
    await house.start_bot()
    # An answer may be on its way for 20 seconds; the last thing that is tried for such a job is its card.
    await house.discord.recorder.wait(lambda sent: sent.method == "PATCH")
    ledger = await house.ledger()
    assert (ledger.problems, ledger.states, ledger.held) == ([], ["failed"], 0)
    assert house.skillboss.jobs == []
    assert invocation.interaction.id


async def test_a_stopped_bot_ends_cleanly_and_delivers_after_the_start(house: SystemHarness) -> None:
    """SIGTERM ends the bot with exit code 0; what was not delivered is delivered by the next process."""
    invocation = await house.discord.actor("member").slash("imagine", prompt="finished in between")
    await house.skillboss.wait_for(lambda: bool(house.skillboss.jobs))
    assert await house.stop_bot() == 0
    house.skillboss.finish()
    await house.start_bot()
    card = await invocation.wait_until(is_done)
    assert "12 credits" in text(card)


async def test_after_fifteen_minutes_the_bot_edits_with_its_own_token(house: SystemHarness) -> None:
    """When the interaction's token has run out, the same message is edited with the bot's own."""
    invocation = await house.discord.actor("member").slash("imagine", prompt="slow as a glacier")
    await house.skillboss.wait_for(lambda: bool(house.skillboss.jobs))
    house.discord.expire_tokens()
    house.skillboss.finish()
    card = await invocation.wait_until(is_done)
    assert "12 credits" in text(card)
