"""Every option of `/imagine`, from the choice to the submit and the card."""

from typing import Any

import pytest

from bot.domain.errors import UnknownEffectError, UnsupportedOptionError
from bot.domain.jobs import State
from sandbox.discord.command_rules import check_command
from sandbox.discord.errors import FormErrors
from tests.cogs.bot_harness import BotHarness, private

pytestmark = pytest.mark.bot(reve2img=True, allowance=1000)

ALL_OPTIONS: dict[str, Any] = {
    "model": "reve-2.0",
    "aspect_ratio": "auto",
    "images": 2,
    "detail": 3,
    "format": "webp",
    "upscale": "2x",
    "remove_background": True,
    "fit": "1920x1080",
    "effect": "film grain",
    "version": "latest",
}


async def test_every_option_reaches_provider_and_card(bot: BotHarness) -> None:
    """The submit, the card and the price agree."""
    assert bot.reve2img is not None
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", ask_over=1000)
    result = await bot.imagine(member, prompt="a fox", **ALL_OPTIONS)
    await bot.reaches(State.RUNNING)

    assert bot.card(result)[0] == (
        "## \u2068a fox\u2069\n-# reve-2.0 · auto · 2 pictures · detail 3 · webp · upscaled 2× · cut out · "
        f"fit 1920x1080 · effect \u2068film grain\u2069 · version latest · for {member.mention}"
    )
    assert bot.reve2img.requests[0].body == {
        "model": "reve-2.0",
        "prompt": "a fox",
        "aspect_ratio": "auto",
        "num_images": 2,
        "output_format": "webp",
        "test_time_scaling": 3,
        "version": "latest",
        "postprocessing": [
            {"process": "effect", "effect_name": "film grain"},
            {"process": "upscale", "upscale_factor": 2},
            {"process": "remove_background"},
            {"process": "fit_image", "max_width": 1920, "max_height": 1080},
        ],
    }
    bot.reve2img.finish()
    await bot.polls_until(lambda: " credits" in bot.card(result)[-1])
    assert bot.card(result)[1].startswith("-# 104 credits")
    assert bot.server.jobs == []  # SkillBoss cannot do that


async def test_flat_options_of_large_image_are_sent(bot: BotHarness) -> None:
    assert bot.reve2img is not None
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", ask_over=1000)
    await bot.imagine(member, prompt="a fox", model="nano-banana-pro", resolution="4K")
    await bot.reaches(State.RUNNING)
    body = bot.reve2img.requests[0].body
    assert (body["model"], body["resolution"]) == ("nano-banana-pro", "4K")
    assert await bot.column("price") == [140]


async def test_unsupported_option_names_able_models(bot: BotHarness) -> None:
    """Only models of this bot; nothing is held."""
    bot.expected = [UnsupportedOptionError]
    result = await bot.imagine(bot.member("member"), prompt="a fox", model="nano-banana", upscale="4x")
    assert private(result) == "nano-banana cannot upscale a picture.\nFor that, use reve-2.0."
    assert await bot.column("id") == []


async def test_model_completion_shows_prices_of_choice(bot: BotHarness) -> None:
    """The price follows the chosen options; unable models come last."""
    member = bot.member("member")
    choices = await member.autocomplete(bot.channel, "imagine", "model", "", prompt="a fox", images=2, detail=2)
    assert [(choice["value"], choice["name"].split(" · ")[1]) for choice in choices] == [
        ("reve-2.0", "48 credits"),
        ("nano-banana", "cannot do detail 2"),
        ("nano-banana-pro", "cannot do detail 2"),
        ("seedream-5", "cannot do detail 2"),
    ]
    choices = await member.autocomplete(bot.channel, "imagine", "model", "seed")
    assert choices == [{"name": "seedream-5 · 25 credits · photographs and scenes", "value": "seedream-5"}]


@pytest.mark.bot(reve2img=False)
async def test_model_completion_lists_offered_models_only(bot: BotHarness) -> None:
    choices = await bot.member("member").autocomplete(bot.channel, "imagine", "model", "")
    assert [choice["value"] for choice in choices] == ["reve-2.0"]


async def test_fit_and_version_are_completed(bot: BotHarness) -> None:
    member = bot.member("member")
    fits = await member.autocomplete(bot.channel, "imagine", "fit", "")
    assert [choice["value"] for choice in fits] == ["2048", "2048x", "x1024", "1920x1080"]
    versions = await member.autocomplete(bot.channel, "imagine", "version", "latest")
    assert [choice["value"] for choice in versions] == ["latest"]


def test_imagine_command_fits_discord_limits(bot: BotHarness) -> None:
    """Names, descriptions, choices, size and order."""
    command = bot.client.tree.get_command("imagine")
    assert command is not None
    payload = command.to_dict(bot.client.tree)
    errors = FormErrors()
    check_command(payload, errors)
    errors.raise_if_any()
    assert [option["name"] for option in payload["options"]] == [
        "prompt",
        "model",
        "aspect_ratio",
        "images",
        "detail",
        "format",
        "resolution",
        "upscale",
        "remove_background",
        "fit",
        "effect",
        "version",
        "seed",
        "negative",
        "quality",
        "transparent",
        "preset",
        "private",
    ]
    completed = [option["name"] for option in payload["options"] if option.get("autocomplete")]
    assert completed == ["model", "fit", "effect", "version", "preset"]


async def test_effect_completes_known_names(bot: BotHarness) -> None:
    member = bot.member("member")
    for name in ("imagine", "edit", "preset save"):
        offered = await member.autocomplete(bot.channel, name, "effect", "SEP")
        assert [choice["value"] for choice in offered] == ["sepia"]


async def test_unknown_effect_is_refused_with_known_names(bot: BotHarness) -> None:
    bot.expected = [UnknownEffectError]
    refused = await bot.imagine(bot.member("member"), prompt="a fox", effect="glow")
    assert private(refused).splitlines()[0] == "This studio has no effect “\u2068glow\u2069”."
    assert "film grain" in private(refused)
    assert await bot.column("id") == []


async def test_effect_is_found_in_any_case(bot: BotHarness) -> None:
    card = await bot.imagine(bot.member("member"), prompt="a fox", effect="Sepia")
    assert "effect \u2068sepia\u2069" in bot.card(card)[0]
