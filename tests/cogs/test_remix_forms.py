"""Again and Vary with the request open for changes, on simcord."""

from functools import partial

import pytest
from sqlalchemy import Connection, delete

from bot.domain.errors import (
    ImageGoneError,
    InsufficientCreditsError,
    JobDeletedError,
    PromptError,
    UnsupportedOptionError,
)
from bot.domain.jobs import State
from bot.services import confirmations as confirmations_service
from bot.services import jobs as jobs_service
from bot.ui.handlers import job_requests, remix_forms
from db.tables import pictures
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons
from tests.cogs.test_edit import fields
from tests.cogs.test_form_errors import delete as delete_jobs
from tests.cogs.test_form_errors import filled, heard, send
from tests.cogs.test_remix import choose, finished, press
from tests.support.catalogue import unit_price

pytestmark = pytest.mark.bot(reve2img=True)


@pytest.fixture(autouse=True)
def _expected(bot: BotHarness) -> None:
    """Expect refusals in these tests."""
    bot.expected = [ImageGoneError, InsufficientCreditsError, JobDeletedError, PromptError, UnsupportedOptionError]


async def remixing(bot: BotHarness, who: MemberActor) -> None:
    """Let a member change requests before Again and Vary."""
    await who.slash(bot.channel, "settings set", remix=True)


async def test_again_form_has_request_and_prices(bot: BotHarness) -> None:
    member = bot.member("member")
    form = await choose(member, await finished(bot, member, aspect_ratio="16:9", images=2), "again")
    assert filled(form) == {
        "Prompt": "a fox",
        "Model": ["reve-2.0"],
        "Aspect ratio": ["16:9"],
        "How many": ["2"],
        "Detail": ["1"],
    }
    models = [each["label"] for each in fields(form)["Model"]["options"]]
    assert models[:2] == ["reve-2.0 · 12 credits each", "nano-banana · 20 credits each"]
    assert form.modal is not None
    described = {each["label"]: each.get("description") for each in form.modal["components"]}
    assert described["How many"] == "Without a change: 24 credits"


async def test_unchanged_form_makes_same_request(bot: BotHarness) -> None:
    """After a restart, and without an answer to any field, too."""
    member = bot.member("member")
    card = await finished(bot, member, prompt="a fox\n\n in snow", aspect_ratio="16:9", format="webp")
    form = await choose(member, card, "again")
    await bot.restart()
    made = await send(member, form)
    assert bot.card(made)[0] == bot.card(card)[0]
    (first, second) = await bot.column("options")
    assert first == second
    assert await bot.column("prompt") == ["a fox\n\n in snow"] * 2
    assert await bot.column("price") == [12, 12]
    assert await bot.column("action") == [None, "again"]


async def test_changes_are_made_and_other_options_kept(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member, format="webp", aspect_ratio="16:9")
    form = await choose(member, card, "again")
    made = await send(member, form, prompt="an owl", model=["nano-banana"], images=["2"], aspect_ratio=["3:2"])
    assert " nano-banana · 3:2 · 2 pictures · webp · " in bot.card(made)[0]
    assert await bot.column("prompt") == ["a fox", "an owl"]
    assert await bot.column("price") == [12, 40]


