"""A duel from its command to the ranking, with restarts in between."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.clock import StudioClock
from sandbox.discord import Invocation, Message, buttons, media, text
from tests.end_to_end.system_harness import SystemHarness, says, wait_for_provider_job

PROMPT = "a lighthouse in a storm"
MODELS = {"reve-2.0", "nano-banana"}


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot for one test."""
    system = SystemHarness(tmp_path, clock=StudioClock(tmp_path / "clock-offset"))
    try:
        await system.start()
        yield system
    finally:
        await system.close()


async def begin(system: SystemHarness) -> Invocation:
    """Start a duel as "member"; return the invocation of Generate."""
    member = system.discord.actor("member")
    asked = await member.slash("duel start", prompt=PROMPT, model1="reve-2.0", model2="nano-banana", hours=2)
    question = await asked.response()
    assert "32 credits: reve-2.0 12, nano-banana 20" in text(question).replace("\\", "").replace("\u2068", "").replace(
        "\u2069", ""
    )
    assert (await system.ledger()).held == 0
    return await member.click(question, label="Generate · 32 credits")


async def finish(system: SystemHarness) -> None:
    """Let the providers finish both pictures."""
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, PROMPT))
    system.reve2img.finish(await wait_for_provider_job(system.reve2img, PROMPT))


def names_model(message: Message) -> bool:
    """Return whether anything in a message names a model."""
    said = str((message.payload["components"], message.payload["attachments"])).lower()
    return any(word in said for word in ("reve", "banana", "gemini", "seedream"))


async def test_duel_is_voted_blindly_and_reveals_models_after_restarts(system: SystemHarness) -> None:
    pressed = await begin(system)
    card = await pressed.response()
    assert not names_model(card)
    assert (await system.ledger()).held == 32
    for provider in (system.skillboss, system.reve2img):
        await wait_for_provider_job(provider, PROMPT)
    await system.stop_bot()
    await system.start_bot()
    await finish(system)
    card = await pressed.wait_until(says("Vote for the best picture"))
    assert [button["label"] for button in buttons(card)] == ["A", "B", "End vote"]
    assert not names_model(card)
    assert len(media(card)) == 2
    for picture in await system.pictures(card):
        assert picture.startswith(b"\xff\xd8")
        assert not any(word in picture for word in (b"reve", b"banana"))
    two, three = system.discord.actor("member-two"), system.discord.actor("moderator")
    assert "You voted for **A**" in text(await (await two.click(card, label="A")).response())
    assert "Your vote is **B** now" in text(await (await two.click(card, label="B")).response())
    assert "You voted for **B**" in text(await (await three.click(card, label="B")).response())
    refused = await (await system.discord.actor("member").click(card, label="A")).response()
    assert "you have no vote" in refused.payload["content"]
    assert "vote" not in text(card).replace("Vote for", "").replace("One vote each", "")
    await system.stop_bot(signal.SIGKILL)
    system.clock.advance(hours=3)
    await system.start_bot()
    card = await pressed.wait_until(says("with 2 of 2 votes"))
    assert all(model in text(card).replace("\\", "") for model in MODELS)
    assert "32 credits" in text(card)
    assert buttons(card) == []
    assert [PROMPT in text(each) for each in system.discord.actor("moderator").sees()].count(True) == 1
    ledger = await system.ledger()
    assert (ledger.problems, ledger.states, ledger.charged, ledger.held) == ([], ["done", "done"], 32, 0)
    assert len(system.skillboss.billed) + len(system.reve2img.billed) == 2
