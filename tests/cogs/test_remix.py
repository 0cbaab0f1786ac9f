"""What people do with a finished card, and what they hear who may not, or press twice, or too late."""

from typing import Any

import pytest
from sqlalchemy import select, update

from bot.domain.errors import AlreadyAskedError
from bot.domain.jobs import State
from db.tables import jobs, movements
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, private, texts


async def finished(studio: BotHarness, who: MemberActor, **options: Any) -> InteractionResult:
    """Return a command's result once its card shows its pictures."""
    card = await studio.imagine(who, **{"prompt": "a fox"} | options)
    await studio.finish(card)
    return card


async def press(who: MemberActor, card: InteractionResult, label: str) -> InteractionResult:
    """Press a button of a card."""
    assert card.response is not None
    return await who.click(card.response, label=label)


async def choose(who: MemberActor, card: InteractionResult, entry: str) -> InteractionResult:
    """Choose from the menu of a card."""
    assert card.response is not None
    return await who.select(card.response, [entry])


def entries(card: InteractionResult) -> list[str]:
    """Return what the menu of a card offers."""
    assert card.response is not None
    (container,) = card.response.components
    return [option["label"] for row in container["components"] for menu in row.get("components", [])
            for option in menu.get("options", [])]  # fmt: skip


def told(result: InteractionResult) -> list[str]:
    """Return the texts of a panel that only whoever pressed sees."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)


async def test_a_studio_from_text_only_offers_what_it_can_do(studio: BotHarness) -> None:
    """Where no provider edits pictures, nothing is offered that could not be done."""
    card = await finished(studio, studio.member("ann"))
    assert buttons(card) == ["Again"]
    assert entries(card) == ["Details", "Delete"]


@pytest.mark.studio(reve2img=True)
async def test_a_studio_that_edits_offers_everything(studio: BotHarness) -> None:
    """What people do most is a button, the rest is in the menu."""
    card = await finished(studio, studio.member("ann"))
    assert buttons(card) == ["Again", "Vary", "Edit", "Upscale"]
    assert entries(card) == ["Cut out", "Use as reference", "Details", "Delete"]


async def test_anybody_makes_the_same_again_with_their_own_credits(studio: BotHarness) -> None:
    """The new card is a message of its own, of whoever pressed; the first one stays as it was."""
    ann, bob = studio.member("ann"), studio.member("bob")
    card = await finished(studio, ann, images=2)
    before = studio.card(card)
    again = await press(bob, card, "Again")
    assert studio.card(again)[0].splitlines()[1] == f"-# reve-2.0 · 1:1 · 2 pictures · for <@{bob.id}>"
    await studio.reaches(State.DONE, State.QUEUED)
    studio.server.finish()
    await studio.polls_until(lambda: "left today" in studio.card(again)[-1])
    assert "24 credits · 176 left today" in studio.card(again)[-1]
    assert studio.card(card) == before
    assert await studio.column("member_id") == [ann.id, bob.id]


async def test_pressed_twice(studio: BotHarness) -> None:
    """One job is made, and the press that was one too many hears so, in private."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    await press(ann, card, "Again")
    words = "This has begun already: you pressed twice, and it is made and charged once."
    assert private(await press(ann, card, "Again")) == words
    assert len(await studio.column("id")) == 2


async def test_pressed_twice_above_ones_own_threshold(studio: BotHarness) -> None:
    """One question is asked, and the press that was one too many hears so, in private; so does a command sent twice."""
    studio.expected = [AlreadyAskedError]
    ann = studio.member("ann")
    card = await finished(studio, ann)
    await ann.slash(studio.channel, "settings set", ask_over=0)
    words = "You have been asked about this already: this came twice. Answer that question to make it, once."
    asked = await press(ann, card, "Again")
    assert buttons(asked) == ["Make it · 12 credits", "Leave it"]
    assert private(await press(ann, card, "Again")) == words
    assert buttons(await studio.imagine(ann, prompt="a boat")) == ["Make it · 12 credits", "Leave it"]
    assert private(await studio.imagine(ann, prompt="a boat")) == words
    await press(ann, asked, "Make it · 12 credits")
    assert len(await studio.column("id")) == 2


