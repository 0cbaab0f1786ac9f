"""The main job: `/imagine` from the command to the pictures and the receipt."""

import asyncio
import io

import pytest
from PIL import Image

from sandbox.discord import NoAnswerError, buttons, files, media, text
from sandbox.providers import expected_mark, read_mark
from tests.end_to_end.system_harness import PATIENCE, SystemHarness, drawing, is_done, says
from tests.support.fidelity import find_description

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_members_imagine_becomes_one_card_with_its_picture_and_a_receipt(house: SystemHarness) -> None:
    """A member's command is answered by one card, which is edited until it shows the picture and the receipt."""
    member = house.discord.actor("member")
    invocation = await member.slash("imagine", prompt="a red fox in the snow")
    card = await invocation.response()
    assert "a red fox in the snow" in text(card)
    assert "In line" in text(card)
    assert [button["label"] for button in buttons(card)] == ["Cancel"]
    made = await drawing(house.skillboss, "a red fox in the snow")
    house.skillboss.advance(made)
    await invocation.wait_until(says("Drawing"))
    house.skillboss.finish(made)
    card = await invocation.wait_until(is_done)
    assert "12 credits" in text(card)
    assert "Cancel" not in [button.get("label") for button in buttons(card)]
    assert media(card)[0]["url"]
    (picture,) = await house.pictures(card)
    assert read_mark(picture) == expected_mark("a red fox in the snow", 0)
    assert member.sees()[-1] is card
    assert invocation.followups == []
    ledger = await house.ledger()
    assert ledger.problems == []
    assert ledger.held == 0


async def test_four_pictures_each_belong_to_their_prompt_in_the_asked_format(house: SystemHarness) -> None:
    """Four pictures come as asked: their own marks, format and shape, alternative text from the prompt."""
    invocation = await house.discord.actor("member-two").slash(
        "imagine", prompt="four *bold* boats @everyone", images=4, format="webp", aspect_ratio="16:9"
    )
    house.skillboss.finish(await drawing(house.skillboss, "four *bold* boats @everyone"))
    card = await invocation.wait_until(is_done)
    pictures = await house.pictures(card)
    assert [read_mark(each) for each in pictures] == [
        expected_mark("four *bold* boats @everyone", index) for index in range(4)
    ]
    opened = [Image.open(io.BytesIO(each)) for each in pictures]
    assert [(each.format, each.size) for each in opened] == [("WEBP", (1792, 1024))] * 4
    assert "48 credits" in text(card)
    assert "@everyone" not in text(card)
    gallery = next(part for part in card.payload["components"][0]["components"] if part["type"] == 12)
    assert {item["description"] for item in gallery["items"]} == {"four *bold* boats @everyone"}


@pytest.mark.parametrize(
    ("options", "price"),
    [
        ({"model": "nano-banana"}, 20),
        ({"model": "nano-banana-pro", "resolution": "4K"}, 140),
        ({"model": "seedream-5", "aspect_ratio": "3:2"}, 25),
        ({"model": "reve-2.0", "detail": 3, "aspect_ratio": "auto"}, 36),
    ],
)
async def test_every_model_of_reve2img_draws(house: SystemHarness, options: dict[str, object], price: int) -> None:
    """What SkillBoss does not offer goes to reve2img, at the catalogue's price."""
    member = house.discord.actor("member")
    await (await member.slash("settings set", options={"ask_over": 1000})).response()
    invocation = await member.slash("imagine", prompt="a lighthouse", options=options)
    house.reve2img.finish(await drawing(house.reve2img, "a lighthouse"))
    card = await invocation.wait_until(is_done)
    assert f"-# {price} credits" in text(card)


async def test_a_picture_is_upscaled_fitted_and_cut_out(house: SystemHarness) -> None:
    """What was asked for is to be seen in the picture that a member downloads: its size and its transparency."""
    options = {"upscale": "2x", "fit": "1500x", "remove_background": True, "effect": "sepia", "aspect_ratio": "16:9"}
    invocation = await house.discord.actor("member").slash("imagine", prompt="cut out", options=options)
    house.reve2img.finish(await drawing(house.reve2img, "cut out"))
    card = await invocation.wait_until(is_done)
    (picture,) = await house.pictures(card)
    with Image.open(io.BytesIO(picture)) as opened:
        assert opened.size == (1500, 847)
        assert opened.has_transparency_data
    assert read_mark(picture) == expected_mark("cut out", 0)
    assert "28 credits" in text(card)
    assert "upscaled 2x · cut out · fit 1500x" in text(card)


