"""Seed, negative prompt, quality and transparency from command to card."""

from typing import Any

import pytest

from bot.domain.errors import PromptError, UnsupportedOptionError
from bot.domain.jobs import State
from bot.domain.options import QUALITIES
from tests.cogs.bot_harness import BotHarness, panel, private
from tests.cogs.test_remix import choose, finished, press, told
from tests.support.catalogue import give_options

pytestmark = pytest.mark.bot(reve2img=True, allowance=1000)
CHOSEN: dict[str, Any] = {"seed": 7, "negative": "*people*", "quality": "high", "transparent": True}
WORDS = "seed 7 · without: \u2068\\*people\\*\u2069 · high quality · transparent background"


@pytest.fixture(autouse=True)
def able(bot: BotHarness) -> None:
    """Give the models of the bot all four options."""
    give_options(bot.catalogue, seed=True, negative=True, quality=QUALITIES, transparent=True)


async def test_chosen_options_are_on_card_and_in_details(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member, **CHOSEN)
    assert WORDS in bot.card(card)[0]
    _, _, negative, options, *_ = told(await choose(member, card, "details"))
    assert negative == "Not in the picture: \u2068\\*people\\*\u2069"
    assert options.endswith("`seed` 7 · `quality` high · `transparent` yes")


async def test_again_makes_another_picture_with_the_other_options(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await finished(bot, member, **CHOSEN)
    await bot.reaches(State.DONE)
    again = await press(member, card, "Again")
    assert WORDS.removeprefix("seed 7 · ") in bot.card(again)[0]
    assert "seed" not in bot.card(again)[0]


async def test_preset_keeps_the_options(bot: BotHarness) -> None:
    member = bot.member("member")
    saved = await member.slash(bot.channel, "preset save", name="glass", **CHOSEN | {"transparent": False})
    assert panel(saved)[1] == f"-# {WORDS.replace('transparent', 'no transparent')}"
    card = await bot.imagine(member, prompt="a fox", preset="glass")
    assert WORDS.removesuffix(" · transparent background") in bot.card(card)[0]


async def test_unreadable_negative_prompt_is_refused_privately(bot: BotHarness) -> None:
    bot.expected = [PromptError]
    refused = await bot.imagine(bot.member("member"), prompt="a fox", negative="a\x00b")
    assert private(refused) == (
        "The negative prompt has a character that cannot be sent on.\nType it again instead of pasting it."
    )
    assert await bot.column("id") == []


@pytest.mark.parametrize("chosen", ["png", "webp"])
async def test_chosen_format_is_refused_without_a_choice_of_formats(bot: BotHarness, chosen: str) -> None:
    bot.expected = [UnsupportedOptionError]
    give_options(bot.catalogue, format=())
    refused = await bot.imagine(bot.member("member"), prompt="a fox", format=chosen)
    assert private(refused) == (
        f"reve-2.0 cannot do format {chosen}.\n"
        "No model of this studio can. Leave the option out, or choose another value."
    )
    assert await bot.column("id") == []


async def test_own_default_format_gives_way_without_a_choice_of_formats(bot: BotHarness) -> None:
    assert bot.reve2img is not None
    give_options(bot.catalogue, format=())
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", format="webp")
    card = await bot.imagine(member, prompt="a fox", model="seedream-5")
    await bot.reaches(State.RUNNING)
    assert "webp" not in bot.card(card)[0]
    assert "output_format" not in bot.reve2img.requests[0].body
