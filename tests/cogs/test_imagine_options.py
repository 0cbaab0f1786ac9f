"""Every option of `/imagine`: from what a member chooses to what the provider is sent and the card says, on simcord."""

from typing import Any

import pytest

from bot.domain.errors import UnsupportedOptionError
from bot.domain.jobs import State
from sandbox.discord.command_rules import check_command
from sandbox.discord.errors import FormErrors
from tests.cogs.bot_harness import BotHarness, private

pytestmark = pytest.mark.studio(reve2img=True, allowance=1000)

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
    "version": "latest-fast",
}


async def test_every_option_reaches_the_provider_and_the_card(studio: BotHarness) -> None:
    """What was chosen is sent word for word, is said on the card, and is what is paid for."""
    assert studio.reve2img is not None
    ann = studio.member("ann")
    await ann.slash(studio.channel, "settings set", ask_over=1000)
    result = await studio.imagine(ann, prompt="a fox", **ALL_OPTIONS)
    await studio.reaches(State.RUNNING)

    assert studio.card(result)[0] == (
        "## \u2068a fox\u2069\n-# reve-2.0 · auto · 2 pictures · detail 3 · webp · upscaled 2x · cut out · "
        f"fit 1920x1080 · effect \u2068film grain\u2069 · version latest-fast · for {ann.mention}"
    )
    assert studio.reve2img.requests[0].body == {
        "model": "reve-2.0",
        "prompt": "a fox",
        "aspect_ratio": "auto",
        "num_images": 2,
        "output_format": "webp",
        "test_time_scaling": 3,
        "version": "latest-fast",
        "postprocessing": [
            {"process": "effect", "effect_name": "film grain"},
            {"process": "upscale", "upscale_factor": 2},
            {"process": "remove_background"},
            {"process": "fit_image", "max_width": 1920, "max_height": 1080},
        ],
    }
    studio.reve2img.finish()
    await studio.polls_until(lambda: "left today" in studio.card(result)[-1])
    assert studio.card(result)[-1].startswith("-# 104 credits · 896 left today")
    assert studio.server.jobs == []  # SkillBoss cannot do that


async def test_flat_options_of_a_large_picture(studio: BotHarness) -> None:
    """Another model, with its own choice of sizes."""
    assert studio.reve2img is not None
    ann = studio.member("ann")
    await ann.slash(studio.channel, "settings set", ask_over=1000)
    await studio.imagine(ann, prompt="a fox", model="nano-banana-pro", resolution="4K")
    await studio.reaches(State.RUNNING)
    body = studio.reve2img.requests[0].body
    assert (body["model"], body["resolution"]) == ("nano-banana-pro", "4K")
    assert await studio.column("price") == [140]


async def test_a_refusal_names_the_models_that_can(studio: BotHarness) -> None:
    """Those of this studio, and nothing is held."""
    studio.expected = [UnsupportedOptionError]
    result = await studio.imagine(studio.member("ann"), prompt="a fox", model="nano-banana", upscale="4x")
    assert private(result) == "nano-banana cannot upscale a picture. Nothing was charged.\nFor that, use reve-2.0."
    assert await studio.column("id") == []


async def test_models_are_completed_with_their_prices(studio: BotHarness) -> None:
    """The price follows the options that are filled in already; models that cannot do them come last."""
    ann = studio.member("ann")
    choices = await ann.autocomplete(studio.channel, "imagine", "model", "", prompt="a fox", images=2, detail=2)
    assert [(choice["value"], choice["name"].split(" · ")[1]) for choice in choices] == [
        ("reve-2.0", "48 credits"),
        ("nano-banana", "cannot do detail 2"),
        ("nano-banana-pro", "cannot do detail 2"),
        ("seedream-5", "cannot do detail 2"),
    ]
    choices = await ann.autocomplete(studio.channel, "imagine", "model", "seed")
    assert choices == [{"name": "seedream-5 · 25 credits · photographs and scenes", "value": "seedream-5"}]


@pytest.mark.studio(reve2img=False)
async def test_only_models_of_the_studio_are_completed(studio: BotHarness) -> None:
    """What no provider of this studio offers is not there to be chosen."""
    choices = await studio.member("ann").autocomplete(studio.channel, "imagine", "model", "")
    assert [choice["value"] for choice in choices] == ["reve-2.0"]


async def test_sizes_and_versions_are_completed(studio: BotHarness) -> None:
    """Their forms need not be remembered."""
    ann = studio.member("ann")
    fits = await ann.autocomplete(studio.channel, "imagine", "fit", "")
    assert [choice["value"] for choice in fits] == ["2048", "2048x", "x1024", "1920x1080"]
    versions = await ann.autocomplete(studio.channel, "imagine", "version", "latest-")
    assert [choice["value"] for choice in versions] == ["latest-fast"]


def test_discord_accepts_the_command(studio: BotHarness) -> None:
    """Its names, descriptions, choices and size are within Discord's limits, in the order of the design."""
    command = studio.client.tree.get_command("imagine")
    assert command is not None
    payload = command.to_dict(studio.client.tree)
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
        "preset",
        "private",
    ]
    completed = [option["name"] for option in payload["options"] if option.get("autocomplete")]
    assert completed == ["model", "fit", "version", "preset"]
