"""Actions on a finished card.

New jobs, details, deletion, also after a restart.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL

import pytest
from sqlalchemy import Connection, select, update

from bot.domain.requests import KEEP_AS_IT_IS
from db.database import Database
from db.tables import jobs, pictures
from sandbox.clock import StudioClock
from sandbox.discord import Invocation, Message, buttons, media, text
from sandbox.providers import derives_from, expected_mark, read_mark
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images, says
from tests.support.image_server import drawn
from tests.support.polling import poll


def settings(system: SystemHarness) -> dict[str, str]:
    """Return settings with one image API; it fetches images from the bot."""
    return {
        "PROVIDER_ORDER": "reve2img",
        "DEFAULT_ALLOWANCE": "1000",
        "WEBHOOK_PUBLIC_URL": f"http://127.0.0.1:{system.http_port}",
    }


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with images reachable for the image API."""
    system = SystemHarness(tmp_path, clock=StudioClock(tmp_path / "clock-offset"))
    try:
        await system.start(**settings(system))
        yield system
        ledger = await system.ledger()
        assert (ledger.problems, ledger.held) == ([], 0)
    finally:
        await system.close()


async def finish_job(system: SystemHarness, invocation: Invocation) -> Message:
    """Let the image API finish the job and return the card with its images."""
    await invocation.response()
    await system.reve2img.wait_for(lambda: any(not job.terminal for job in system.reve2img.jobs))
    system.reve2img.finish()
    return await invocation.wait_until(has_images)


async def restart(system: SystemHarness) -> None:
    """End the bot and start it again."""
    assert await system.stop_bot() == 0
    await system.start_bot(**settings(system))


def labels(message: Message) -> list[str]:
    """Return the labels of the buttons of a message."""
    return [each["label"] for each in buttons(message)]


async def column(system: SystemHarness, name: str) -> list[object]:
    """Return a column of all jobs, oldest first."""
    database = await Database.open(system.database_url)
    try:
        return await database.read(
            lambda connection: list(connection.execute(select(jobs.c[name]).order_by(jobs.c.id)).scalars())
        )
    finally:
        await database.close()


async def end_retention(system: SystemHarness) -> None:
    """Remove every image as the retention does: mark the row, delete the file."""
    database = await Database.open(system.database_url)

    def write(connection: Connection) -> list[str]:
        connection.execute(update(pictures).values(removed_at=datetime.now(UTC)))
        return list(connection.execute(select(pictures.c.sha256)).scalars())

    try:
        hashes = await database.write(write)
    finally:
        await database.close()
    for name in hashes:
        (file,) = (system.folder / "data" / "pictures").rglob(f"{name}.*")
        file.unlink()


async def test_card_button_after_restart_makes_new_image(system: SystemHarness) -> None:
    """The new image starts from the one on the card."""
    member = system.discord.actor("member")
    card = await finish_job(system, await member.slash("imagine", prompt="a lighthouse", aspect_ratio="16:9"))
    assert labels(card) == ["Again · 12", "Vary · 20", "Edit", "Upscale"]
    (first,) = await system.pictures(card)
    await restart(system)
    second = await finish_job(system, await member.submit_modal(await member.click(card, label="Vary · 20"), {}))
    assert derives_from((await system.pictures(second))[0], first)
    assert "reve-2.0 · 16:9 · 1 picture · from 1 picture" in text(second)
    assert "20 credits" in text(second)
    assert len(member.sees()) == 2
    assert await column(system, "parent_id") == [None, (await column(system, "id"))[0]]


async def test_edit_after_retention_refetches_image_from_message(system: SystemHarness) -> None:
    """The file is gone, the message still has it; any member's press works."""
    member, other = system.discord.actor("member"), system.discord.actor("moderator")
    card = await finish_job(system, await member.slash("imagine", prompt="a lighthouse"))
    (first,) = await system.pictures(card)
    await end_retention(system)
    pressed = await other.click(card, label="Edit")
    assert (await pressed.modal())["title"] == "Edit this picture"
    second = await finish_job(system, await other.submit_modal(pressed, {"prompt": "make it snow"}))
    (changed,) = await system.pictures(second)
    assert derives_from(changed, first)
    assert read_mark(changed) == expected_mark("make it snow", 0)


async def test_forms_open_during_kill_make_jobs_afterwards(system: SystemHarness) -> None:
    """A card's form, and one for the picture of a message."""
    member = system.discord.actor("member")
    card = await finish_job(system, await member.slash("imagine", prompt="a lighthouse"))
    message = await member.say("look", png(drawn()))
    on_card, on_message = await member.click(card, label="Edit"), await member.context_menu("Edit this image", message)
    await on_card.modal()
    await on_message.modal()
    await system.stop_bot(SIGKILL)
    await system.start_bot(**settings(system))
    second = await finish_job(system, await member.submit_modal(on_card, {"prompt": "make it snow"}))
    (first,), (changed,) = await system.pictures(card), await system.pictures(second)
    assert derives_from(changed, first)
    assert read_mark(changed) == expected_mark("make it snow", 0)
    third = await finish_job(system, await member.submit_modal(on_message, {"prompt": "make it dusk"}))
    assert "make it dusk" in text(third)
    assert await column(system, "state") == ["done"] * 3


