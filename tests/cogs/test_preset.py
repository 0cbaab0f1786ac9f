"""`/preset` and the option `preset`, on simcord."""

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

pytestmark = pytest.mark.bot(reve2img=True)


def said(result: InteractionResult) -> str:
    """Return the current words of an ephemeral card."""
    assert result.response is not None
    assert result.response.ephemeral
    return "\n".join(texts(result.response.components))


async def test_preset_is_saved_and_used(bot: BotHarness) -> None:
    """The prompt is framed; an option of the command overrides the preset."""
    assert bot.reve2img is not None
    member = bot.member("member")
    saved = await member.slash(
        bot.channel, "preset save", name="Noir", prompt="film noir, {prompt}", model="seedream-5", aspect_ratio="3:2"
    )
    assert panel(saved) == [
        "## Your preset \u2068Noir\u2069 is saved",
        "-# \u2068film noir, {prompt}\u2069",
        "-# seedream-5 · 3:2",
        "Use it with the option `preset` of `/imagine` or `/edit`.",
    ]
    result = await bot.imagine(member, prompt="a fox", preset="noir", aspect_ratio="16:9")
    await bot.reaches(State.RUNNING)
    assert bot.card(result)[0] == (
        f"## \u2068film noir, a fox\u2069\n-# seedream-5 · 16:9 · 1 picture · for {member.mention}"
    )
    body = bot.reve2img.requests[0].body
    assert (body["prompt"], body["model"], body["aspect_ratio"]) == ("film noir, a fox", "seedream-5", "16:9")


async def test_saving_existing_preset_replaces_it(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "preset save", name="noir", images=2)
    again = await member.slash(bot.channel, "preset save", name="Noir", images=3)
    assert panel(again)[0] == "## Your preset \u2068Noir\u2069 is replaced"
    assert "3 pictures" in said(await member.slash(bot.channel, "preset list"))


async def test_server_preset_is_usable_by_members(bot: BotHarness) -> None:
    """Moderators save it, members use it; completion tells them apart."""
    bot.expected = [NotAllowedError, NotAllowedError]
    member, mod = bot.member("member"), bot.member("mod", manage_messages=True)
    refused = await member.slash(bot.channel, "preset save", name="house style", images=2, for_server=True)
    assert private(refused) == "Only a moderator can do that."
    saved = await mod.slash(bot.channel, "preset save", name="house style", images=2, for_server=True)
    assert panel(saved)[0] == "## The server's preset \u2068house style\u2069 is saved"
    await member.slash(bot.channel, "preset save", name="my style", images=3)

    offered = await member.autocomplete(bot.channel, "imagine", "preset", "style")
    assert [choice["name"] for choice in offered] == ["my style · yours", "house style · server's"]
    assert [choice["value"] for choice in offered] == ["my style", "house style"]
    deletable = await member.autocomplete(bot.channel, "preset delete", "name", "")
    assert [choice["value"] for choice in deletable] == ["my style"]

    await bot.imagine(member, prompt="a fox", preset="House Style")
    assert await bot.column("price") == [24]
    refused = await member.slash(bot.channel, "preset delete", name="house style")
    assert private(refused) == "Only a moderator can do that."


async def test_own_preset_overrides_server_preset(bot: BotHarness) -> None:
    """A moderator can delete either."""
    mod = bot.member("mod", manage_messages=True)
    await mod.slash(bot.channel, "preset save", name="noir", images=2, for_server=True)
    await mod.slash(bot.channel, "preset save", name="noir", images=3)
    offered = await mod.autocomplete(bot.channel, "imagine", "preset", "NO")
    assert [choice["name"] for choice in offered] == ["noir · yours"]
    offered = await mod.autocomplete(bot.channel, "preset delete", "name", "", for_server=True)
    assert [choice["name"] for choice in offered] == ["noir · server's"]
    deleted = await mod.slash(bot.channel, "preset delete", name="noir", for_server=True)
    assert said(deleted).startswith("## The server's preset \u2068noir\u2069 is deleted")
    await bot.imagine(mod, prompt="a fox", preset="noir")
    assert await bot.column("price") == [36]


