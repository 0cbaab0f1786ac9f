"""Rejected modals keep everything typed, on simcord."""

from dataclasses import replace
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
from bot.domain.jobs import Origin
from bot.domain.requests import GenerationRequest
from bot.engine.card_store import CardStore
from bot.services.remix import RemixService
from bot.services.saved_forms import SavedFormService
from db.tables import forms, jobs, pictures
from tests.cogs.bot_harness import STAND_IN, BotHarness, InteractionResult, MemberActor, buttons, private, texts
from tests.cogs.test_edit import fields
from tests.cogs.test_remix import finished, press
from tests.support.catalogue import overwrite_models
from tests.support.image_server import drawn

# Enough for a picture, and not for an edit of it on the same day.
pytestmark = pytest.mark.bot(reve2img=True, allowance=30)
NEXT_DAY = 13 * 3600.0
GONE = "This was deleted, so there is nothing left to work with.\nWhat you typed:"


@pytest.fixture(autouse=True)
def _expected(bot: BotHarness) -> None:
    """Expect refusals in these tests."""
    bot.expected = [AlreadyBegunError, FormGoneError, InsufficientCreditsError, JobDeletedError, PromptError]


async def send(who: MemberActor, form: InteractionResult, **values: Any) -> InteractionResult:
    """Send a form with these values and its defaults."""
    standing = {field["custom_id"]: _value(field) for field in fields(form).values()}
    return await who.submit_modal(form, standing | values)


async def refused(who: MemberActor, card: InteractionResult, prompt: str, **more: list[str]) -> InteractionResult:
    """Send a card's Edit form without enough credits; return the answer."""
    return await send(who, await press(who, card, "Edit"), prompt=prompt, **more)


def heard(result: InteractionResult) -> list[str]:
    """Return the texts of an ephemeral answer."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)


def filled(result: InteractionResult) -> dict[str, Any]:
    """Return the values of a just opened form by label."""
    return {label: _value(field) for label, field in fields(result).items()}


def _value(field: dict[str, Any]) -> Any:
    if "options" in field:
        return [each["value"] for each in field["options"] if each.get("default")]
    return field.get("value", "")


async def delete(bot: BotHarness) -> None:
    """Delete all jobs."""
    gone = update(jobs).values(deleted_at=bot.clock.now())
    await bot.database.write(lambda connection: connection.execute(gone))


async def test_rejected_form_reopens_as_sent(bot: BotHarness) -> None:
    """The button works once there are credits, also after a restart."""
    member = bot.member("member")
    card = await finished(bot, member)
    answer = await refused(member, card, "make it snow\n\nand quiet", model=["seedream-5"])
    (said,) = heard(answer)
    assert said.startswith("This takes 25 credits and you have 18.\nYour allowance resets ")
    assert buttons(answer) == ["Try again"]

    await bot.restart()
    again = await press(member, answer, "Try again")
    assert filled(again) == {"What to change": "make it snow\n\nand quiet", "Model": ["seedream-5"]}
    once_more = await send(member, again, prompt="make it night", model=["reve-2.0"])
    assert heard(once_more)[0].startswith("This takes 20 credits and you have 18.")

    bot.clock.advance(NEXT_DAY)
    again = await press(member, once_more, "Try again")
    assert filled(again) == {"What to change": "make it night", "Model": ["reve-2.0"]}
    made = await send(member, again, prompt="make it dusk")
    assert "make it dusk" in bot.card(made)[0]
    assert await bot.column("action") == [None, "edit"]


@pytest.mark.bot(reve2img=True, allowance=200)
async def test_too_long_prompt_reopens_complete(bot: BotHarness) -> None:
    """Without characters refused by every provider."""
    member = bot.member("member")
    card = await finished(bot, member)
    typed = "``` snow & <b> * 雪 " * 150
    answer = await refused(member, card, typed, model=["reve-2.0"])
    assert heard(answer)[0].startswith("The prompt has 2,850 characters; this model takes 2,560.")
    assert filled(await press(member, answer, "Try again"))["What to change"] == typed
    answer = await refused(member, card, "snow\x00fall")
    assert filled(await press(member, answer, "Try again"))["What to change"] == "snowfall"


@pytest.mark.parametrize("when", ["before it is sent", "before it is opened again"])
async def test_form_for_missing_image_returns_text(bot: BotHarness, when: str) -> None:
    """The image is gone, so the answer has the text to copy."""
    member = bot.member("member")
    card = await finished(bot, member)
    opened = await press(member, card, "Edit")
    if when == "before it is sent":
        await delete(bot)
        answer = await send(member, opened, prompt="make it snow")
    else:
        answer = await send(member, opened, prompt="make it snow")
        await delete(bot)
        answer = await press(member, answer, "Try again")
    assert heard(answer) == [GONE, "```\nmake it snow\n```"]
    assert buttons(answer) == []


@pytest.mark.parametrize("typed", ["a lot of snow " * 150, "```snow"], ids=["long", "with a fence"])
async def test_text_unfit_for_code_block_is_returned_as_file(bot: BotHarness, typed: str) -> None:
    member = bot.member("member")
    opened = await press(member, await finished(bot, member), "Edit")
    await delete(bot)
    answer = await send(member, opened, prompt=typed)
    assert heard(answer) == [GONE]
    assert answer.response is not None
    (file,) = answer.response.attachments
    assert (file.filename, (await file.read()).decode()) == ("prompt.txt", typed)


async def test_unsaved_form_returns_text(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away."""
    member = bot.member("member")
    card = await finished(bot, member)

    async def away(*_: object) -> str:
        raise ConnectionError

    monkeypatch.setattr(SavedFormService, "keep", away)
    first, text = heard(await refused(member, card, "make it snow"))
    assert first.startswith("This takes 20 credits and you have 18.")
    assert text == "```\nmake it snow\n```"