async def test_it_works_after_a_restart(studio: BotHarness) -> None:
    """A menu of an earlier process is answered by the next one."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    await studio.restart()
    assert told(await choose(ann, card, "details"))[0] == "## Details"


async def test_details(studio: BotHarness) -> None:
    """Its member sees every option, the times, the price and the ids; others see how it was made."""
    ann = studio.member("ann")
    card = await finished(studio, ann, aspect_ratio="16:9")
    await studio.reaches(State.DONE)
    (job_id,) = await studio.column("id")
    heading, prompt, options, story, ids = told(await choose(ann, card, "details"))
    assert heading == "## Details"
    assert "a fox" in prompt
    assert options == "`model` reve-2.0 · `aspect_ratio` 16:9 · `images` 1 · `detail` 1 · `format` png"
    assert "12 credits charged" in story
    assert f"job {job_id}" in ids
    assert "provider skillboss, attempt 1 (completed)" in ids
    others = told(await choose(studio.member("bob"), card, "details"))
    assert len(others) == 4
    assert "credits" not in "".join(others)


async def test_a_long_prompt_comes_as_a_file(studio: BotHarness) -> None:
    """The whole of it, word for word."""
    ann = studio.member("ann")
    prompt = "a fox in the snow under a tree, " * 70
    details = await choose(ann, await finished(studio, ann, prompt=prompt), "details")
    assert details.response is not None
    (file,) = details.response.attachments
    assert (await file.read()).decode() == prompt


async def test_delete_asks_once_and_is_for_its_member_and_moderators(studio: BotHarness) -> None:
    """A stranger hears who may; its member is told what is lost, and then the card is gone. Nothing is paid back."""
    ann, bob = studio.member("ann"), studio.member("bob")
    card = await finished(studio, ann)
    assert private(await choose(bob, card, "delete")) == "Only its member or a moderator can do that."
    asked = await choose(ann, card, "delete")
    assert "Its pictures go for good" in told(asked)[1]
    assert buttons(asked) == ["Delete"]
    assert len(studio.channel.history()) >= 1
    assert asked.response is not None
    await ann.click(asked.response, label="Delete")
    assert card.response is None
    assert told(asked) == ["Deleted."]
    kinds = await studio.database.read(lambda connection: connection.execute(select(movements.c.kind)).scalars().all())
    assert "capture" in kinds
    assert await studio.column("charged") == [12]


async def test_a_delete_that_comes_too_late_deletes_nothing(studio: BotHarness) -> None:
    """Where Discord has given up waiting for the answer: not the records alone, with the card left as it is."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    asked = await choose(ann, card, "delete")
    assert asked.response is not None
    studio.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062)
    await ann.click(asked.response, label="Delete")
    assert await studio.column("deleted_at") == [None]
    await ann.click(asked.response, label="Delete")
    assert card.response is None
    assert told(asked) == ["Deleted."]


async def test_a_button_of_a_deleted_job_says_so(studio: BotHarness) -> None:
    """Where the message could not be taken away, its buttons say that there is nothing left."""
    ann = studio.member("ann")
    card = await finished(studio, ann, prompt="a fox in the snow under a tree, " * 7)
    gone = update(jobs).values(deleted_at=studio.clock.now())
    await studio.database.write(lambda connection: connection.execute(gone))
    deleted = "This was deleted, so there is nothing left to work with."
    assert private(await press(ann, card, "Again")) == deleted
    assert private(await choose(ann, card, "details")) == deleted


@pytest.mark.parametrize(("label", "state"), [("Again", "running")])
async def test_a_button_pressed_while_the_job_runs(studio: BotHarness, label: str, state: str) -> None:
    """A card that is shown as ended by a process that was overtaken cannot begin anything."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    back = update(jobs).values(state=state)
    await studio.database.write(lambda connection: connection.execute(back))
    words = "This is still being made. Nothing was charged.\nPress again once it is finished."
    assert private(await press(ann, card, label)) == words
    done = update(jobs).values(state="done")
    await studio.database.write(lambda connection: connection.execute(done))


async def test_a_failed_card_offers_the_same_again(studio: BotHarness) -> None:
    """One press mends it; what was refused for its words has to be worded differently first."""
    ann = studio.member("ann")
    card = await studio.imagine(ann, prompt="a fox")
    await studio.reaches(State.QUEUED)
    await press(ann, card, "Cancel")
    await studio.until(lambda: studio.card(card)[-1].startswith("Cancelled."))
    assert buttons(card) == ["Again"]
    again = await press(ann, card, "Again")
    assert "In line" in studio.card(again)[-1]
