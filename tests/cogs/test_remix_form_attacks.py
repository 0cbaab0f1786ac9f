"""Edited forms with forged values, changed prices or lost models."""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, select, update

from bot.domain.errors import (
    InsufficientCreditsError,
    JobDeletedError,
    NotAllowedError,
    NotOfferedError,
    UnsupportedOptionError,
)
from bot.domain.jobs import State
from db.tables import inputs, jobs, pictures
from tests.cogs.bot_harness import BotHarness, InteractionResult, buttons, private
from tests.cogs.test_edit import describe_attachments, fields
from tests.cogs.test_form_errors import delete as delete_jobs
from tests.cogs.test_form_errors import filled, heard, send
from tests.cogs.test_remix import choose, finished, press
from tests.cogs.test_remix_forms import remixing

pytestmark = pytest.mark.bot(reve2img=True)


@pytest.fixture(autouse=True)
def _expected(bot: BotHarness) -> None:
    """Expect refusals in these tests."""
    bot.expected = [
        InsufficientCreditsError,
        JobDeletedError,
        NotAllowedError,
        NotOfferedError,
        UnsupportedOptionError,
    ]


async def become(bot: BotHarness, **columns: Any) -> None:
    """Change the only job."""
    await bot.database.write(partial(Connection.execute, statement=update(jobs).values(columns)))


def models(form: InteractionResult) -> dict[str, str]:
    """Return the labels of a form's models."""
    return {each["value"]: each["label"] for each in fields(form)["Model"]["options"]}


def titles(*forms: InteractionResult) -> list[str]:
    """Return the titles of forms."""
    return [form.modal["title"] for form in forms if form.modal is not None]


def forge(form: InteractionResult, field: str, value: str) -> None:
    """Let a form offer a value that it does not have."""
    modal = form._interaction.modal
    assert modal is not None
    (menu,) = [each["component"] for each in modal["components"] if each["component"]["custom_id"] == field]
    menu["options"].append({"label": value, "value": value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "no-model"),
        ("aspect_ratio", "banana"),
        ("images", "9"),
        ("images", "-1"),
        ("picture", "7"),
    ],
)
async def test_forged_value_makes_nothing(bot: BotHarness, field: str, value: str) -> None:
    member = bot.member("member")
    form = await choose(member, await finished(bot, member, images=2), "vary")
    forge(form, field, value)
    answer = await send(member, form, prompt="a hare", **{field: [value]})
    assert heard(answer)[0].startswith("This choice is not offered here.")
    again = await press(member, answer, "Try again")
    assert filled(again)["Prompt"] == "a hare"
    assert len(await bot.column("id")) == 1


@pytest.mark.parametrize("level", ["0", "-1", "16", "banana"])
async def test_forged_detail_makes_nothing(bot: BotHarness, level: str) -> None:
    member = bot.member("member")
    form = await choose(member, await finished(bot, member), "again")
    forge(form, "detail", level)
    assert buttons(await send(member, form, detail=[level])) == ["Try again"]
    assert len(await bot.column("id")) == 1


async def test_forged_form_about_another_members_private_job_is_refused(bot: BotHarness) -> None:
    member, other = bot.member("member"), bot.member("other")
    await finished(bot, member, prompt="a secret", private=True)
    (secret,) = await bot.column("id")
    card = await bot.imagine(other, prompt="a fox")
    await press(other, card, "Cancel")
    await bot.until(lambda: bot.card(card)[-1].startswith("Cancelled."))
    form = await choose(other, card, "again")
    modal = form._interaction.modal
    assert modal is not None
    parts = modal["custom_id"].split(":")
    modal["custom_id"] = ":".join([*parts[:2], secret, *parts[3:]])
    answer = await send(other, form, prompt="an owl")
    assert "an owl" in "".join(heard(answer))
    assert "secret" not in "".join(heard(answer))
    assert len(await bot.column("id")) == 2


async def test_same_form_sent_twice_makes_one_job(bot: BotHarness) -> None:
    """From two devices."""
    member = bot.member("member")
    card = await finished(bot, member)
    forms = [await choose(member, card, "again") for _ in range(2)]
    await send(member, forms[0], prompt="an owl")
    said = private(await send(member, forms[1], prompt="an owl"))
    assert said == "This has begun already: you pressed twice, and it is made and charged once."
    assert await bot.column("price") == [12, 12]


async def test_form_of_other_member_is_charged_to_them(bot: BotHarness) -> None:
    member, other = bot.member("member"), bot.member("other")
    card = await finished(bot, member, images=2)
    await send(other, await choose(other, card, "vary"), picture=["1"], prompt="a hare")
    assert await bot.column("member_id") == [member.id, other.id]
    assert await bot.column("price") == [24, 20]


@pytest.mark.bot(reve2img=True, allowance=60)
async def test_refused_form_about_one_picture_keeps_its_detail(bot: BotHarness) -> None:
    """It is still about that picture."""
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    await remixing(bot, member)
    poor = await send(member, await press(member, card, "V2"), prompt="a hare", detail=["2"])
    assert heard(poor)[0].startswith("This takes 40 credits and you have 36.")
    again = await press(member, poor, "Try again")
    assert filled(again)["Detail"] == ["2"]
    assert "Which picture" not in fields(again)
    await send(member, again, detail=["1"])
    assert await bot.column("parent_picture") == [None, 1]
    assert await bot.column("price") == [24, 20]


