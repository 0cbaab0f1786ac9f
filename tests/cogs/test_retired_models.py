"""Jobs of a model switched off or forgotten."""

from typing import Any

import pytest

from bot.domain.errors import UnknownModelError
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, texts
from tests.cogs.test_remix import finished, press
from tests.support.catalogue import take_away

pytestmark = pytest.mark.bot(reve2img=True)
OTHERS = "nano-banana, nano-banana-pro or seedream-5"
NEAREST = "nano-banana, seedream-5 or nano-banana-pro"
REFUSED = "This studio has no model “\u2068reve\\-2.0\u2069”.\nChoose {models}."


def said(result: InteractionResult) -> str:
    """Return a private refusal."""
    assert result.response is not None
    assert result.response.ephemeral
    return result.response.content or "\n".join(texts(result.response.components))


async def before_the_end(bot: BotHarness, *, forget: bool, **options: Any) -> tuple[MemberActor, InteractionResult]:
    """Return a finished card of a model switched off afterwards."""
    bot.expected = [UnknownModelError]
    member = bot.member("member")
    card = await finished(bot, member, **options)
    take_away(bot.catalogue, "reve-2.0", forget=forget)
    return member, card


async def use_other_model(bot: BotHarness, member: MemberActor, refused: InteractionResult) -> None:
    """Press the button of another model below a refusal."""
    assert await bot.column("price") == [12]
    assert refused.response is not None
    await member.click(refused.response, label="With nano-banana · 20 credits")
    assert await bot.column("model") == ["reve-2.0", "nano-banana"]
    assert await bot.column("price") == [12, 20]


@pytest.mark.parametrize("forget", [False, True])
async def test_again_of_a_model_that_is_off_names_models_that_can(bot: BotHarness, *, forget: bool) -> None:
    member, card = await before_the_end(bot, forget=forget)
    refused = await press(member, card, "Again")
    assert said(refused) == REFUSED.format(models=OTHERS if forget else NEAREST)
    await use_other_model(bot, member, refused)


@pytest.mark.parametrize("forget", [False, True])
async def test_history_and_details_show_jobs_of_a_model_that_is_off(bot: BotHarness, *, forget: bool) -> None:
    member, card = await before_the_end(bot, forget=forget)
    result = await member.slash(bot.channel, "history")
    assert any("reve-2.0" in each for each in texts(result.response.components))  # type: ignore[union-attr]
    assert any(label.startswith("Again") for label in buttons(result))
    assert card.response is not None
    details = await member.select(card.response, ["details"])
    shown = "\n".join(texts(details.response.components))  # type: ignore[union-attr]
    assert "reve-2.0" in shown
    assert "12 credits" in shown


@pytest.mark.parametrize("forget", [False, True])
async def test_variation_of_a_model_that_is_off_is_made_by_another(bot: BotHarness, *, forget: bool) -> None:
    member, card = await before_the_end(bot, forget=forget)
    opened = await press(member, card, "Vary")
    asked = await member.submit_modal(opened, {"images": ["1"]})
    assert buttons(asked) == ["Generate · 70 credits", "Cancel"]
    assert asked.response is not None
    await member.click(asked.response, label="Generate · 70 credits")
    assert await bot.column("model") == ["reve-2.0", "nano-banana-pro"]
    assert await bot.column("price") == [12, 70]


async def test_command_with_retired_model_names_models_that_can(bot: BotHarness) -> None:
    member, _ = await before_the_end(bot, forget=False)
    refused = await bot.imagine(member, prompt="a fox", model="reve-2.0")
    assert said(refused) == REFUSED.format(models=NEAREST)
    await use_other_model(bot, member, refused)


async def test_own_default_that_retired_gives_way_to_the_studios(bot: BotHarness) -> None:
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", model="seedream-5")
    take_away(bot.catalogue, "seedream-5", forget=False)
    await finished(bot, member)
    assert await bot.column("model") == ["reve-2.0"]
    panel = await member.slash(bot.channel, "settings show")
    assert "seedream-5" in "\n".join(texts(panel.response.components))  # type: ignore[union-attr]
