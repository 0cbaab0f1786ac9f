"""`/imagine` from the member's side, on simcord."""

from typing import Any

import discord
import pytest
from structlog.testing import capture_logs

from bot.domain.errors import (
    ConfirmationGoneError,
    DuplicateInteractionError,
    ExclusiveOptionsError,
    InsufficientCreditsError,
    NotAdmittedError,
    OptionRangeError,
    PromptError,
    QueueFullError,
    UnknownModelError,
    UnsupportedOptionError,
)
from bot.domain.jobs import State
from bot.services import job_snapshots
from tests.cogs.bot_harness import BotHarness, InteractionResult, buttons, private, texts

NOON = "<t:1772625600:R>"


async def test_imagine_edits_one_card_to_the_end(bot: BotHarness) -> None:
    """One public card becomes the images and the receipt."""
    member = bot.member("member")
    result = await bot.imagine(member, prompt="a fox", images=2)

    assert result.response is not None
    assert not result.response.ephemeral
    heading = f"## \u2068a fox\u2069\n-# reve-2.0 · 1:1 · 2 pictures · for {member.mention}"
    shown, state = bot.card(result)
    assert shown == heading
    assert state in (f"Queued, 1st · {NOON}", f"Queued · {NOON}")  # the engine may have taken it already
    assert buttons(result) == ["Cancel"]
    first = result.response.id

    await bot.finish(result)

    assert bot.card(result) == [heading, "-# 24 credits · 1\u00a0s"]
    assert buttons(result) == ["Again · 24"]
    assert result.response.id == first
    assert result.followups == []
    assert len(bot.channel.history()) == 1
    (container,) = result.response.components
    pictures = [item for part in container["components"] for item in part.get("items", [])]
    assert [item["description"] for item in pictures] == ["Picture 1 of 2: a fox", "Picture 2 of 2: a fox"]
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png", "atelier-2.png"]


async def test_card_shows_generating_state(bot: BotHarness) -> None:
    """The state line changes and the accent is no longer grey."""
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    bot.server.advance()
    await bot.polls_until(lambda: bot.card(result)[-1] == f"Generating · started {NOON}")
    assert result.response is not None
    assert result.response.components[0]["accent_color"] == 0x5865F2


