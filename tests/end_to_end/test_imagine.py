"""The main job: `/imagine` from the command to the images and the receipt."""

import io

import pytest
from PIL import Image

from sandbox.discord import NoAnswerError, buttons, media, text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job
from tests.support.fidelity import find_description
from tests.support.polling import poll

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_imagine_ends_as_one_card_with_image_and_receipt(system: SystemHarness) -> None:
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="a red fox in the snow")
    card = await invocation.response()
    assert "a red fox in the snow" in text(card)
    assert "Queued" in text(card)
    assert [button["label"] for button in buttons(card)] == ["Cancel"]
    made = await wait_for_provider_job(system.skillboss, "a red fox in the snow")
    system.skillboss.advance(made)
    await invocation.wait_until(says("Generating"))
    system.skillboss.finish(made)
    card = await invocation.wait_until(has_images)
    assert "12 credits" in text(card)
    assert "Cancel" not in [button.get("label") for button in buttons(card)]
    assert media(card)[0]["url"]
    (picture,) = await system.pictures(card)
    assert read_mark(picture) == expected_mark("a red fox in the snow", 0)
    assert member.sees()[-1] is card
    assert invocation.followups == []
    ledger = await system.ledger()
    assert ledger.problems == []
    assert ledger.held == 0


async def test_four_images_match_prompt_and_options(system: SystemHarness) -> None:
    """Marks, format, aspect ratio, and alternative text from the prompt."""
    invocation = await system.discord.actor("member-two").slash(
        "imagine", prompt="four *bold* boats @everyone", images=4, format="webp", aspect_ratio="16:9"
    )
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, "four *bold* boats @everyone"))
    card = await invocation.wait_until(has_images)
    pictures = await system.pictures(card)
    assert [read_mark(each) for each in pictures] == [
        expected_mark("four *bold* boats @everyone", index) for index in range(4)
    ]
    opened = [Image.open(io.BytesIO(each)) for each in pictures]
    assert [(each.format, each.size) for each in opened] == [("WEBP", (1792, 1024))] * 4
    assert "48 credits" in text(card)
    assert "@everyone" not in text(card)
    gallery = next(part for part in card.payload["components"][0]["components"] if part["type"] == 12)
    assert [item["description"] for item in gallery["items"]] == [
        f"Picture {number} of 4: four *bold* boats @everyone" for number in range(1, 5)
    ]


@pytest.mark.parametrize(
    ("options", "price"),
    [
        ({"model": "nano-banana"}, 20),
        ({"model": "nano-banana-pro", "resolution": "4K", "format": "webp"}, 140),
        ({"model": "seedream-5", "aspect_ratio": "3:2"}, 25),
        ({"model": "reve-2.0", "detail": 3, "aspect_ratio": "auto"}, 36),
    ],
)
async def test_every_reve2img_model_returns_images(
    system: SystemHarness, options: dict[str, object], price: int
) -> None:
    """Models missing at SkillBoss go to reve2img at the catalogue's price."""
    member = system.discord.actor("member")
    await (await member.slash("settings set", options={"ask_over": 1000})).response()
    invocation = await member.slash("imagine", prompt="a lighthouse", options=options)
    system.reve2img.finish(await wait_for_provider_job(system.reve2img, "a lighthouse"))
    card = await invocation.wait_until(has_images)
    assert f"-# {price} credits" in text(card)


async def test_image_is_upscaled_fitted_and_cut_out(system: SystemHarness) -> None:
    """The downloaded image has the size and the transparency."""
    options = {"upscale": "2x", "fit": "1500x", "remove_background": True, "effect": "sepia", "aspect_ratio": "16:9"}
    invocation = await system.discord.actor("member").slash("imagine", prompt="cut out", options=options)
    system.reve2img.finish(await wait_for_provider_job(system.reve2img, "cut out"))
    card = await invocation.wait_until(has_images)
    (picture,) = await system.pictures(card)
    with Image.open(io.BytesIO(picture)) as opened:
        assert opened.size == (1500, 847)
        assert opened.has_transparency_data
    assert read_mark(picture) == expected_mark("cut out", 0)
    assert "28 credits" in text(card)
    assert "upscaled 2× · cut out · fit 1500x" in text(card)


