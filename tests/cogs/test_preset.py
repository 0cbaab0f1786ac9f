"""`/preset` and the option `preset`, from the member's side, on simcord."""

import discord
import pytest

from bot.domain.errors import (
    EmptyPresetError,
    NotAllowedError,
    PresetNotFoundError,
    UnsupportedOptionError,
)
from bot.domain.jobs import State
from sandbox.discord.command_rules import check_command
from sandbox.discord.errors import FormErrors
from tests.cogs.bot_harness import BotHarness, InteractionResult, buttons, panel, private, texts

pytestmark = pytest.mark.studio(reve2img=True)


def said(result: InteractionResult) -> str:
    """Return the words of a card that only its member sees, as they are now."""
    assert result.response is not None
    assert result.response.ephemeral
    return "\n".join(texts(result.response.components))


async def test_a_preset_is_saved_and_used(studio: BotHarness) -> None:
    """What was saved is asked for, with the prompt in its frame; an option of the command comes before it."""
    assert studio.reve2img is not None
    ann = studio.member("ann")
    saved = await ann.slash(
        studio.channel, "preset save", name="Noir", prompt="film noir, {prompt}", model="seedream-5", aspect_ratio="3:2"
    )
    assert panel(saved) == [
        "## Your preset \u2068Noir\u2069 is saved",
        "-# \u2068film noir, {prompt}\u2069",
        "-# seedream-5 · 3:2",
        "Use it with the option `preset` of `/imagine` or `/edit`.",
    ]
    result = await studio.imagine(ann, prompt="a fox", preset="noir", aspect_ratio="16:9")
    await studio.reaches(State.RUNNING)
    assert studio.card(result)[0] == (
        f"## \u2068film noir, a fox\u2069\n-# seedream-5 · 16:9 · 1 picture · for {ann.mention}"
    )
    body = studio.reve2img.requests[0].body
    assert (body["prompt"], body["model"], body["aspect_ratio"]) == ("film noir, a fox", "seedream-5", "16:9")


async def test_saving_over_a_preset_says_so(studio: BotHarness) -> None:
    """It is replaced, not kept beside."""
    ann = studio.member("ann")
    await ann.slash(studio.channel, "preset save", name="noir", images=2)
    again = await ann.slash(studio.channel, "preset save", name="Noir", images=3)
    assert panel(again)[0] == "## Your preset \u2068Noir\u2069 is replaced"
    assert "3 pictures" in said(await ann.slash(studio.channel, "preset list"))


async def test_a_servers_preset_is_for_everybody_there(studio: BotHarness) -> None:
    """Moderators set it, members use it; they are told apart while a name is typed."""
    studio.expected = [NotAllowedError, NotAllowedError]
    ann, mod = studio.member("ann"), studio.member("mod", manage_messages=True)
    refused = await ann.slash(studio.channel, "preset save", name="house style", images=2, for_server=True)
    assert private(refused) == "Only a moderator can do that."
    saved = await mod.slash(studio.channel, "preset save", name="house style", images=2, for_server=True)
    assert panel(saved)[0] == "## The server's preset \u2068house style\u2069 is saved"
    await ann.slash(studio.channel, "preset save", name="my style", images=3)

    offered = await ann.autocomplete(studio.channel, "imagine", "preset", "style")
    assert [choice["name"] for choice in offered] == ["my style · yours", "house style · server's"]
    assert [choice["value"] for choice in offered] == ["my style", "house style"]
    deletable = await ann.autocomplete(studio.channel, "preset delete", "name", "")
    assert [choice["value"] for choice in deletable] == ["my style"]

    await studio.imagine(ann, prompt="a fox", preset="House Style")
    assert await studio.column("price") == [24]
    refused = await ann.slash(studio.channel, "preset delete", name="house style")
    assert private(refused) == "Only a moderator can do that."


async def test_ones_own_preset_hides_the_servers(studio: BotHarness) -> None:
    """Under one name there is one preset to choose: one's own. A moderator can delete either."""
    mod = studio.member("mod", manage_messages=True)
    await mod.slash(studio.channel, "preset save", name="noir", images=2, for_server=True)
    await mod.slash(studio.channel, "preset save", name="noir", images=3)
    offered = await mod.autocomplete(studio.channel, "imagine", "preset", "NO")
    assert [choice["name"] for choice in offered] == ["noir · yours"]
    offered = await mod.autocomplete(studio.channel, "preset delete", "name", "", for_server=True)
    assert [choice["name"] for choice in offered] == ["noir · server's"]
    deleted = await mod.slash(studio.channel, "preset delete", name="noir", for_server=True)
    assert said(deleted).startswith("## The server's preset \u2068noir\u2069 is deleted")
    await studio.imagine(mod, prompt="a fox", preset="noir")
    assert await studio.column("price") == [36]