async def test_models_are_completed_with_prices(house: SystemHarness) -> None:
    """While a member types a model, Discord shows those that there are, with the price of what is chosen."""
    choices = await house.discord.actor("member").autocomplete("imagine", "model", "nano", images=2)
    assert [choice["name"] for choice in choices] == [
        "nano-banana · 40 credits · quick ideas from text",
        "nano-banana-pro · 140 credits · fine detail, up to 4K",
    ]


async def test_an_answer_that_comes_at_once_is_delivered_too(house: SystemHarness) -> None:
    """A provider may answer the submit with the finished picture."""
    house.reve2img.faults.add("submit", "inline")
    invocation = await house.discord.actor("member").slash("imagine", prompt="at once", model="nano-banana")
    card = await invocation.wait_until(is_done)
    assert read_mark((await house.pictures(card))[0]) == expected_mark("at once", 0)


async def test_a_long_prompt_is_cut_on_the_card_and_whole_in_a_file(house: SystemHarness) -> None:
    """A long prompt takes a few lines of the card; the whole of it is one press away, for the presser alone."""
    prompt = ("a very long walk through every street of the old town " * 40).strip()
    member = house.discord.actor("member")
    invocation = await member.slash("imagine", prompt=prompt)
    card = await invocation.response()
    assert len(text(card)) < 600
    whole = await (await house.discord.actor("member-two").click(card, label="Whole prompt")).response()
    assert whole.ephemeral
    assert files(whole)[0]["filename"] == "prompt.txt"
    assert files(whole)[0]["size"] == len(prompt)
    house.skillboss.finish(await drawing(house.skillboss, prompt))
    await invocation.wait_until(is_done)


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
async def test_hostile_prompts_are_drawn_or_refused_and_never_break_the_card(
    house: SystemHarness,
    prompt: str,
    accepted: bool,  # noqa: FBT001
) -> None:
    """Whatever is typed is drawn, or refused for its sender alone with nothing charged."""
    before = await house.ledger()
    made = len(house.skillboss.jobs)
    invocation = await house.discord.actor("member").slash("imagine", unchecked=True, options={"prompt": prompt})
    card = await invocation.response()
    if accepted:
        await house.skillboss.wait_for(lambda: len(house.skillboss.jobs) > made)
        house.skillboss.finish()
        card = await invocation.wait_until(is_done)
        assert read_mark((await house.pictures(card))[0]) == expected_mark(prompt, 0)
        assert "<@123>" not in text(card)
        assert "```" not in text(card)
    else:
        assert card.ephemeral
        assert "Nothing was charged." in text(card)
        after = await house.ledger()
        assert (after.problems, after.states, after.charged) == ([], before.states, before.charged)
    assert "Traceback" not in house.log()


async def test_the_balance_status_and_help_are_for_the_asker_alone(house: SystemHarness) -> None:
    """`/credits balance` begins with what can be spent; `/status` and `/help` tell the studio's state and models."""
    member = house.discord.actor("moderator")
    balance = await (await member.slash("credits balance")).response()
    assert text(balance).startswith("## 100,000 credits to spend")
    status = await (await member.slash("status")).response()
    assert "The studio is open" in text(status)
    guide = await (await member.slash("help")).response()
    assert "nano-banana-pro" in text(guide)
    assert balance.ephemeral
    assert status.ephemeral
    assert guide.ephemeral


async def test_the_watchdog_pages_answer(house: SystemHarness) -> None:
    """`/healthz` and `/readyz` say that the bot runs and can serve."""
    assert await house.get("/healthz") == (200, {"status": "ok"})
    async with asyncio.timeout(PATIENCE):  # it takes commands a little before it knows that it has its gateway
        while (await house.get("/readyz"))[0] != 200:
            pass
    assert await house.get("/readyz") == (200, {"status": "ok", "missing": []})


async def test_secrets_and_prompts_stay_out_of_the_log(house: SystemHarness) -> None:
    """Neither keys, tokens nor prompts are logged, whatever happened before."""
    log = house.log()
    for secret in ("end-to-end", "a red fox", "lighthouse", "aW50ZXJhY3Rpb246"):
        assert secret not in log


async def test_discords_description_was_there_to_check_against() -> None:
    """Everything that these tests sent was checked against Discord's own description of its API."""
    if find_description() is None:
        pytest.skip("discord-openapi.json is neither in ATELIER_TEST_DATA nor in a sibling folder named shared")
    assert NoAnswerError is not None
