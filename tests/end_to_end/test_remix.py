"""A finished card is worked with: what is made of it, what it tells, and that it does so after a restart."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL

import pytest
from sqlalchemy import Connection, select, update

from db.database import Database
from db.tables import jobs, pictures
from sandbox.discord import Invocation, Message, buttons, media, text
from sandbox.providers import derives_from, expected_mark, read_mark
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, is_done, says


def settings(house: SystemHarness) -> dict[str, str]:
    """Return what the operator has set: one image API, which can fetch pictures from the bot."""
    return {
        "PROVIDER_ORDER": "reve2img",
        "DEFAULT_ALLOWANCE": "1000",
        "WEBHOOK_PUBLIC_URL": f"http://127.0.0.1:{house.http_port}",
    }


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """A running bot of the test's own, whose pictures the image API can fetch."""
    house = SystemHarness(tmp_path)
    try:
        await house.start(**settings(house))
        yield house
        ledger = await house.ledger()
        assert (ledger.problems, ledger.held) == ([], 0)
    finally:
        await house.close()


async def made(house: SystemHarness, invocation: Invocation) -> Message:
    """Let the image API finish what was asked for, and return the card with its pictures."""
    await invocation.response()
    await house.reve2img.wait_for(lambda: any(not job.terminal for job in house.reve2img.jobs))
    house.reve2img.finish()
    return await invocation.wait_until(is_done)


async def restart(house: SystemHarness) -> None:
    """End the bot and start it again."""
    assert await house.stop_bot() == 0
    await house.start_bot(**settings(house))


def labels(message: Message) -> list[str]:
    """Return what the buttons of a message say."""
    return [each["label"] for each in buttons(message)]


async def column(house: SystemHarness, name: str) -> list[object]:
    """Return a column of all jobs, oldest first."""
    database = await Database.open(house.database_url)
    try:
        return await database.read(
            lambda connection: list(connection.execute(select(jobs.c[name]).order_by(jobs.c.id)).scalars())
        )
    finally:
        await database.close()


async def end_retention(house: SystemHarness) -> None:
    """Do as the retention does with every picture: its row says so, and its file is gone."""
    database = await Database.open(house.database_url)

    def write(connection: Connection) -> list[str]:
        connection.execute(update(pictures).values(removed_at=datetime.now(UTC)))
        return list(connection.execute(select(pictures.c.sha256)).scalars())

    try:
        hashes = await database.write(write)
    finally:
        await database.close()
    for name in hashes:
        (file,) = (house.folder / "data" / "pictures").rglob(f"{name}.*")
        file.unlink()


async def test_a_card_is_worked_with_after_a_restart(house: SystemHarness) -> None:
    """A button pressed on a card of an earlier process makes a new picture from the one on the card."""
    member = house.discord.actor("member")
    card = await made(house, await member.slash("imagine", prompt="a lighthouse", aspect_ratio="16:9"))
    assert labels(card) == ["Again", "Vary", "Edit", "Upscale"]
    (first,) = await house.pictures(card)
    await restart(house)
    second = await made(house, await member.click(card, label="Vary"))
    assert derives_from((await house.pictures(second))[0], first)
    assert "reve-2.0 · 16:9 · 1 picture · from 1 picture" in text(second)
    assert "20 credits · 968 left today" in text(second)
    assert len(member.sees()) == 2
    assert await column(house, "parent_id") == [None, (await column(house, "id"))[0]]


async def test_a_picture_is_fetched_again_after_its_retention(house: SystemHarness) -> None:
    """The studio keeps the picture no more, but the message has it: an edit starts from that, by anybody's press."""
    member, other = house.discord.actor("member"), house.discord.actor("moderator")
    card = await made(house, await member.slash("imagine", prompt="a lighthouse"))
    (first,) = await house.pictures(card)
    await end_retention(house)
    pressed = await other.click(card, label="Edit")
    assert (await pressed.modal())["title"] == "Edit this picture"
    second = await made(house, await other.submit_modal(pressed, {"prompt": "make it snow"}))
    (changed,) = await house.pictures(second)
    assert derives_from(changed, first)
    assert read_mark(changed) == expected_mark("make it snow", 0)


