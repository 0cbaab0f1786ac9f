"""A form that is refused: nothing is lost that was typed into it, on simcord."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from bot.domain.errors import (
    AlreadyBegunError,
    FormGoneError,
    ImageGoneError,
    InputError,
    InsufficientCreditsError,
    JobDeletedError,
    PromptError,
)
from bot.engine.job_store import JobStore
from bot.services.saved_forms import SavedFormService
from db.tables import forms, jobs, pictures
from tests.cogs.bot_harness import STAND_IN, BotHarness, InteractionResult, MemberActor, buttons, private, texts
from tests.cogs.test_edit import fields
from tests.cogs.test_remix import finished, press
from tests.support.image_server import drawn

# Enough for a picture, and not for an edit of it on the same day.
pytestmark = pytest.mark.studio(reve2img=True, allowance=30)
NEXT_DAY = 13 * 3600.0
GONE = "This was deleted, so there is nothing left to work with.\nWhat you typed:"


@pytest.fixture(autouse=True)
def _expected(studio: BotHarness) -> None:
    """Refusals are what this is about."""
    studio.expected = [AlreadyBegunError, FormGoneError, InsufficientCreditsError, JobDeletedError, PromptError]


async def send(who: MemberActor, form: InteractionResult, **values: Any) -> InteractionResult:
    """Send a form with these values, and the rest as it stands there."""
    standing = {field["custom_id"]: _value(field) for field in fields(form).values()}
    return await who.submit_modal(form, standing | values)


async def refused(who: MemberActor, card: InteractionResult, prompt: str, **more: list[str]) -> InteractionResult:
    """Return what a member hears who sends a card's Edit form and cannot pay it."""
    return await send(who, await press(who, card, "Edit"), prompt=prompt, **more)


def heard(result: InteractionResult) -> list[str]:
    """Return the texts of an answer that its member alone sees."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)


def filled(result: InteractionResult) -> dict[str, Any]:
    """Return what stands in a form that was just opened, by its label."""
    return {label: _value(field) for label, field in fields(result).items()}


def _value(field: dict[str, Any]) -> Any:
    if "options" in field:
        return [each["value"] for each in field["options"] if each.get("default")]
    return field.get("value", "")


async def delete(studio: BotHarness) -> None:
    """Let all jobs be deleted."""
    gone = update(jobs).values(deleted_at=studio.clock.now())
    await studio.database.write(lambda connection: connection.execute(gone))


async def test_a_form_that_was_refused_is_opened_again_as_it_was_sent(studio: BotHarness) -> None:
    """Whoever has no credits left presses the button when there are some, also after a restart, and sends it."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    answer = await refused(ann, card, "make it snow\n\nand quiet", model=["seedream-5"])
    (said,) = heard(answer)
    assert said.startswith("This takes 25 credits and you have 18. Nothing was charged.\nYour next allowance is there ")
    assert buttons(answer) == ["Try again"]

    await studio.restart()
    again = await press(ann, answer, "Try again")
    assert filled(again) == {"What to change": "make it snow\n\nand quiet", "Model": ["seedream-5"]}
    once_more = await send(ann, again, prompt="make it night", model=["reve-2.0"])
    assert heard(once_more)[0].startswith("This takes 20 credits and you have 18.")

    studio.clock.advance(NEXT_DAY)
    again = await press(ann, once_more, "Try again")
    assert filled(again) == {"What to change": "make it night", "Model": ["reve-2.0"]}
    made = await send(ann, again, prompt="make it dusk")
    assert "make it dusk" in studio.card(made)[0]
    assert await studio.column("action") == [None, "edit"]


@pytest.mark.studio(reve2img=True, allowance=200)
async def test_too_long_a_prompt_is_there_to_be_shortened(studio: BotHarness) -> None:
    """All of it, whatever it has; what no provider can be sent is left out."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    typed = "``` snow & <b> * 雪 " * 150
    answer = await refused(ann, card, typed, model=["reve-2.0"])
    assert heard(answer)[0].startswith("The prompt has 2,850 characters; this model takes 2,560.")
    assert filled(await press(ann, answer, "Try again"))["What to change"] == typed
    answer = await refused(ann, card, "snow\x00fall")
    assert filled(await press(ann, answer, "Try again"))["What to change"] == "snowfall"


@pytest.mark.parametrize("when", ["before it is sent", "before it is opened again"])
async def test_what_cannot_be_opened_again_is_given_back(studio: BotHarness, when: str) -> None:
    """Where the picture is gone there is no form for it any more, and the text is there to be copied."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    opened = await press(ann, card, "Edit")
    if when == "before it is sent":
        await delete(studio)
        answer = await send(ann, opened, prompt="make it snow")
    else:
        answer = await send(ann, opened, prompt="make it snow")
        await delete(studio)
        answer = await press(ann, answer, "Try again")
    assert heard(answer) == [GONE, "```\nmake it snow\n```"]
    assert buttons(answer) == []


@pytest.mark.parametrize("typed", ["a lot of snow " * 150, "```snow"], ids=["long", "with a fence"])
async def test_what_a_block_does_not_hold_is_given_back_as_a_file(studio: BotHarness, typed: str) -> None:
    """Word for word."""
    ann = studio.member("ann")
    opened = await press(ann, await finished(studio, ann), "Edit")
    await delete(studio)
    answer = await send(ann, opened, prompt=typed)
    assert heard(answer) == [GONE]
    assert answer.response is not None
    (file,) = answer.response.attachments
    assert (file.filename, (await file.read()).decode()) == ("prompt.txt", typed)