@pytest.mark.bot
async def test_form_of_model_that_is_gone_makes_what_it_shows(bot: BotHarness) -> None:
    """The studio has one model left, so the form does not ask."""
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    await become(bot, model="nano-banana")
    form = await choose(member, card, "again")
    assert form.modal is not None
    said = [each.get("content") or each.get("description") for each in form.modal["components"]]
    assert "-# reve-2.0 · 12 credits each" in said
    assert "Without a change: 24 credits" in said
    await send(member, form, prompt="an owl")
    assert await bot.column("model") == ["nano-banana", "reve-2.0"]
    assert await bot.column("price") == [24, 24]


@pytest.mark.bot(reve2img=True, allowance=1000)
async def test_form_prices_levels_of_detail_at_models_that_have_them(bot: BotHarness) -> None:
    """A model without them drops them, at its own price."""
    member = bot.member("member")
    card = await finished(bot, member)
    await become(bot, options={"aspect_ratio": "1:1", "images": 1, "detail": 3, "format": "png", "resolution": None})
    again = models(await choose(member, card, "again"))
    assert again["reve-2.0"] == "reve-2.0 · 36 credits each"
    assert again["nano-banana"] == "nano-banana · 20 credits each"
    form = await choose(member, card, "vary")
    assert models(form)["reve-2.0"] == "reve-2.0 · 60 credits each"
    assert models(form)["nano-banana-pro"] == "nano-banana-pro · 70 credits each"
    asked = await send(member, form, model=["nano-banana-pro"])
    assert bot.card(asked)[-1] == "This takes 70 credits."
    await press(member, asked, "Generate")
    assert await bot.column("price") == [12, 70]


@pytest.mark.bot(reve2img=True, allowance=1000)
async def test_vary_form_of_long_prompt_has_model_that_takes_it(bot: BotHarness) -> None:
    """As the press without a form, at the same price."""
    member = bot.member("member")
    card = await finished(bot, member)
    await become(bot, model="nano-banana", prompt="x" * 3000)
    form = await choose(member, card, "vary")
    assert filled(form)["Model"] == ["nano-banana-pro"]
    asked = await send(member, form)
    assert bot.card(asked)[-1] == "This takes 70 credits."
    await press(member, asked, "Generate")
    assert await bot.column("model") == ["nano-banana", "nano-banana-pro"]
    assert await bot.column("price") == [12, 70]


@pytest.mark.bot(reve2img=True, allowance=1000)
async def test_form_of_untypable_prompt_has_models_that_take_it(bot: BotHarness) -> None:
    """Nobody could shorten it for another one."""
    member = bot.member("member")
    card = await finished(bot, member)
    await become(bot, model="nano-banana", prompt="🦊" * 3000)
    assert "reve-2.0" not in models(await choose(member, card, "again"))
    assert list(models(await choose(member, card, "vary"))) == ["nano-banana-pro", "seedream-5"]


async def test_form_without_text_about_deleted_job_quotes_nothing(bot: BotHarness) -> None:
    member = bot.member("member")
    form = await choose(member, await finished(bot, member, prompt="🦊" * 2400), "again")
    await delete_jobs(bot)
    assert private(await send(member, form)) == "This was deleted, so there is nothing left to work with."


async def input_names(bot: BotHarness) -> list[str]:
    """Return the file names of all inputs, oldest first."""
    urls = await bot.database.read(
        lambda connection: connection.execute(select(inputs.c.url).order_by(inputs.c.job_id)).scalars().all()
    )
    return [urlsplit(each or "").path.rsplit("/", 1)[-1] for each in urls]


@pytest.mark.bot(reve2img=True, allowance=1000)
async def test_presses_after_retention_start_from_picture_on_card(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a form opened before a restart, and in a reopened one."""
    describe_attachments(bot, monkeypatch)
    member, other = bot.member("member"), bot.member("other")
    card = await finished(bot, member, images=3)
    await bot.reaches(State.DONE)
    assert card.response is not None
    names = [each.filename for each in card.response.attachments]
    assert len(set(names)) == 3
    await remixing(bot, other)
    form = await press(other, card, "V3")
    await bot.database.write(partial(Connection.execute, statement=update(pictures).values(removed_at=bot.clock.now())))
    await bot.restart()
    await press(member, card, "V2")
    await press(member, card, "U1")
    refused = await send(other, form, prompt="a hare", aspect_ratio=["auto"], model=["seedream-5"])
    again = await press(other, refused, "Try again")
    assert titles(form, again) == ["Vary picture 3, edited"] * 2
    await send(other, again, aspect_ratio=["3:2"])
    assert await input_names(bot) == [names[1], names[0], names[2]]
    assert await bot.column("parent_picture") == [None, 1, 0, 2]
    assert await bot.column("price") == [36, 20, 26, 25]


async def test_what_is_made_from_private_card_is_private(bot: BotHarness) -> None:
    """At once and by a form; both can be asked about in private, too."""
    member = bot.member("member")
    card = await finished(bot, member, images=2, private=True)
    made = [
        await press(member, card, "V2"),
        await send(member, await choose(member, card, "vary"), prompt="a hare"),
        await send(member, await choose(member, card, "again"), prompt="an owl"),
        await send(member, await choose(member, card, "again"), detail=["2"]),
    ]
    assert [each.response is not None and each.response.ephemeral for each in made] == [True] * 4
    assert await bot.column("private") == [True] * 4
