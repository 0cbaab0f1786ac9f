"""`/edit` and "Edit this image" on simcord: what is offered, asked and refused; the real process is in end_to_end."""

from datetime import timedelta
from typing import Any

import pytest
from simcord.results import InteractionResult

from bot.domain.errors import InputError, InsufficientCreditsError, UnsupportedOptionError
from bot.domain.jobs import State
from sandbox.discord.cdn import measured
from sandbox.discord.command_rules import check_command
from sandbox.discord.errors import FormErrors
from tests.cogs.bot_harness import STAND_IN, BotHarness, private
from tests.support.image_server import drawn

MENU = "Edit this image"
pytestmark = pytest.mark.studio(reve2img=True, allowance=1000)


@pytest.fixture(autouse=True)
def _described(studio: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mend two gaps of simcord: it measures no picture, and signs no address."""
    cdn = studio.env.backend.cdn
    store = cdn.store_attachment
    until = int((studio.clock.now() + timedelta(days=1)).timestamp())

    def stored(number: int, channel: int, filename: str, data: bytes, *rest: Any) -> dict[str, Any]:
        payload: dict[str, Any] = store(number, channel, filename, data, *rest)
        width, height, _ = measured(data)
        sides = {} if width is None else {"width": width, "height": height}
        return {**payload, **sides, "url": f"{STAND_IN}/attachments/1/{number}/{filename}?ex={until:x}&is=0&hm=0&"}

    monkeypatch.setattr(cdn, "store_attachment", stored)


def fields(result: InteractionResult) -> dict[str, dict[str, Any]]:
    """Return what a form asks, by its label."""
    assert result.modal is not None
    return {each["label"]: each["component"] for each in result.modal["components"]}


def command(studio: BotHarness, name: str) -> dict[str, Any]:
    """Return a command as it was sent to Discord."""
    (found,) = [each.to_dict(studio.client.tree) for each in studio.client.tree.get_commands() if each.name == name]
    return found


async def test_the_command_and_the_menu_are_as_discord_takes_them(studio: BotHarness) -> None:
    """Nineteen options with their descriptions in one command, and a menu for messages."""
    edit = command(studio, "edit")
    errors = FormErrors()
    check_command(edit, errors)
    errors.raise_if_any()
    names = [option["name"] for option in edit["options"]]
    assert names[:6] == ["prompt", "image", "image2", "image3", "image4", "model"]
    assert [option["name"] for option in edit["options"] if option.get("required")] == ["prompt", "image"]
    assert names[6:] == [
        option["name"] for option in command(studio, "imagine")["options"] if option["name"] not in ("prompt", "model")
    ]
    assert command(studio, MENU)["type"] == 3


async def test_a_file_that_is_no_picture_is_refused(studio: BotHarness) -> None:
    """To the member alone; nothing is held."""
    studio.expected = [InputError]
    ann = studio.member("ann")
    result = await ann.slash(studio.channel, "edit", prompt="x", image=("letter.pdf", b"%PDF-1.7"))
    assert private(result).startswith("“\u2068letter.pdf\u2069” is not a kind of picture that can be edited.")
    assert await studio.column("id") == []


@pytest.mark.studio(reve2img=False)
async def test_a_studio_that_cannot_edit_says_so_before_any_form(studio: BotHarness) -> None:
    """SkillBoss alone makes pictures from text only."""
    studio.expected = [UnsupportedOptionError]
    ann = studio.member("ann")
    message = await ann.send(studio.channel, "look", attachments=[("a.png", drawn())])
    result = await ann.context_menu(studio.channel, MENU, message)
    assert result.modal is None
    assert private(result) == (
        "reve-2.0 makes pictures from text only. Nothing was charged.\n"
        "No model of this studio can. Leave the option out, or choose another value."
    )


async def test_a_message_of_words_is_answered_kindly(studio: BotHarness) -> None:
    """It says what can be edited instead."""
    studio.expected = [InputError]
    ann = studio.member("ann")
    result = await ann.context_menu(studio.channel, MENU, await ann.send(studio.channel, "just words"))
    assert private(result).startswith("There is no picture in this message. Nothing was charged.")


async def test_one_picture_needs_no_choice(studio: BotHarness) -> None:
    """What to change, and the models that can, each with the price of an edit; the usual one is chosen beforehand."""
    ann = studio.member("ann")
    message = await ann.send(studio.channel, "look", attachments=[("a.png", drawn())])
    asked = fields(await ann.context_menu(studio.channel, MENU, message))
    assert list(asked) == ["What to change", "Model"]
    options = asked["Model"]["options"]
    assert [each["label"] for each in options] == [
        "reve-2.0 · 20 credits",
        "nano-banana-pro · 70 credits",
        "seedream-5 · 25 credits",
    ]
    assert [each["value"] for each in options if each.get("default")] == ["reve-2.0"]


async def test_of_several_up_to_four_can_be_chosen(studio: BotHarness) -> None:
    """The first is chosen beforehand; a file that is no picture is not offered."""
    ann = studio.member("ann")
    files = [*((f"{number}.png", drawn(size=(64, 32 + number))) for number in range(6)), ("b.pdf", b"%PDF")]
    message = await ann.send(studio.channel, "look", attachments=files)
    which = fields(await ann.context_menu(studio.channel, MENU, message))["Which pictures"]
    assert [each["label"] for each in which["options"]] == [
        f"Picture {number + 1} · {number}.png · 64x{32 + number}" for number in range(6)
    ]
    assert (which.get("min_values", 1), which["max_values"]) == (1, 4)
    assert [each["value"] for each in which["options"] if each.get("default")] == ["0"]


async def test_the_form_makes_a_job_that_fetches_first(studio: BotHarness) -> None:
    """The card is there at once and says so; what cannot be fetched costs nothing."""
    ann = studio.member("ann")
    message = await ann.send(studio.channel, "look", attachments=[("a.png", drawn())])
    shown = await ann.context_menu(studio.channel, MENU, message)
    result = await ann.submit_modal(shown, {"prompt": "make it snow", "model": ["seedream-5"]})
    assert await studio.column("model") == ["seedream-5"]
    assert "seedream-5 · 3:2 · 1 picture · from 1 picture" in studio.card(result)[0]
    assert await studio.column("price") == [25]
    await studio.polls_until(lambda: studio.card(result)[1].startswith("The picture is not there any more"))
    assert await studio.column("state") == [State.FAILED]
    assert await studio.column("charged") == [0]


@pytest.mark.studio(reve2img=True, allowance=30)
async def test_a_form_that_was_refused_is_opened_again_with_its_pictures(studio: BotHarness) -> None:
    """Those that were chosen are chosen, with what was typed, and are what the job starts from."""
    studio.expected = [InsufficientCreditsError]
    ann = studio.member("ann")
    await studio.imagine(ann, prompt="a fox")
    files = [(f"{number}.png", drawn(size=(64, 32 + number))) for number in range(3)]
    message = await ann.send(studio.channel, "look", attachments=files)
    opened = await ann.context_menu(studio.channel, MENU, message)
    sent = {"pictures": ["1", "2"], "prompt": "both", "model": ["seedream-5"]}
    answer = await ann.submit_modal(opened, sent)
    assert answer.response is not None
    assert answer.response.ephemeral

    studio.clock.advance(13 * 3600)
    again = await ann.click(answer.response, label="Try again")
    asked = fields(again)
    assert asked["What to change"]["value"] == "both"
    chosen = {
        label: [each["value"] for each in asked[label]["options"] if each.get("default")]
        for label in ("Which pictures", "Model")
    }
    assert chosen == {"Which pictures": ["1", "2"], "Model": ["seedream-5"]}
    made = await ann.submit_modal(again, sent)
    assert "from 2 pictures" in studio.card(made)[0]