async def test_upscale_form_selects_image_and_factor(system: SystemHarness) -> None:
    """The second of several images is upscaled 3× at the price in the form."""
    member = system.discord.actor("member")
    card = await finish_job(system, await member.slash("imagine", prompt="a lighthouse", images=2))
    pressed = await member.select(card, ["upscale"])
    second = await finish_job(system, await member.submit_modal(pressed, {"picture": ["1"], "factor": ["3"]}))
    assert "a lighthouse · upscaled 3×" in text(second).replace("\u2068", "")
    assert system.reve2img.jobs[-1].request.prompt == KEEP_AS_IT_IS
    assert "29 credits" in text(second)
    large, pair = (await system.pictures(second))[0], await system.pictures(card)
    assert [derives_from(large, each) for each in pair] == [False, True]


async def test_expensive_request_is_confirmed_and_made_once(system: SystemHarness) -> None:
    """Two presses after a restart make one job in the message of the question."""
    member, other = system.discord.actor("member"), system.discord.actor("moderator")
    invocation = await member.slash("imagine", prompt="a cathedral", images=4, detail=2)
    question = await invocation.response()
    assert "This takes 96 credits." in text(question)
    assert labels(question) == ["Generate · 96 credits", "Cancel"]
    assert (await system.ledger()).held == 0
    await restart(system)
    stranger = await (await other.click(question, label="Generate · 96 credits")).response()
    assert "Only the member who was asked can do that." in text(stranger)
    first, second = await asyncio.gather(
        member.click(question, label="Generate · 96 credits"), member.click(question, label="Generate · 96 credits")
    )
    await asyncio.gather(first.acknowledged(), second.acknowledged())
    await system.reve2img.wait_for(lambda: bool(system.reve2img.jobs))
    system.reve2img.finish()
    card = await invocation.wait_until(has_images)
    assert len(media(card)) == 4
    assert "96 credits" in text(card)
    assert await column(system, "state") == ["done"]
    answers = [each for each in member.sees() if each.id != card.id]
    assert "You have answered this already." in text(answers[-1])


async def test_kill_between_confirmation_and_card_returns_credits(system: SystemHarness) -> None:
    """The question's message says so.

    A private one, out of reach, says nothing untrue.
    """
    questions = {}
    for name, private in (("member", False), ("member-two", True)):
        invocation = await system.discord.actor(name).slash("imagine", prompt=name, images=4, detail=2, private=private)
        questions[name] = await invocation.response()
        gate = system.discord.faults.hold("POST", "callback$")
        await system.discord.actor(name).click(questions[name], label="Generate · 96 credits")
        await gate.wait_hit()
    assert (await system.ledger()).held == 192
    await system.stop_bot(SIGKILL)
    await system.start_bot(**settings(system))
    system.clock.advance(seconds=30)  # an answer may be on its way for 20 seconds
    # The bot's own token is what reaches the public one.
    await system.discord.recorder.wait(lambda sent: (sent.method, "/channels/" in sent.path) == ("PATCH", True))
    await poll(system.ledger, until=lambda ledger: not ledger.held)
    assert "interrupted before it began" in text(questions["member"])
    assert "96 credits returned" in text(questions["member"])
    assert (await system.ledger()).states == ["failed", "failed"]
    assert system.reve2img.jobs == []
    system.discord.faults.clear()
    again = await system.discord.actor("member-two").click(questions["member-two"], label="Generate · 96 credits")
    assert "makes nothing more and charges nothing more" in text(await again.response())
    assert (await system.ledger()).held == 0


async def test_kill_after_press_on_affordable_offer_charges_nothing(system: SystemHarness) -> None:
    """The card never came; a second press makes nothing more."""
    member = system.discord.actor("member")
    few = settings(system) | {"DEFAULT_ALLOWANCE": "100"}
    await system.stop_bot()
    await system.start_bot(**few)
    refused = await (await member.slash("imagine", prompt="a cathedral", detail=15, images=4)).response()
    (label,) = [each for each in labels(refused) if each.startswith("Generate")]
    gate = system.discord.faults.hold("POST", "callback$")
    await member.click(refused, label=label)
    await gate.wait_hit()
    assert (await system.ledger()).held > 0
    await system.stop_bot(SIGKILL)
    await system.start_bot(**few)
    system.clock.advance(seconds=30)  # an answer may be on its way for 20 seconds
    await poll(system.ledger, until=lambda ledger: not ledger.held)
    assert (await system.ledger()).states == ["failed"]
    system.discord.faults.clear()
    again = await member.click(refused, label=label)
    assert "makes nothing more and charges nothing more" in text(await again.response())
    assert (await system.ledger()).states == ["failed"]
    assert system.reve2img.jobs == []


async def test_declined_confirmation_makes_no_job(system: SystemHarness) -> None:
    """The question disappears; nothing was held."""
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="a cathedral", images=4, detail=2)
    question = await invocation.response()
    await (await member.click(question, label="Cancel")).acknowledged()
    await system.discord.recorder.wait(lambda sent: sent.method == "DELETE")
    assert member.sees() == []
    assert await column(system, "id") == []


async def test_deleted_parent_keeps_children(system: SystemHarness) -> None:
    """A moderator deletes the parent.

    Its message and image go, the child stays and says so.
    """
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    card = await finish_job(system, await member.slash("imagine", prompt="a lighthouse"))
    child = await finish_job(system, await member.click(card, label="Again · 12"))
    asked = await moderator.select(card, ["delete"])
    question = await asked.wait_until(says("Delete this?"))
    await (await moderator.click(question, label="Delete")).acknowledged()
    await asked.wait_until(says("Deleted."))
    assert [each.id for each in member.sees()] == [child.id]
    details = await (await member.select(child, ["details"])).response()
    assert "The same again as a job that was deleted" in text(details)
    assert f"job {(await column(system, 'id'))[1]}" in text(details)
