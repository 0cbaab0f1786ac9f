"""*Before and after* on an edit's card, for its member and for others."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from db.database import Database
from db.tables import inputs, jobs, pictures
from sandbox.discord import Actor, Message, text
from tests.end_to_end.editing_member import png
from tests.end_to_end.system_harness import SystemHarness, has_images, says
from tests.end_to_end.test_remix import finish_job, settings
from tests.support.image_server import drawn

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SystemHarness]:
    """Yield a running bot with images reachable for the image API."""
    system = SystemHarness(tmp_path_factory.mktemp("system"))
    try:
        await system.start(**settings(system) | {"DEFAULT_ALLOWANCE": "10000"})
        yield system
    finally:
        await system.close()


async def compare(who: Actor, card: Message) -> Message:
    """Return the answer to *Before and after*."""
    answer = await (await who.select(card, ["compare"])).wait_until(says("Before and after"))
    assert answer.ephemeral
    return answer


def described(message: Message) -> list[str]:
    """Return the alternative texts of a message's pictures."""
    galleries = [each for each in message.components[0]["components"] if each["type"] == 12]
    return [item["description"] for gallery in galleries for item in gallery["items"]]


async def change(system: SystemHarness, statement: object) -> None:
    """Execute a statement in the bot's database."""
    database = await Database.open(system.database_url)
    try:
        await database.write(lambda connection: connection.execute(statement))  # type: ignore[call-overload]
    finally:
        await database.close()


async def test_variation_shows_both_pictures_to_anybody(system: SystemHarness) -> None:
    member, other = system.discord.actor("member"), system.discord.actor("moderator")
    card = await finish_job(system, await member.slash("imagine", prompt="a lighthouse"))
    child = await finish_job(system, await member.submit_modal(await member.click(card, label="Vary · 20"), {}))
    for who in (member, other):
        answer = await compare(who, child)
        assert described(answer) == ["Before", "After"]
        assert await system.pictures(answer) == await system.pictures(card) + await system.pictures(child)
        assert "The first picture is the one before." in text(answer)


async def test_upload_is_shown_to_its_member_only(system: SystemHarness) -> None:
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    message = await member.say("look", png(drawn()))
    opened = await member.context_menu("Edit this image", message)
    card = await finish_job(system, await member.submit_modal(opened, {"prompt": "make it snow"}))
    assert described(await compare(member, card)) == ["Before", "After"]
    refused = await compare(moderator, card)
    assert described(refused) == ["After"]
    assert "The picture before is for its member only." in text(refused)


async def test_private_picture_stays_private_behind_public_edit(system: SystemHarness) -> None:
    member, moderator = system.discord.actor("member"), system.discord.actor("moderator")
    card = await finish_job(system, await member.slash("imagine", prompt="a secret", private=True))
    child = await finish_job(system, await member.submit_modal(await member.click(card, label="Vary · 20"), {}))
    assert child.ephemeral
    question = await (await member.select(child, ["publish"])).response()
    published = await member.click(question, label="Make public")
    await published.wait_until(says("Everyone in the channel"))
    public = moderator.sees()[-1]
    assert has_images(public)
    refused = await compare(moderator, public)
    assert described(refused) == ["After"]
    assert "The picture before is for its member only." in text(refused)
    assert described(await compare(member, public)) == ["Before", "After"]


async def test_picture_of_the_parent_replaces_removed_input(system: SystemHarness) -> None:
    """And once both are gone, the answer says so."""
    member = system.discord.actor("member")
    card = await finish_job(system, await member.slash("imagine", prompt="a harbour"))
    child = await finish_job(system, await member.submit_modal(await member.click(card, label="Vary · 20"), {}))
    await change(system, update(inputs).values(removed_at=datetime.now(UTC)))
    assert described(await compare(member, child)) == ["Before", "After"]
    parent = select(jobs.c.id).where(jobs.c.prompt == "a harbour", jobs.c.parent_id.is_(None)).scalar_subquery()
    await change(system, update(pictures).where(pictures.c.job_id == parent).values(removed_at=datetime.now(UTC)))
    answer = await compare(member, child)
    assert described(answer) == ["After"]
    assert "The picture before is no longer kept." in text(answer)


async def test_deleted_parent_is_shown_to_nobody(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await finish_job(system, await member.slash("imagine", prompt="a mistake"))
    child = await finish_job(system, await member.submit_modal(await member.click(card, label="Vary · 20"), {}))
    question = await (await member.select(card, ["delete"])).wait_until(says("Delete this?"))
    deletion = await member.click(question, label="Delete")
    await deletion.wait_until(says("Deleted."))
    answer = await compare(member, child)
    assert described(answer) == ["After"]
    assert "The picture before is no longer kept." in text(answer)


async def test_text_only_job_has_no_comparison(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    card = await finish_job(system, await member.slash("imagine", prompt="a plain fox"))
    offered = [each["value"] for each in card.components[0]["components"][-1]["components"][0]["options"]]
    assert "compare" not in offered