async def test_saved_form_expires_after_a_day(bot: BotHarness) -> None:
    member = bot.member("member")
    answer = await refused(member, await finished(bot, member), "make it snow")
    bot.clock.advance(24 * 3600 + 1)
    assert private(await press(member, answer, "Try again")) == (
        "What you typed here was kept for a day, which is over.\nOpen the form again."
    )


@pytest.mark.bot(reve2img=True, allowance=200)
async def test_duplicate_submission_saves_no_second_form(bot: BotHarness) -> None:
    """The first form has everything; a form without text needs no saving."""
    member = bot.member("member")
    card = await finished(bot, member)
    opened = [await press(member, card, "Edit") for _ in range(2)]
    await send(member, opened[0], prompt="make it snow")
    said = private(await send(member, opened[1], prompt="make it snow"))
    assert said == "This has begun already: you pressed twice, and it is made and charged once."
    upscale = await press(member, card, "Upscale")
    await delete(bot)
    assert private(await send(member, upscale, factor=["2"])) == GONE.splitlines()[0]


@pytest.mark.bot(reve2img=True, allowance=10)
@pytest.mark.parametrize("chosen", [["0"], ["0", "1"]])
async def test_reopened_form_never_swaps_missing_image(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch, chosen: list[str]
) -> None:
    bot.expected += [InputError]
    cdn, hours = bot.env.backend.cdn, iter((1, 24))
    store = cdn.store_attachment

    def stored(number: int, channel: int, filename: str, *rest: Any) -> dict[str, Any]:
        payload: dict[str, Any] = store(number, channel, filename, *rest)
        until = int((bot.clock.now() + timedelta(hours=next(hours))).timestamp())
        url = f"{STAND_IN}/attachments/1/{number}/{filename}?ex={until:x}&is=0&hm=0&"
        return {**payload, "width": 64, "height": 96, "url": url}

    monkeypatch.setattr(cdn, "store_attachment", stored)
    member = bot.member("member")
    message = await member.send(bot.channel, "look", attachments=[("a.png", drawn()), ("b.png", drawn())])
    answer = await send(
        member,
        await member.context_menu(bot.channel, "Edit this image", message),
        prompt="make it snow",
        pictures=chosen,
    )
    assert heard(answer)[0].startswith("This costs 20 credits. Your allowance is 10 a day,")
    assert filled(await press(member, answer, "Try again"))["Which pictures"] == chosen
    bot.clock.advance(3601)
    said, text = heard(await press(member, answer, "Try again"))
    assert said.endswith("What you typed:")
    assert text == "```\nmake it snow\n```"