async def test_a_form_asks_which_picture_and_by_how_much(house: SystemHarness) -> None:
    """Of several pictures the second is enlarged threefold, at the price that the form named."""
    member = house.discord.actor("member")
    card = await made(house, await member.slash("imagine", prompt="a lighthouse", images=2))
    pressed = await member.click(card, label="Upscale")
    second = await made(house, await member.submit_modal(pressed, {"picture": ["1"], "factor": ["3"]}))
    assert "upscaled 3x" in text(second)
    assert "29 credits" in text(second)
    large, pair = (await house.pictures(second))[0], await house.pictures(card)
    assert [derives_from(large, each) for each in pair] == [False, True]


async def test_much_is_asked_about_first_and_made_once(house: SystemHarness) -> None:
    """Over the threshold the price is asked about; pressed twice after a restart, one job begins in that message."""
    member, other = house.discord.actor("member"), house.discord.actor("moderator")
    invocation = await member.slash("imagine", prompt="a cathedral", images=4, detail=2)
    question = await invocation.response()
    assert "This takes 96 credits." in text(question)
    assert labels(question) == ["Make it · 96 credits", "Leave it"]
    assert (await house.ledger()).held == 0
    await restart(house)
    stranger = await (await other.click(question, label="Make it · 96 credits")).response()
    assert "Only the member who was asked can do that." in text(stranger)
    first, second = await asyncio.gather(
        member.click(question, label="Make it · 96 credits"), member.click(question, label="Make it · 96 credits")
    )
    await asyncio.gather(first.acknowledged(), second.acknowledged())
    await house.reve2img.wait_for(lambda: bool(house.reve2img.jobs))
    house.reve2img.finish()
    card = await invocation.wait_until(is_done)
    assert len(media(card)) == 4
    assert "96 credits · 904 left today" in text(card)
    assert await column(house, "state") == ["done"]
    answers = [each for each in member.sees() if each.id != card.id]
    assert "You have answered this already." in text(answers[-1])


async def test_a_bot_that_is_killed_between_the_yes_and_the_card_gives_the_credits_back(house: SystemHarness) -> None:
    """The question's message tells so; a private one, which nothing reaches any more, claims nothing that is untrue."""
    questions = {}
    for name, private in (("member", False), ("member-two", True)):
        invocation = await house.discord.actor(name).slash("imagine", prompt=name, images=4, detail=2, private=private)
        questions[name] = await invocation.response()
        gate = house.discord.faults.hold("POST", "callback$")
        await house.discord.actor(name).click(questions[name], label="Make it · 96 credits")
        await gate.wait_hit()
    assert (await house.ledger()).held == 192
    await house.stop_bot(SIGKILL)
    await house.start_bot(**settings(house))
    # An answer may be on its way for 20 seconds; then the bot's own token is what reaches the public one.
    await house.discord.recorder.wait(lambda sent: (sent.method, "/channels/" in sent.path) == ("PATCH", True))
    async with asyncio.timeout(PATIENCE):
        while (await house.ledger()).held:
            pass
    assert "interrupted before it began" in text(questions["member"])
    assert "96 credits returned" in text(questions["member"])
    assert (await house.ledger()).states == ["failed", "failed"]
    assert house.reve2img.jobs == []
    house.discord.faults.clear()
    again = await house.discord.actor("member-two").click(questions["member-two"], label="Make it · 96 credits")
    assert "makes nothing more and charges nothing more" in text(await again.response())
    assert (await house.ledger()).held == 0


async def test_what_was_asked_about_can_be_left(house: SystemHarness) -> None:
    """Leaving it takes the question away, and nothing was held or made."""
    member = house.discord.actor("member")
    invocation = await member.slash("imagine", prompt="a cathedral", images=4, detail=2)
    question = await invocation.response()
    await (await member.click(question, label="Leave it")).acknowledged()
    await house.discord.recorder.wait(lambda sent: sent.method == "DELETE")
    assert member.sees() == []
    assert await column(house, "id") == []


async def test_deleting_a_parent_keeps_the_children(house: SystemHarness) -> None:
    """A moderator deletes a card: its message and its picture are gone, what was made from it stays and says so."""
    member, moderator = house.discord.actor("member"), house.discord.actor("moderator")
    card = await made(house, await member.slash("imagine", prompt="a lighthouse"))
    child = await made(house, await member.click(card, label="Again"))
    asked = await moderator.select(card, ["delete"])
    question = await asked.wait_until(says("Delete this?"))
    await (await moderator.click(question, label="Delete")).acknowledged()
    await asked.wait_until(says("Deleted."))
    assert [each.id for each in member.sees()] == [child.id]
    details = await (await member.select(child, ["details"])).response()
    assert "The same again as a job that was deleted" in text(details)
    assert f"job {(await column(house, 'id'))[1]}" in text(details)