async def test_choice_above_shown_price_is_asked(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """More detail, or a price raised meanwhile."""
    member = bot.member("member")
    card = await finished(bot, member)
    asked = await send(member, await choose(member, card, "again"), detail=["3"])
    assert buttons(asked) == ["Generate · 36 credits", "Cancel"]
    assert bot.card(asked)[-1] == "This takes 36 credits."
    form = await choose(member, card, "again")
    for module in (jobs_service, confirmations_service, job_requests, remix_forms):
        usual = module.price
        monkeypatch.setattr(module, "price", lambda request, catalogue, usual=usual: usual(request, catalogue) + 1)
    monkeypatch.setattr(remix_forms, "unit_price", lambda request, catalogue: unit_price(request, catalogue) + 1)
    asked = await send(member, form, prompt="an owl")
    assert bot.card(asked)[-1].startswith("The price has changed since it was shown.")
    assert len(await bot.column("id")) == 1


@pytest.mark.bot(reve2img=True, allowance=60)
async def test_refused_form_reopens_as_sent(bot: BotHarness) -> None:
    """With each choice, also after a restart."""
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    sent = {"prompt": "an owl\n", "model": ["nano-banana"], "detail": ["2"], "images": ["1"], "aspect_ratio": ["4:3"]}
    answer = await send(member, await choose(member, card, "again"), **sent)
    assert "nano-banana" in heard(answer)[0]
    assert buttons(answer) == ["Try again"]
    await bot.restart()
    again = await press(member, answer, "Try again")
    assert list(filled(again).values()) == ["an owl\n", ["nano-banana"], ["4:3"], ["1"], ["2"]]
    made = await send(member, again, detail=["1"])
    assert " nano-banana · 4:3 · 1 picture · " in bot.card(made)[0]

    poor = await send(member, await choose(member, card, "vary"), picture=["1"], images=["3"], prompt="a hare")
    assert heard(poor)[0].startswith("This takes 60 credits and you have 16.")
    again = await press(member, poor, "Try again")
    assert filled(again)["Which picture"] == ["1"]
    assert filled(again)["How many"] == ["3"]
    assert filled(again)["Prompt"] == "a hare"


@pytest.mark.parametrize("prompt", [" \n", "x" * 2600], ids=["blank", "too long"])
async def test_impossible_prompt_makes_nothing(bot: BotHarness, prompt: str) -> None:
    member = bot.member("member")
    form = await choose(member, await finished(bot, member), "again")
    assert buttons(await send(member, form, prompt=prompt)) == ["Try again"]
    assert len(await bot.column("id")) == 1


async def test_prompt_longer_than_a_field_is_kept(bot: BotHarness) -> None:
    """An emoji counts twice in Discord's fields and once in a prompt."""
    member = bot.member("member")
    prompt = "🦊" * 2400
    form = await choose(member, await finished(bot, member, prompt=prompt), "again")
    assert form.modal is not None
    said = [each.get("content") for each in form.modal["components"]]
    assert said[0] == "-# The prompt is too long for a form, so it stays as it is."
    assert not any(each.get("label") == "Prompt" for each in form.modal["components"])


async def test_setting_opens_form_for_again_and_each_picture(bot: BotHarness) -> None:
    """For its member only; V2 is about the second picture."""
    member, other = bot.member("member"), bot.member("other")
    card = await finished(bot, member, images=2)
    await remixing(bot, member)
    again = await send(member, await press(member, card, "Again"), prompt="an owl")
    assert "an owl" in bot.card(again)[0]
    form = await press(member, card, "V2")
    assert list(fields(form)) == ["Prompt", "Model", "Aspect ratio", "How many", "Detail"]
    await bot.restart()
    varied = await send(member, form, prompt="a hare", aspect_ratio=["3:2"])
    assert " 3:2 · 1 picture · from" in bot.card(varied)[0]
    assert await bot.column("prompt") == ["a fox", "an owl", "a hare"]
    assert await bot.column("parent_picture") == [None, None, 1]
    assert await bot.column("action") == [None, "again", "vary"]
    assert (await press(other, card, "V1")).modal is None
    assert (await press(member, card, "U1")).modal is None


async def test_vary_of_chosen_picture_has_its_changes(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member, images=2, format="webp")
    form = await choose(member, card, "vary")
    assert list(fields(form)) == ["Which picture", "Prompt", "Model", "Aspect ratio", "How many"]
    made = await send(member, form, picture=["1"], images=["1"], prompt="a hare")
    assert " webp · from 1 picture" in bot.card(made)[0]
    assert await bot.column("parent_picture") == [None, 1]
    assert await bot.column("price") == [24, 20]


async def test_form_about_what_is_gone_gives_text_back(bot: BotHarness) -> None:
    """The picture, or the whole job."""
    member = bot.member("member")
    card = await finished(bot, member, images=2)
    await bot.reaches(State.DONE)
    await remixing(bot, member)
    varied, again = await press(member, card, "V2"), await choose(member, card, "again")
    gone = delete(pictures).where(pictures.c.position == 1)
    await bot.database.write(partial(Connection.execute, statement=gone))
    answer = await send(member, varied, prompt="a hare")
    assert heard(answer)[0].startswith("The studio no longer keeps this picture")
    assert "a hare" in heard(answer)[1]
    refused: InteractionResult = await press(member, card, "V2")
    assert refused.modal is None
    await delete_jobs(bot)
    answer = await send(member, again, prompt="an owl")
    assert heard(answer)[0].startswith("This was deleted")
    assert "an owl" in heard(answer)[1]
    assert len(await bot.column("id")) == 1
