"""`/settings` and what follows from it, from the member's side, on simcord."""

import discord
import pytest

from bot.domain.errors import UnknownModelError
from bot.domain.jobs import State
from tests.cogs.bot_harness import BotHarness, InteractionResult, panel, private

pytestmark = pytest.mark.studio(reve2img=True)

DEFAULTS = [
    "## Your settings",
    "**Model** · reve-2.0, the studio's default",
    "**Aspect ratio** · 1:1, the studio's default",
    "**Format** · png, the studio's default",
    "**Private** · everybody in the channel sees your cards",
    "**Ask first** · before anything that costs more than 50 credits",
    "-# They go with you everywhere. What you choose in a command or by a preset comes before them.",
    "-# Change them with `/settings set`.",
]


def ephemeral(result: InteractionResult) -> bool:
    """Tell whether only its member sees an answer."""
    assert result.response is not None
    return result.response.ephemeral


async def test_the_settings_say_what_they_mean(studio: BotHarness) -> None:
    """For who has set nothing, those of the studio."""
    assert panel(await studio.member("ann").slash(studio.channel, "settings show")) == DEFAULTS


async def test_a_change_is_told_with_what_was(studio: BotHarness) -> None:
    """What was not named stays, and each can be given back."""
    ann = studio.member("ann")
    changed = await ann.slash(studio.channel, "settings set", model="seedream-5", private=True, ask_over=0)
    assert panel(changed) == [
        "## Your settings are changed",
        "**Model** · seedream-5",
        "-# was: reve-2.0, the studio's default",
        "**Private** · only you see your cards",
        "-# was: everybody in the channel sees your cards",
        "**Ask first** · before every picture",
        "-# was: before anything that costs more than 50 credits",
    ]
    back = await ann.slash(studio.channel, "settings set", model="default", private=False, ask_over=50)
    assert panel(back)[1] == "**Model** · reve-2.0, the studio's default"
    assert panel(await ann.slash(studio.channel, "settings show")) == DEFAULTS
    assert panel(await ann.slash(studio.channel, "settings set")) == DEFAULTS


async def test_an_unknown_model_is_refused(studio: BotHarness) -> None:
    """It would be of no use in any command."""
    studio.expected = [UnknownModelError]
    refused = await studio.member("ann").slash(studio.channel, "settings set", model="dall-e", ask_over=3)
    assert private(refused).startswith("This studio has no model “\u2068dall\\-e\u2069”.")
    assert panel(await studio.member("ben").slash(studio.channel, "settings show")) == DEFAULTS


async def test_models_are_completed_with_the_way_back(studio: BotHarness) -> None:
    """The studio's default first, then those that match."""
    ann = studio.member("ann")
    offered = await ann.autocomplete(studio.channel, "settings set", "model", "")
    assert [choice["value"] for choice in offered][:2] == ["default", "reve-2.0"]
    offered = await ann.autocomplete(studio.channel, "settings set", "model", "seed")
    assert [choice["name"] for choice in offered] == ["seedream-5 · photographs and scenes"]


async def test_what_is_set_is_what_a_bare_command_asks_for(studio: BotHarness) -> None:
    """Model, ratio and format; where a choice does not go with one of them, that gives way."""
    ann = studio.member("ann")
    await ann.slash(studio.channel, "settings set", model="nano-banana", aspect_ratio="16:9", format="webp")
    first = await studio.imagine(ann, prompt="a fox")
    second = await studio.imagine(ann, prompt="a fox", detail=2)
    assert " nano-banana · 16:9 · 1 picture · webp · " in studio.card(first)[0]
    assert " reve-2.0 · 16:9 · 1 picture · detail 2 · webp · " in studio.card(second)[0]


async def test_a_private_card_is_its_members_alone(studio: BotHarness) -> None:
    """By the setting or the option, which comes first; in the end it says how to show it to others."""
    ann = studio.member("ann")
    await ann.slash(studio.channel, "settings set", private=True)
    result = await studio.imagine(ann, prompt="a fox")
    assert ephemeral(result)
    assert await studio.column("private") == [True]
    await studio.finish(result)
    assert studio.card(result)[-1].splitlines() == [
        "-# 12 credits · 188 left today · 1\u00a0s",
        "-# Only you can see this. To show it to others, save the picture and post it.",
    ]
    for_all = await studio.imagine(ann, prompt="a fox", private=False)
    assert not ephemeral(for_all)


async def test_a_private_card_that_is_beyond_reach_comes_by_direct_message(studio: BotHarness) -> None:
    """After its token's life no token reaches it: the bot's is not even tried."""
    ann = studio.member("ann")
    result = await studio.imagine(ann, prompt="a fox", private=True)
    assert ephemeral(result)
    await studio.reaches(State.QUEUED)
    studio.clock.advance(15 * 60)
    before = studio.requests("PATCH", "")
    studio.server.finish()
    while await studio.column("delivery") != ["direct"]:
        await studio.look()
    assert studio.requests("PATCH", "") == before
    (message,) = ann.user.dm_channel.history()
    (container,) = message.components
    assert isinstance(container, discord.Container)
    why = container.children[0]
    assert isinstance(why, discord.TextDisplay)
    assert why.content.startswith("-# Your picture from <#")