async def test_the_list_tells_whose_they_are(studio: BotHarness) -> None:
    """One's own and the server's, with what they choose and how many there may be."""
    ann, mod = studio.member("ann"), studio.member("mod", manage_messages=True)
    assert panel(await ann.slash(studio.channel, "preset list")) == [
        "### Your presets · 0 of 25",
        "-# none yet",
        "### This server's presets · 0 of 25",
        "-# none yet",
        "Keep options that you use often with `/preset save`.",
    ]
    await mod.slash(studio.channel, "preset save", name="cut", remove_background=True, fit="x1024", for_server=True)
    await ann.slash(studio.channel, "preset save", name="*loud*", prompt="neon @everyone")
    assert panel(await ann.slash(studio.channel, "preset list")) == [
        "### Your presets · 1 of 25",
        "**\u2068\\*loud\\*\u2069**",
        "-# \u2068neon @\u200beveryone\u2069",
        "### This server's presets · 1 of 25",
        "**\u2068cut\u2069**",
        "-# cut out · fit \u2068x1024\u2069",
    ]


async def test_a_deleted_preset_is_brought_back(studio: BotHarness) -> None:
    """By the button on the answer, also after a restart; a second press changes nothing."""
    ann = studio.member("ann")
    await ann.slash(studio.channel, "preset save", name="noir", prompt="film noir")
    deleted = await ann.slash(studio.channel, "preset delete", name="NOIR")
    assert said(deleted) == (
        "## Your preset \u2068noir\u2069 is deleted\n-# \u2068film noir\u2069\n-# Undo brings it back, for a day."
    )
    assert buttons(deleted) == ["Undo"]
    assert await ann.autocomplete(studio.channel, "imagine", "preset", "") == []
    await studio.restart()
    assert deleted.response is not None
    await ann.click(deleted.response, label="Undo")
    assert said(deleted) == "## Your preset \u2068noir\u2069 is back\n-# \u2068film noir\u2069"
    assert buttons(deleted) == []
    offered = await ann.autocomplete(studio.channel, "imagine", "preset", "")
    assert [choice["value"] for choice in offered] == ["noir"]


async def test_who_moderates_one_channel_keeps_no_presets_of_the_server(studio: BotHarness) -> None:
    """Such as a channel of their own: the server's presets are used in all of it."""
    studio.expected = [NotAllowedError, NotAllowedError]
    ann, mod = studio.member("ann"), studio.member("mod", manage_messages=True)
    manages = discord.PermissionOverwrite(manage_messages=True)
    corner = studio.guild.create_text_channel("corner", overwrites={ann: manages})
    refused = "Only a moderator can do that."
    assert private(await ann.slash(corner, "preset save", name="noir", images=2, for_server=True)) == refused
    await mod.slash(corner, "preset save", name="noir", images=2, for_server=True)
    assert await ann.autocomplete(corner, "preset delete", "name", "") == []
    assert private(await ann.slash(corner, "preset delete", name="noir")) == refused


async def test_what_is_wrong_with_a_preset_is_said(studio: BotHarness) -> None:
    """When it is saved, and when it is used; nothing is held."""
    studio.expected = [UnsupportedOptionError, EmptyPresetError, PresetNotFoundError, PresetNotFoundError]
    ann = studio.member("ann")
    refused = await ann.slash(studio.channel, "preset save", name="x", model="nano-banana", upscale="2x")
    assert private(refused) == "nano-banana cannot upscale a picture. Nothing was charged.\nFor that, use reve-2.0."
    empty = await ann.slash(studio.channel, "preset save", name="x")
    assert private(empty) == "A preset needs something to keep: a prompt, or an option."
    unknown = "There is no preset “\u2068x\u2069” here. Nothing was charged.\nSee what there is with `/preset list`."
    assert private(await studio.imagine(ann, prompt="a fox", preset="x")) == unknown
    assert private(await ann.slash(studio.channel, "preset delete", name="x")) == unknown
    assert await studio.column("id") == []


async def test_prices_follow_the_preset(studio: BotHarness) -> None:
    """While the command is still being written."""
    ann = studio.member("ann")
    await ann.slash(studio.channel, "preset save", name="two", images=2)
    choices = await ann.autocomplete(studio.channel, "imagine", "model", "reve", preset="two")
    assert [choice["name"].split(" · ")[1] for choice in choices] == ["24 credits"]
    choices = await ann.autocomplete(studio.channel, "preset save", "model", "reve", images=3)
    assert [choice["name"].split(" · ")[1] for choice in choices] == ["36 credits"]


@pytest.mark.parametrize("name", ["preset", "settings"])
def test_discord_accepts_the_command(studio: BotHarness, name: str) -> None:
    """Its names, descriptions, choices and size are within Discord's limits."""
    command = studio.client.tree.get_command(name)
    assert command is not None
    errors = FormErrors()
    check_command(command.to_dict(studio.client.tree), errors)
    errors.raise_if_any()
