"""`/settings` and its effects, on simcord."""

import discord
import pytest

from bot.domain.errors import UnknownModelError
from bot.domain.jobs import State
from tests.cogs.bot_harness import BotHarness, InteractionResult, panel, private

pytestmark = pytest.mark.bot(reve2img=True)

DEFAULTS = [
    "## Your settings",
    "**Model** · reve-2.0, the studio's default",
    "**Aspect ratio** · 1:1, the studio's default",
    "**Format** · png, the studio's default",
    "**Private** · the server's default, usually everybody in the channel",
    "**Ask first** · before anything that costs more than 50 credits",
    "**When done** · no message",
    "**Again and Vary** · at once, without changes",
    "**Decisions on what you share** · a direct message",
    "-# They go with you everywhere. What you choose in a command or by a preset comes before them.",
    "-# Change them with `/settings set`.",
]


# A member's own "no" outlasts a server where results are private by default.
PUBLIC = [
    "**Private** · everybody in the channel sees your cards" if line.startswith("**Private**") else line
    for line in DEFAULTS
]


def ephemeral(result: InteractionResult) -> bool:
    """Return whether an answer is ephemeral."""
    assert result.response is not None
    return result.response.ephemeral


async def test_settings_show_defaults(bot: BotHarness) -> None:
    """Unset values show the defaults."""
    assert panel(await bot.member("member").slash(bot.channel, "settings show")) == DEFAULTS


async def test_changed_setting_shows_old_value(bot: BotHarness) -> None:
    """Unnamed settings stay; each can be reset."""
    member = bot.member("member")
    changed = await member.slash(bot.channel, "settings set", model="seedream-5", private=True, ask_over=0)
    assert panel(changed) == [
        "## Your settings are changed",
        "**Model** · seedream-5",
        "-# was: reve-2.0, the studio's default",
        "**Private** · only you see your cards",
        "-# was: the server's default, usually everybody in the channel",
        "**Ask first** · before every picture",
        "-# was: before anything that costs more than 50 credits",
    ]
    back = await member.slash(bot.channel, "settings set", model="default", private=False, ask_over=50)
    assert panel(back)[1] == "**Model** · reve-2.0, the studio's default"
    assert panel(await member.slash(bot.channel, "settings show")) == PUBLIC
    assert panel(await member.slash(bot.channel, "settings set")) == PUBLIC


async def test_setting_for_changes_first_is_shown_kept_and_reset(bot: BotHarness) -> None:
    member = bot.member("member")
    changed = await member.slash(bot.channel, "settings set", remix=True)
    assert panel(changed) == [
        "## Your settings are changed",
        "**Again and Vary** · open for changes first",
        "-# was: at once, without changes",
    ]
    await bot.restart()
    await member.slash(bot.channel, "settings set", private=True)
    assert panel(await member.slash(bot.channel, "settings show"))[7] == panel(changed)[1]
    await member.slash(bot.channel, "settings set", remix=False, private=False)
    assert panel(await member.slash(bot.channel, "settings show")) == PUBLIC


async def test_unknown_default_model_is_refused(bot: BotHarness) -> None:
    bot.expected = [UnknownModelError]
    refused = await bot.member("member").slash(bot.channel, "settings set", model="dall-e", ask_over=3)
    assert private(refused).startswith("This studio has no model “\u2068dall\\-e\u2069”.")
    assert panel(await bot.member("ben").slash(bot.channel, "settings show")) == DEFAULTS


async def test_model_setting_completion_starts_with_default(bot: BotHarness) -> None:
    member = bot.member("member")
    offered = await member.autocomplete(bot.channel, "settings set", "model", "")
    assert [choice["value"] for choice in offered][:2] == ["default", "reve-2.0"]
    offered = await member.autocomplete(bot.channel, "settings set", "model", "seed")
    assert [choice["name"] for choice in offered] == ["seedream-5 · photographs and scenes"]


async def test_bare_command_uses_settings(bot: BotHarness) -> None:
    """A conflicting choice overrides a default."""
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", model="nano-banana", aspect_ratio="16:9", format="webp")
    first = await bot.imagine(member, prompt="a fox")
    second = await bot.imagine(member, prompt="a fox", detail=2)
    assert " nano-banana · 16:9 · 1 picture · webp · " in bot.card(first)[0]
    assert " reve-2.0 · 16:9 · 1 picture · detail 2 · webp · " in bot.card(second)[0]


async def test_private_setting_makes_card_ephemeral(bot: BotHarness) -> None:
    """By setting or option; the option comes first.

    The end says how to share it.
    """
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", private=True)
    result = await bot.imagine(member, prompt="a fox")
    assert ephemeral(result)
    assert await bot.column("private") == [True]
    await bot.finish(result)
    ids = {each.name: each.id for each in await bot.client.tree.fetch_commands()}
    assert bot.card(result)[-1].splitlines() == [
        f"-# 12 credits · 188 left · </credits history:{ids['credits']}> · 1\u00a0s",
        "-# *Make public* under *More…* posts it in the channel.",
    ]
    for_all = await bot.imagine(member, prompt="a fox", private=False)
    assert not ephemeral(for_all)


async def test_private_card_after_expiry_is_delivered_directly(bot: BotHarness) -> None:
    """No token reaches it after expiry; the bot token is not tried."""
    member = bot.member("member")
    result = await bot.imagine(member, prompt="a fox", private=True)
    assert ephemeral(result)
    await bot.reaches(State.QUEUED)
    bot.clock.advance(15 * 60)
    before = bot.requests("PATCH", "")
    bot.server.finish()
    while await bot.column("delivery") != ["direct"]:
        await bot.look()
    assert bot.requests("PATCH", "") == before
    (message,) = member.user.dm_channel.history()
    (container,) = message.components
    assert isinstance(container, discord.Container)
    why = container.children[0]
    assert isinstance(why, discord.TextDisplay)
    assert why.content.startswith("-# Your picture from <#")