async def test_reopened_card_form_never_swaps_missing_image(bot: BotHarness) -> None:
    """One of two images was removed; the other is not offered in its place."""
    bot.expected += [ImageGoneError]
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    answer = await refused(member, card, "make it snow", picture=["1"])
    assert filled(await press(member, answer, "Try again"))["Which picture"] == ["1"]

    def forget(connection: Connection) -> None:
        content = connection.execute(select(forms.c.content)).scalar_one()
        connection.execute(update(forms).values(content=content | {"card": content["card"] | {"urls": {}}}))
        connection.execute(update(pictures).where(pictures.c.position == 1).values(removed_at=bot.clock.now()))

    await bot.database.write(forget)
    said, text = heard(await press(member, answer, "Try again"))
    assert said.startswith("The studio no longer keeps this picture")
    assert text == "```\nmake it snow\n```"


@pytest.mark.bot(reve2img=True, allowance=200)
async def test_form_with_existing_card_offers_no_retry(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure behind the card the job continues.

    A second one would be charged.
    """
    bot.expected += [ValueError]
    member = bot.member("member")
    opened = await press(member, await finished(bot, member), "Edit")

    async def away(*_: object, **__: object) -> bool:
        raise ValueError("behind the card")

    monkeypatch.setattr(CardStore, "mark_acknowledged", away)
    made = await send(member, opened, prompt="make it snow")
    assert "make it snow" in bot.card(made)[0]
    (told,) = made.followups
    assert "Reference: " in told.content
    assert told.components == []


async def test_form_counter_is_largest_prompt_limit_of_its_models(bot: BotHarness) -> None:
    """A longer text, saved before, keeps its room."""
    shorter = {"reve-2.0": 900, "nano-banana-pro": 700, "seedream-5": 800}
    overwrite_models(bot.catalogue, max_prompt=lambda model: shorter.get(model.id, model.max_prompt))
    member = bot.member("member")
    card = await finished(bot, member)
    opened = await press(member, card, "Edit")
    assert fields(opened)["What to change"]["max_length"] == 900
    typed = "a lot of snow " * 70
    answer = await send(member, opened, prompt=typed[:900], model=["seedream-5"])
    assert heard(answer)[0].startswith("The prompt has 900 characters; this model takes 800.")
    overwrite_models(bot.catalogue, max_prompt=lambda _: 500)
    again = await press(member, answer, "Try again")
    assert fields(again)["What to change"]["max_length"] == 900


@pytest.mark.bot(reve2img=True, allowance=100)
async def test_rejected_form_offers_what_fits(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the form itself, with its origin."""
    member = bot.member("member")
    card = await finished(bot, member, images=4)
    build = RemixService.build_request

    def several(self: RemixService, *about: Any) -> tuple[GenerationRequest, Origin]:
        request, origin = build(self, *about)
        return replace(request, images=4), origin

    monkeypatch.setattr(RemixService, "build_request", several)
    answer = await refused(member, card, "make it snow", model=["seedream-5"])
    assert heard(answer)[0].startswith("This takes 100 credits and you have 52.\n")
    assert buttons(answer) == ["Generate 2 pictures · 50 credits", "Try again"]
    made = await press(member, answer, "Generate 2 pictures · 50 credits")
    assert "make it snow" in bot.card(made)[0]
    assert await bot.column("action") == [None, "edit"]