async def test_what_cannot_be_kept_is_given_back(studio: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away takes nothing with it."""
    ann = studio.member("ann")
    card = await finished(studio, ann)

    async def away(*_: object) -> str:
        raise ConnectionError

    monkeypatch.setattr(SavedFormService, "keep", away)
    first, text = heard(await refused(ann, card, "make it snow"))
    assert first.startswith("This takes 20 credits and you have 18.")
    assert text == "```\nmake it snow\n```"


async def test_a_form_is_kept_for_a_day(studio: BotHarness) -> None:
    """Then the button says so."""
    ann = studio.member("ann")
    answer = await refused(ann, await finished(studio, ann), "make it snow")
    studio.clock.advance(24 * 3600 + 1)
    assert private(await press(ann, answer, "Try again")) == (
        "What was typed here is kept for a day, and that is over. Nothing was charged.\nOpen the form anew."
    )


@pytest.mark.studio(reve2img=True, allowance=200)
async def test_what_was_sent_twice_needs_no_second_form(studio: BotHarness) -> None:
    """The first one has everything; where a form has no text, choosing again takes a moment."""
    ann = studio.member("ann")
    card = await finished(studio, ann)
    opened = [await press(ann, card, "Edit") for _ in range(2)]
    await send(ann, opened[0], prompt="make it snow")
    said = private(await send(ann, opened[1], prompt="make it snow"))
    assert said == "This has begun already: you pressed twice, and it is made and charged once."
    upscale = await press(ann, card, "Upscale")
    await delete(studio)
    assert private(await send(ann, upscale, factor=["2"])) == GONE.splitlines()[0]


@pytest.mark.studio(reve2img=True, allowance=10)
@pytest.mark.parametrize("chosen", [["0"], ["0", "1"]])
async def test_a_picture_that_can_be_had_no_more_is_not_exchanged_for_another(
    studio: BotHarness, monkeypatch: pytest.MonkeyPatch, chosen: list[str]
) -> None:
    """A form without the picture that was meant would be about the other one, and no menu would even say so."""
    studio.expected += [InputError]
    cdn, hours = studio.env.backend.cdn, iter((1, 24))
    store = cdn.store_attachment

    def stored(number: int, channel: int, filename: str, *rest: Any) -> dict[str, Any]:
        payload: dict[str, Any] = store(number, channel, filename, *rest)
        until = int((studio.clock.now() + timedelta(hours=next(hours))).timestamp())
        url = f"{STAND_IN}/attachments/1/{number}/{filename}?ex={until:x}&is=0&hm=0&"
        return {**payload, "width": 64, "height": 96, "url": url}

    monkeypatch.setattr(cdn, "store_attachment", stored)
    ann = studio.member("ann")
    message = await ann.send(studio.channel, "look", attachments=[("a.png", drawn()), ("b.png", drawn())])
    answer = await send(
        ann, await ann.context_menu(studio.channel, "Edit this image", message), prompt="make it snow", pictures=chosen
    )
    assert heard(answer)[0].startswith("This takes 20 credits and you have 10.")
    assert filled(await press(ann, answer, "Try again"))["Which pictures"] == chosen
    studio.clock.advance(3601)
    said, text = heard(await press(ann, answer, "Try again"))
    assert said.endswith("What you typed:")
    assert text == "```\nmake it snow\n```"


async def test_a_picture_of_a_card_is_not_exchanged_for_another_either(studio: BotHarness) -> None:
    """Of two, one is no longer kept: whoever meant that one is not offered the other without a word."""
    studio.expected += [ImageGoneError]
    ann = studio.member("ann")
    card = await finished(studio, ann, images=2)
    answer = await refused(ann, card, "make it snow", picture=["1"])
    assert filled(await press(ann, answer, "Try again"))["Which picture"] == ["1"]

    def forget(connection: Connection) -> None:
        content = connection.execute(select(forms.c.content)).scalar_one()
        connection.execute(update(forms).values(content=content | {"card": content["card"] | {"urls": {}}}))
        connection.execute(update(pictures).where(pictures.c.position == 1).values(removed_at=studio.clock.now()))

    await studio.database.write(forget)
    said, text = heard(await press(ann, answer, "Try again"))
    assert said.startswith("The studio no longer keeps this picture")
    assert text == "```\nmake it snow\n```"


@pytest.mark.studio(reve2img=True, allowance=200)
async def test_what_has_its_card_is_not_offered_once_more(studio: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the studio stumbles behind the card, the job goes on: a second one would be paid as well."""
    studio.expected += [ValueError]
    ann = studio.member("ann")
    opened = await press(ann, await finished(studio, ann), "Edit")

    async def away(*_: object) -> bool:
        raise ValueError("behind the card")

    monkeypatch.setattr(JobStore, "mark_acknowledged", away)
    made = await send(ann, opened, prompt="make it snow")
    assert "make it snow" in studio.card(made)[0]
    (told,) = made.followups
    assert "Reference: " in told.content
    assert told.components == []