async def test_card_in_long_queue_gets_its_position(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sorted after the answer; no time passes until it is shown."""
    monkeypatch.setattr(job_snapshots, "_LONG_QUEUE", 1)
    member = bot.member("member")
    for number in range(3):
        await bot.imagine(member, prompt=f"fox {number}")
    await bot.reaches(*[State.QUEUED] * 3)
    cards = [await bot.imagine(member, prompt=f"fox {number}") for number in (3, 4, 5)]
    await bot.until(
        lambda: [bot.card(card)[-1][:11] for card in cards] == ["Queued, 1st", "Queued, 2nd", "Queued, 3rd"]
    )


async def test_cards_leave_no_view_in_memory(bot: BotHarness) -> None:
    """discord.py's view store stays empty."""
    member = bot.member("member")
    result = await bot.imagine(member, prompt="a fox" * 40)
    await bot.finish(result)
    await member.slash(bot.channel, "credits balance")
    store = bot.client._connection._view_store
    assert store._views == {}
    assert store._synced_message_views == {}
    assert store._dynamic_items == {}


async def test_mentions_in_prompt_ping_nobody(bot: BotHarness) -> None:
    member, other = bot.member("member"), bot.member("other")
    result = await bot.imagine(member, prompt=f"@everyone {other.mention} <@&{bot.guild.default_role.id}> hello")
    assert result.response is not None
    message = result.response.message
    assert not message.mention_everyone
    assert other.id not in [user.id for user in message.mentions]
    assert message.role_mentions == []
    heading = bot.card(result)[0].splitlines()[0]
    assert f"<@{other.id}>" not in heading
    assert "@everyone" not in heading
    sent = [each.json for each in bot.env.http_requests if each.path.endswith("/callback")]
    assert isinstance(sent[-1], dict)
    assert sent[-1]["data"]["allowed_mentions"] == {"parse": []}


async def test_final_edit_after_token_expiry_uses_bot_token(bot: BotHarness) -> None:
    """After 15 minutes the bot token edits the message."""
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    bot.clock.advance(16 * 60)
    await bot.finish(result)
    assert bot.card(result)[-1] == "-# 12 credits · 16\u00a0min"
    assert result.response is not None
    assert bot.requests("PATCH", f"/channels/{bot.channel.id}/messages/{result.response.id}") >= 1


async def test_deleted_card_is_not_replaced(bot: BotHarness) -> None:
    """The job continues; no message replaces the card."""
    mod = bot.member("mod", manage_messages=True)
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    assert result.response is not None
    await mod.delete(result.response)
    bot.server.finish()
    while await bot.column("delivered_at") == [None]:
        await bot.look()
    assert bot.channel.history() == []
    assert await bot.column("state") == ["done"]


async def test_failed_job_is_explained_on_card(bot: BotHarness) -> None:
    """Reason, no charge, next step."""
    bot.server.faults.add("submit", "fail", reason="content")
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.finish(result)
    assert bot.card(result)[-1] == (
        "The image service refused this prompt.\nNothing was charged: 12 credits returned. Try rewording it."
    )


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, 50035, "Something went wrong on our side, and the operator's log has it."),
        (400, 200000, "This server's AutoMod does not let the studio post this. Nothing was charged."),
        (400, 240000, "This server's AutoMod does not let the studio post this. Nothing was charged."),
    ],
)
async def test_refused_card_refunds_and_is_answered(bot: BotHarness, status: int, code: int, words: str) -> None:
    """The job ends before any submit; the answer stays as it is."""
    bot.expected = [discord.HTTPException]
    bot.env.inject_error("POST", "/interactions/*/callback", status=status, code=code)
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    assert private(result).splitlines()[0] == words
    assert await bot.column("state") == ["cancelled"]
    assert await bot.column("delivery") == ["nowhere"]
    assert await bot.column("charged") == [0]
    assert bot.server.jobs == []
    assert bot.requests("PATCH", "") == 0


async def test_card_for_expired_interaction_is_not_answered(bot: BotHarness) -> None:
    """Discord's 10062: it has told the member itself."""
    bot.expected = [discord.NotFound]
    bot.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062)
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    assert result.response is None
    assert await bot.column("state") == ["cancelled"]
    assert bot.requests("POST", "/callback") == 1


async def test_refused_question_is_forgotten(bot: BotHarness) -> None:
    """The same command asks again instead of naming an unseen question."""
    bot.expected = [discord.HTTPException]
    member = bot.member("member")
    await member.slash(bot.channel, "settings set", ask_over=0)
    bot.env.inject_error("POST", "/interactions/*/callback", status=400, code=50035)
    assert private(await bot.imagine(member, prompt="a fox")).startswith("Something went wrong")
    assert buttons(await bot.imagine(member, prompt="a fox")) == ["Generate · 12 credits", "Cancel"]


async def test_already_acknowledged_interaction_without_message_buys_nothing(bot: BotHarness) -> None:
    """Discord's 40060 proves an answer, not the card."""
    bot.env.inject_error("POST", "/interactions/*/callback", status=400, code=40060)
    await bot.imagine(bot.member("member"), prompt="a fox")
    assert await bot.column("state") == ["held"]
    bot.clock.advance(21)
    await bot.reaches(State.FAILED)
    assert await bot.column("charged") == [0]
    assert bot.server.jobs == []


async def test_duplicate_interaction_makes_one_job(bot: BotHarness) -> None:
    """The second delivery makes no job, holds nothing and answers nothing."""
    bot.expected = [DuplicateInteractionError]
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    bot.env.backend.emit("INTERACTION_CREATE", bot.last_interaction)
    await bot.env.settle()
    assert bot.requests("POST", "/callback") == 1
    assert len(bot.channel.history()) == 1
    assert result.followups == []
    assert await bot.column("state") == ["queued"]