async def test_preset_list_groups_by_owner(bot: BotHarness) -> None:
    """With options and limits."""
    member, mod = bot.member("member"), bot.member("mod", manage_messages=True)
    assert panel(await member.slash(bot.channel, "preset list")) == [
        "### Your presets · 0 of 25",
        "-# none yet",
        "### This server's presets · 0 of 25",
        "-# none yet",
        "Keep options that you use often with `/preset save`.",
    ]
    await mod.slash(bot.channel, "preset save", name="cut", remove_background=True, fit="x1024", for_server=True)
    await member.slash(bot.channel, "preset save", name="*loud*", prompt="neon @everyone")
    assert panel(await member.slash(bot.channel, "preset list")) == [
        "### Your presets · 1 of 25",
        "**\u2068\\*loud\\*\u2069**",
        "-# \u2068neon @\u200beveryone\u2069",
        "### This server's presets · 1 of 25",
        "**\u2068cut\u2069**",
        "-# cut out · fit \u2068x1024\u2069",
    ]


async def test_deleted_preset_is_restored_by_undo(bot: BotHarness) -> None:
    """Also after a restart; a second press changes nothing."""
    member = bot.member("member")
    await member.slash(bot.channel, "preset save", name="noir", prompt="film noir")
    deleted = await member.slash(bot.channel, "preset delete", name="NOIR")
    assert said(deleted) == (
        "## Your preset \u2068noir\u2069 is deleted\n-# \u2068film noir\u2069\n-# Undo brings it back, for a day."
    )
    assert buttons(deleted) == ["Undo"]
    assert await member.autocomplete(bot.channel, "imagine", "preset", "") == []
    await bot.restart()
    assert deleted.response is not None
    await member.click(deleted.response, label="Undo")
    assert said(deleted) == "## Your preset \u2068noir\u2069 is back\n-# \u2068film noir\u2069"
    assert buttons(deleted) == []
    offered = await member.autocomplete(bot.channel, "imagine", "preset", "")
    assert [choice["value"] for choice in offered] == ["noir"]


async def test_channel_moderator_cannot_save_server_preset(bot: BotHarness) -> None:
    """Server presets apply in every channel."""
    bot.expected = [NotAllowedError, NotAllowedError]
    member, mod = bot.member("member"), bot.member("mod", manage_messages=True)
    manages = discord.PermissionOverwrite(manage_messages=True)
    corner = bot.guild.create_text_channel("corner", overwrites={member: manages})
    refused = "Only a moderator can do that."
    assert private(await member.slash(corner, "preset save", name="noir", images=2, for_server=True)) == refused
    await mod.slash(corner, "preset save", name="noir", images=2, for_server=True)
    assert await member.autocomplete(corner, "preset delete", "name", "") == []
    assert private(await member.slash(corner, "preset delete", name="noir")) == refused


async def test_invalid_preset_is_refused(bot: BotHarness) -> None:
    """At saving and at use; nothing is held."""
    bot.expected = [UnsupportedOptionError, EmptyPresetError, PresetNotFoundError, PresetNotFoundError]
    member = bot.member("member")
    refused = await member.slash(bot.channel, "preset save", name="x", model="nano-banana", upscale="2x")
    assert private(refused) == "nano-banana cannot upscale a picture.\nFor that, use reve-2.0."
    empty = await member.slash(bot.channel, "preset save", name="x")
    assert private(empty) == "A preset needs something to keep: a prompt, or an option."
    unknown = "There is no preset “\u2068x\u2069” here.\nSee what there is with `/preset list`."
    assert private(await bot.imagine(member, prompt="a fox", preset="x")) == unknown
    assert private(await member.slash(bot.channel, "preset delete", name="x")) == unknown
    assert await bot.column("id") == []


async def test_model_completion_follows_preset(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "preset save", name="two", images=2)
    choices = await member.autocomplete(bot.channel, "imagine", "model", "reve", preset="two")
    assert [choice["name"].split(" · ")[1] for choice in choices] == ["24 credits"]
    choices = await member.autocomplete(bot.channel, "preset save", "model", "reve", images=3)
    assert [choice["name"].split(" · ")[1] for choice in choices] == ["36 credits"]


@pytest.mark.parametrize("name", ["preset", "settings"])
def test_preset_command_fits_discord_limits(bot: BotHarness, name: str) -> None:
    """Names, descriptions, choices and size are within Discord's limits."""
    command = bot.client.tree.get_command(name)
    assert command is not None
    errors = FormErrors()
    check_command(command.to_dict(bot.client.tree), errors)
    errors.raise_if_any()