async def test_model_completion_shows_prices(system: SystemHarness) -> None:
    choices = await system.discord.actor("member").autocomplete("imagine", "model", "nano", images=2)
    assert [choice["name"] for choice in choices] == [
        "nano-banana · 40 credits · quick ideas from text",
        "nano-banana-pro · 140 credits · fine detail, up to 4K",
    ]


async def test_synchronous_result_is_delivered(system: SystemHarness) -> None:
    """A provider may answer the submit with the finished image."""
    system.reve2img.faults.add("submit", "inline")
    invocation = await system.discord.actor("member").slash("imagine", prompt="at once", model="nano-banana")
    card = await invocation.wait_until(has_images)
    assert read_mark((await system.pictures(card))[0]) == expected_mark("at once", 0)


async def test_long_prompt_is_cut_on_card_and_complete_at_a_press(system: SystemHarness) -> None:
    """One press gives the whole prompt, privately."""
    prompt = ("a very long walk through every street of the old town " * 40).strip()
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt=prompt)
    card = await invocation.response()
    assert 300 < len(text(card)) < 600
    whole = await (await system.discord.actor("member-two").click(card, label="Show prompt")).response()
    assert whole.ephemeral
    assert text(whole) == f"```\n{prompt}\n```"
    system.skillboss.finish(await wait_for_provider_job(system.skillboss, prompt))
    await invocation.wait_until(has_images)


@pytest.mark.parametrize(
    ("prompt", "accepted"),
    [
        ("", False),
        ("   ", False),
        ("\u200b\u200d", False),
        ("*" * 2560, True),
        ("*" * 2561, False),
        ("שלום עולם \u202eאבג", True),
        ("z\u0351\u0489\u0300algo", True),
        ("👩‍👩‍👧‍👦 family 🏳️‍🌈", True),
        ("@everyone <@123> <#1> <@&2>", True),
        ("```py\nprint()\n``` **bold** [x](https://example.com)", True),
        ("lone \ud800 surrogate", False),
        ("a \x00 null", False),
        ("-# small\n# large\n> quote", True),
    ],
)
async def test_hostile_prompt_is_accepted_or_refused_without_broken_card(
    system: SystemHarness,
    prompt: str,
    accepted: bool,
) -> None:
    """A refusal is private and charges nothing."""
    before = await system.ledger()
    made = len(system.skillboss.jobs)
    invocation = await system.discord.actor("member").slash("imagine", unchecked=True, options={"prompt": prompt})
    card = await invocation.response()
    if accepted:
        await system.skillboss.wait_for(lambda: len(system.skillboss.jobs) > made)
        system.skillboss.finish()
        card = await invocation.wait_until(has_images)
        assert read_mark((await system.pictures(card))[0]) == expected_mark(prompt, 0)
        assert "<@123>" not in text(card)
        assert "```" not in text(card)
    else:
        assert card.ephemeral
        assert text(card).startswith("The prompt ")
        after = await system.ledger()
        assert (after.problems, after.states, after.charged) == ([], before.states, before.charged)
    assert "Traceback" not in system.log()


async def test_balance_status_and_help_are_private(system: SystemHarness) -> None:
    member = system.discord.actor("moderator")
    balance = await (await member.slash("credits balance")).response()
    assert text(balance).startswith("## 100,000 credits to spend")
    status = await (await member.slash("status")).response()
    assert "The studio is open" in text(status)
    guide = await (await member.slash("help")).response()
    assert "nano-banana-pro" in text(guide)
    assert balance.ephemeral
    assert status.ephemeral
    assert guide.ephemeral


async def test_health_endpoints_report_ready(system: SystemHarness) -> None:
    assert await system.get("/healthz") == (200, {"status": "ok"})
    # It takes commands a little before it knows that it has its gateway.
    ready = await poll(lambda: system.get("/readyz"), until=lambda answer: answer[0] == 200)
    assert ready == (200, {"status": "ok", "missing": []})


async def test_log_contains_no_secret_and_no_prompt(system: SystemHarness) -> None:
    log = system.log()
    for secret in ("end-to-end", "a red fox", "lighthouse", "aW50ZXJhY3Rpb246"):
        assert secret not in log


async def test_api_description_was_available_for_checks() -> None:
    if find_description() is None:
        pytest.skip("ATELIER_TEST_DATA has no discord-openapi.json")
    assert NoAnswerError is not None