async def test_unchanged_commands_are_synced_once(bot: BotHarness) -> None:
    """A restart without changes sends nothing."""
    await bot.restart()
    assert bot.requests("PUT", "/commands") == 1


REFUSED: list[tuple[type[Exception], dict[str, Any], str]] = [
    (
        PromptError,
        {"prompt": " \u200b "},
        "The prompt is empty.\nDescribe the picture in a few words and send it again.",
    ),
    (
        PromptError,
        {"prompt": "a" * 2600},
        ("The prompt has 2,600 characters; this model takes 2,560.\nShorten it by 40 and send it again."),
    ),
    (
        PromptError,
        {"prompt": "a\x00fox"},
        ("The prompt has a character that cannot be sent on.\nType the prompt again instead of pasting it."),
    ),
    (
        UnsupportedOptionError,
        {"prompt": "a fox", "aspect_ratio": "3:2"},
        (
            "reve-2.0 cannot do aspect ratio 3:2.\n"
            "No model of this studio can. Leave the option out, or choose another value."
        ),
    ),
    (
        UnsupportedOptionError,
        {"prompt": "a fox", "resolution": "4K"},
        (
            "reve-2.0 cannot do resolution 4K.\n"
            "No model of this studio can. Leave the option out, or choose another value."
        ),
    ),
    (
        UnknownModelError,
        {"prompt": "a fox", "model": "seedream-5"},
        "This studio has no model “\u2068seedream\\-5\u2069”.\nChoose reve-2.0.",
    ),
    (
        OptionRangeError,
        {"prompt": "a fox", "fit": "huge"},
        (
            "“\u2068huge\u2069” isn't a valid fit.\n"
            "It takes 2048 (longest side), 2048x (width), x1024 (height) or 1920x1080 (both), up to 4,096."
        ),
    ),
    (
        ExclusiveOptionsError,
        {"prompt": "a fox", "remove_background": True, "format": "jpeg"},
        ("remove_background does not go with format jpeg.\nChoose format png or webp, or leave one of the two out."),
    ),
]


@pytest.mark.parametrize(("error", "options", "answer"), REFUSED, ids=[str(case[1])[:40] for case in REFUSED])
async def test_invalid_request_is_refused_privately(
    bot: BotHarness, error: type[Exception], options: dict[str, Any], answer: str
) -> None:
    """Reason and next step; no job is made."""
    bot.expected = [error]
    result = await bot.imagine(bot.member("member"), **options)
    assert result.response is not None
    assert (private(result) or texts(result.response.components)[0]) == answer
    assert await bot.column("id") == []


@pytest.mark.bot(allowance=10)
async def test_insufficient_credits_are_refused(bot: BotHarness) -> None:
    """Waiting is no advice where a day has too few."""
    bot.expected = [InsufficientCreditsError]
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    assert private(result) == (
        "This costs 12 credits. Your allowance is 10 a day, so it can never pay for this.\n"
        "Choose a cheaper model or fewer options, or ask an admin for a grant."
    )


@pytest.mark.bot(allowance=20)
async def test_second_refusal_within_moments_says_the_same_without_offer(bot: BotHarness) -> None:
    """The offer of the first one still stands."""
    bot.expected = [InsufficientCreditsError]
    member = bot.member("member")
    first = await bot.imagine(member, prompt="a fox", images=4)
    second = await bot.imagine(member, prompt="a fox", images=4)
    assert buttons(first) == ["Generate 1 picture · 12 credits"]
    assert private(second).startswith("This costs 48 credits. Your allowance is 20 a day,")


@pytest.mark.bot(allowance=1000)
async def test_full_queue_is_refused(bot: BotHarness) -> None:
    """Ten jobs wait already."""
    bot.expected = [QueueFullError]
    member = bot.member("member")
    for number in range(13):  # three are being drawn
        await bot.imagine(member, prompt=f"fox {number}")
    await bot.reaches(*[State.QUEUED] * 3, *[State.HELD] * 10)
    result = await bot.imagine(member, prompt="one too many")
    assert private(result) == (
        "You have 10 jobs waiting already. Nothing was charged.\n"
        "Send the next one when one of them is finished, or cancel one."
    )


