"""`/edit` and "Edit this image" on simcord: options, forms and refusals.

`tests/end_to_end` runs them in the real process.
"""

from datetime import timedelta
from typing import Any

import pytest
from simcord.results import InteractionResult

from bot.domain import quotes
from bot.domain.errors import InputError, InsufficientCreditsError, UnsupportedOptionError
from bot.domain.jobs import State
from bot.services import confirmations, jobs
from bot.ui.handlers import job_requests
from sandbox.discord.cdn import measured
from sandbox.discord.command_rules import check_command
from sandbox.discord.errors import FormErrors
from tests.cogs.bot_harness import STAND_IN, BotHarness, buttons, private
from tests.support.catalogue import overwrite_models, price
from tests.support.image_server import drawn

MENU = "Edit this image"
pytestmark = pytest.mark.bot(reve2img=True, allowance=1000)


def describe_attachments(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch simcord to measure images and sign addresses."""
    cdn = bot.env.backend.cdn
    store = cdn.store_attachment
    until = int((bot.clock.now() + timedelta(days=1)).timestamp())

    def stored(number: int, channel: int, filename: str, data: bytes, *rest: Any) -> dict[str, Any]:
        payload: dict[str, Any] = store(number, channel, filename, data, *rest)
        width, height, _ = measured(data)
        sides = {} if width is None else {"width": width, "height": height}
        return {**payload, **sides, "url": f"{STAND_IN}/attachments/1/{number}/{filename}?ex={until:x}&is=0&hm=0&"}

    monkeypatch.setattr(cdn, "store_attachment", stored)


@pytest.fixture(autouse=True)
def _described(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give attachments their sides and signatures."""
    describe_attachments(bot, monkeypatch)


def fields(result: InteractionResult) -> dict[str, dict[str, Any]]:
    """Return a form's fields by label."""
    assert result.modal is not None
    return {each["label"]: each["component"] for each in result.modal["components"] if "label" in each}


def command(bot: BotHarness, name: str) -> dict[str, Any]:
    """Return a command as sent to Discord."""
    (found,) = [each.to_dict(bot.client.tree) for each in bot.client.tree.get_commands() if each.name == name]
    return found


async def test_edit_command_and_menu_fit_discord(bot: BotHarness) -> None:
    """Nineteen options with descriptions, and a message menu."""
    edit = command(bot, "edit")
    errors = FormErrors()
    check_command(edit, errors)
    errors.raise_if_any()
    names = [option["name"] for option in edit["options"]]
    assert names[:6] == ["prompt", "image", "image2", "image3", "image4", "model"]
    assert [option["name"] for option in edit["options"] if option.get("required")] == ["prompt", "image"]
    assert names[6:] == [
        option["name"] for option in command(bot, "imagine")["options"] if option["name"] not in ("prompt", "model")
    ]
    assert command(bot, MENU)["type"] == 3


async def test_blend_command_fits_discord(bot: BotHarness) -> None:
    blend = command(bot, "blend")
    errors = FormErrors()
    check_command(blend, errors)
    errors.raise_if_any()
    names = [option["name"] for option in blend["options"]]
    assert names == ["image", "image2", "image3", "image4", "prompt", "model", "private"]
    assert [option["name"] for option in blend["options"] if option.get("required")] == ["image", "image2"]


async def test_blend_edits_its_pictures_with_or_without_prompt(bot: BotHarness) -> None:
    pictures = {name: (f"{name}.png", drawn()) for name in ("image", "image2", "image3")}
    member = bot.member("member")
    blend = await member.slash(bot.channel, "blend", **pictures)
    title, small = bot.card(blend)[0].splitlines()
    assert title == "## \u2068Blend these pictures into one picture.\u2069"
    assert "from 3 pictures" in small
    pictures = {name: (f"{name}.png", drawn()) for name in ("image", "image2")}
    blend = await member.slash(bot.channel, "blend", **pictures, prompt="a collage", private=True)
    title, small = bot.card(blend)[0].splitlines()
    assert title == "## \u2068a collage\u2069"
    assert "from 2 pictures" in small
    assert blend.response is not None
    assert blend.response.ephemeral


async def test_edit_of_non_image_is_refused(bot: BotHarness) -> None:
    """The answer is private; nothing is held."""
    bot.expected = [InputError]
    member = bot.member("member")
    result = await member.slash(bot.channel, "edit", prompt="x", image=("letter.pdf", b"%PDF-1.7"))
    assert private(result).startswith("“\u2068letter.pdf\u2069” is not a kind of picture that can be edited.")
    assert await bot.column("id") == []


@pytest.mark.bot(reve2img=False)
async def test_edit_without_editing_model_is_refused_before_form(bot: BotHarness) -> None:
    """SkillBoss alone only makes images from text."""
    bot.expected = [UnsupportedOptionError]
    member = bot.member("member")
    message = await member.send(bot.channel, "look", attachments=[("a.png", drawn())])
    result = await member.context_menu(bot.channel, MENU, message)
    assert result.modal is None
    assert private(result) == (
        "reve-2.0 makes pictures from text only.\n"
        "No model of this studio can. Leave the option out, or choose another value."
    )


async def test_edit_menu_on_text_message_is_refused(bot: BotHarness) -> None:
    """With the editable kinds."""
    bot.expected = [InputError]
    member = bot.member("member")
    result = await member.context_menu(bot.channel, MENU, await member.send(bot.channel, "just words"))
    assert private(result).startswith("There is no picture in this message.")


async def test_edit_menu_with_one_image_asks_prompt_and_model(bot: BotHarness) -> None:
    """The form has the prompt and the models with edit prices.

    The default is selected.
    """
    member = bot.member("member")
    message = await member.send(bot.channel, "look", attachments=[("a.png", drawn())])
    asked = fields(await member.context_menu(bot.channel, MENU, message))
    assert list(asked) == ["What to change", "Model"]
    options = asked["Model"]["options"]
    assert [each["label"] for each in options] == [
        "reve-2.0 · 20 credits",
        "nano-banana-pro · 70 credits",
        "seedream-5 · 25 credits",
    ]
    assert [each["value"] for each in options if each.get("default")] == ["reve-2.0"]


async def test_edit_menu_with_several_images_offers_up_to_four(bot: BotHarness) -> None:
    """The first is selected; a non-image is not offered."""
    member = bot.member("member")
    files = [*((f"{number}.png", drawn(size=(64, 32 + number))) for number in range(6)), ("b.pdf", b"%PDF")]
    message = await member.send(bot.channel, "look", attachments=files)
    which = fields(await member.context_menu(bot.channel, MENU, message))["Which pictures"]
    assert [each["label"] for each in which["options"]] == [
        f"Picture {number + 1} · {number}.png · 64x{32 + number}" for number in range(6)
    ]
    assert (which.get("min_values", 1), which["max_values"]) == (1, 4)
    assert [each["value"] for each in which["options"] if each.get("default")] == ["0"]


async def test_edit_form_makes_job_that_downloads_first(bot: BotHarness) -> None:
    """The card appears at once; an unavailable image costs nothing."""
    member = bot.member("member")
    message = await member.send(bot.channel, "look", attachments=[("a.png", drawn())])
    shown = await member.context_menu(bot.channel, MENU, message)
    result = await member.submit_modal(shown, {"prompt": "make it snow", "model": ["seedream-5"]})
    assert await bot.column("model") == ["seedream-5"]
    assert "seedream-5 · 3:2 · 1 picture · from 1 picture" in bot.card(result)[0]
    assert await bot.column("price") == [25]
    await bot.polls_until(lambda: bot.card(result)[1].startswith("The picture is not there any more"))
    assert await bot.column("state") == [State.FAILED]
    assert await bot.column("charged") == [0]


async def test_edit_form_above_shown_price_asks_first(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The price rose while the form was open."""
    member = bot.member("member")
    message = await member.send(bot.channel, "look", attachments=[("a.png", drawn())])
    opened = await member.context_menu(bot.channel, MENU, message)
    for module in (quotes, jobs, confirmations, job_requests):
        monkeypatch.setattr(module, "price", lambda request, catalogue: price(request, catalogue) + 1)
    asked = await member.submit_modal(opened, {"prompt": "make it snow", "model": ["reve-2.0"]})
    assert buttons(asked) == ["Generate · 21 credits", "Cancel"]
    assert bot.card(asked)[-1].startswith("The price has changed since it was shown.")
    assert await bot.column("id") == []


@pytest.mark.bot(reve2img=True, allowance=30)
async def test_rejected_edit_form_reopens_with_text_and_images(bot: BotHarness) -> None:
    bot.expected = [InsufficientCreditsError]
    member = bot.member("member")
    await bot.imagine(member, prompt="a fox")
    files = [(f"{number}.png", drawn(size=(64, 32 + number))) for number in range(3)]
    message = await member.send(bot.channel, "look", attachments=files)
    opened = await member.context_menu(bot.channel, MENU, message)
    sent = {"pictures": ["1", "2"], "prompt": "both", "model": ["seedream-5"]}
    answer = await member.submit_modal(opened, sent)
    assert answer.response is not None
    assert answer.response.ephemeral

    bot.clock.advance(13 * 3600)
    again = await member.click(answer.response, label="Try again")
    asked = fields(again)
    assert asked["What to change"]["value"] == "both"
    chosen = {
        label: [each["value"] for each in asked[label]["options"] if each.get("default")]
        for label in ("Which pictures", "Model")
    }
    assert chosen == {"Which pictures": ["1", "2"], "Model": ["seedream-5"]}
    made = await member.submit_modal(again, sent)
    assert "from 2 pictures" in bot.card(made)[0]


async def test_menu_form_counter_is_largest_prompt_limit(bot: BotHarness) -> None:
    overwrite_models(bot.catalogue, max_prompt=lambda model: 500 + model.text_price)
    member = bot.member("member")
    message = await member.send(bot.channel, "look", attachments=[("a.png", drawn())])
    asked = fields(await member.context_menu(bot.channel, MENU, message))
    assert asked["What to change"]["max_length"] == 570