@pytest.mark.bot(admitted=frozenset({1}))
async def test_unadmitted_server_is_refused(bot: BotHarness) -> None:
    """With the way to admission."""
    bot.expected = [NotAdmittedError]
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    assert private(result).startswith("The studio is not open to this server yet.\n")


async def test_direct_message_offers_serverless_commands_only(bot: BotHarness) -> None:
    """No /imagine, no /credits, no /studio.

    simcord hides a guild-only command as Discord does, so the refusal itself is out of reach here.
    """
    user = bot.env.create_user("loner")
    offered = {command.split(" ")[0] for command in user.available_commands()}
    assert offered == {"help", "history", "jobs", "preset", "privacy", "settings", "status"}
    result = await user.slash("help")
    assert result.response is not None
    assert result.response.ephemeral


async def test_internal_failure_gives_reference(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has reference and traceback, without the prompt."""
    bot.expected = [ZeroDivisionError]

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bot.jobs, "resolve_and_create", broken)
    with capture_logs() as log:
        result = await bot.imagine(bot.member("member"), prompt="a very private fox")
    words, reference = private(result).splitlines()
    assert words == "Something went wrong on our side, and the operator's log has it."
    (line,) = log
    assert reference == f"Reference: `{line['reference']}`"
    assert line["event"] == "interaction.failed"
    assert isinstance(line.pop("exc_info"), ZeroDivisionError)
    assert "private fox" not in repr(line)


@pytest.mark.bot(reve2img=True)
async def test_price_beyond_a_day_offers_what_fits(bot: BotHarness) -> None:
    """The press works once, after a restart too, and shows the card to all."""
    bot.expected = [InsufficientCreditsError, ConfirmationGoneError]
    member = bot.member("member")
    refused = await bot.imagine(member, prompt="a fox", images=4, detail=15)
    assert shown(refused) == [
        (
            "This costs 720 credits. Your allowance is 200 a day, so it can never pay for this.\n"
            "Ask for fewer pictures or less detail.\nYou have 200 now."
        )
    ]
    assert buttons(refused) == ["Generate 1 picture · 180 credits"]
    await bot.restart()
    assert refused.response is not None
    made = await member.click(refused.response, label="Generate 1 picture · 180 credits")
    assert made.response is not None
    assert not made.response.ephemeral
    assert "detail 15" in bot.card(made)[0]
    again = await member.click(refused.response, label="Generate 1 picture · 180 credits")
    assert private(again).startswith("You have answered this already.")
    assert await bot.column("price") == [180]


@pytest.mark.bot(reve2img=True)
async def test_offer_lowers_detail_after_pictures(bot: BotHarness) -> None:
    """Its price is checked again at the press."""
    bot.expected = [InsufficientCreditsError]
    member = bot.member("member")
    await bot.imagine(member, prompt="a hen", detail=4)  # 48 credits
    refused = await bot.imagine(member, prompt="a fox", images=4, detail=15)
    assert buttons(refused) == ["Generate 1 picture, detail 12 · 144 credits"]
    await bot.imagine(member, prompt="an owl", detail=4)
    assert refused.response is not None
    pressed = await member.click(refused.response, label="Generate 1 picture, detail 12 · 144 credits")
    assert private(pressed).startswith("This takes 144 credits and you have 104.\nYour allowance resets ")
    assert await bot.column("price") == [48, 48]


@pytest.mark.bot(reve2img=True)
async def test_offer_of_private_request_stays_private(bot: BotHarness) -> None:
    bot.expected = [InsufficientCreditsError]
    member = bot.member("member")
    refused = await bot.imagine(member, prompt="a fox", images=4, detail=15, private=True)
    assert refused.response is not None
    made = await member.click(refused.response, label="Generate 1 picture · 180 credits")
    assert made.response is not None
    assert made.response.ephemeral


def shown(result: InteractionResult) -> list[str]:
    """Return the texts of an ephemeral answer with buttons."""
    assert result.response is not None
    assert result.response.ephemeral
    return texts(result.response.components)
