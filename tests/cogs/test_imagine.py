"""`/imagine` from the member's side, on simcord."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import (
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
from tests.cogs.bot_harness import BotHarness, buttons, private

NOON = "<t:1772625600:R>"


async def test_one_card_from_first_state_to_pictures(studio: BotHarness) -> None:
    """The command is answered with one public card, and that message becomes the pictures and the receipt."""
    ann = studio.member("ann")
    result = await studio.imagine(ann, prompt="a fox", images=2)

    assert result.response is not None
    assert not result.response.ephemeral
    heading = f"## \u2068a fox\u2069\n-# reve-2.0 · 1:1 · 2 pictures · for {ann.mention}"
    assert studio.card(result) == [heading, f"In line · since {NOON}"]
    assert buttons(result) == ["Cancel"]
    first = result.response.id

    await studio.finish(result)

    assert studio.card(result) == [heading, "-# 24 credits · 176 left today · 1\u00a0s"]
    assert buttons(result) == ["Again"]
    assert result.response.id == first
    assert result.followups == []
    assert len(studio.channel.history()) == 1
    (container,) = result.response.components
    pictures = [item for part in container["components"] for item in part.get("items", [])]
    assert [item["description"] for item in pictures] == ["a fox", "a fox"]
    assert [each.filename for each in result.response.attachments] == ["atelier-1.png", "atelier-2.png"]


async def test_the_card_says_that_it_is_drawn(studio: BotHarness) -> None:
    """Once the image API has begun, the line of state changes and the accent is no longer grey."""
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    studio.server.advance()
    await studio.polls_until(lambda: studio.card(result)[-1] == f"Drawing · since {NOON}")
    assert result.response is not None
    assert result.response.components[0]["accent_color"] == 0x5865F2


async def test_nothing_of_a_card_is_kept_in_memory(studio: BotHarness) -> None:
    """After any number of cards the library's view store is empty: the buttons live in their custom ids alone."""
    ann = studio.member("ann")
    result = await studio.imagine(ann, prompt="a fox" * 40)
    await studio.finish(result)
    await ann.slash(studio.channel, "credits balance")
    store = studio.client._connection._view_store
    assert store._views == {}
    assert store._synced_message_views == {}
    assert store._dynamic_items == {}


async def test_nobody_is_pinged_by_a_prompt(studio: BotHarness) -> None:
    """A prompt full of mentions is shown as typed, and the message mentions nobody."""
    ann, bob = studio.member("ann"), studio.member("bob")
    result = await studio.imagine(ann, prompt=f"@everyone {bob.mention} <@&{studio.guild.default_role.id}> hello")
    assert result.response is not None
    message = result.response.message
    assert not message.mention_everyone
    assert bob.id not in [user.id for user in message.mentions]
    assert message.role_mentions == []
    heading = studio.card(result)[0].splitlines()[0]
    assert f"<@{bob.id}>" not in heading
    assert "@everyone" not in heading
    sent = [each.json for each in studio.env.http_requests if each.path.endswith("/callback")]
    assert isinstance(sent[-1], dict)
    assert sent[-1]["data"]["allowed_mentions"] == {"parse": []}


async def test_the_last_edit_comes_even_when_the_token_is_dead(studio: BotHarness) -> None:
    """After a quarter of an hour the interaction's token is void, so the bot edits the message with its own."""
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    studio.clock.advance(16 * 60)
    await studio.finish(result)
    assert studio.card(result)[-1] == "-# 12 credits · 188 left today · 16\u00a0min"
    assert result.response is not None
    assert studio.requests("PATCH", f"/channels/{studio.channel.id}/messages/{result.response.id}") >= 1


async def test_a_card_that_a_moderator_deleted_stays_away(studio: BotHarness) -> None:
    """Deleting the card does not stop the job, and nothing is posted in its place."""
    mod = studio.member("mod", manage_messages=True)
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    assert result.response is not None
    await mod.delete(result.response)
    studio.server.finish()
    while await studio.column("delivered_at") == [None]:
        await studio.look()
    assert studio.channel.history() == []
    assert await studio.column("state") == ["done"]


async def test_a_failure_is_told_on_the_card(studio: BotHarness) -> None:
    """When the image API fails, the card says why, that nothing was charged, and what to do."""
    studio.server.faults.add("submit", "fail", reason="content")
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.finish(result)
    assert studio.card(result)[-1] == (
        "The image service refused this prompt.\n"
        "Nothing was charged: 12 credits returned, 200 left today. Word it differently."
    )


async def test_a_card_that_never_appeared_costs_nothing(studio: BotHarness) -> None:
    """When Discord surely did not take the answer, the job ends before anything is sent, and all is returned."""
    studio.env.inject_error("POST", "/interactions/*/callback", status=400, code=50035)
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    assert result.response is None
    assert await studio.column("state") == ["cancelled"]
    assert await studio.column("charged") == [0]
    assert studio.server.jobs == []


async def test_an_answer_that_discord_had_already_taken_counts(studio: BotHarness) -> None:
    """Discord's 40060 says that the card is there, so the job goes on."""
    studio.env.inject_error("POST", "/interactions/*/callback", status=400, code=40060)
    await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)


async def test_a_doubled_interaction_is_answered_once(studio: BotHarness) -> None:
    """Discord may deliver an interaction twice: the second one makes no job, holds nothing and says nothing."""
    studio.expected = [DuplicateInteractionError]
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    studio.env.backend.emit("INTERACTION_CREATE", studio.last_interaction)
    await studio.env.settle()
    assert studio.requests("POST", "/callback") == 1
    assert len(studio.channel.history()) == 1
    assert result.followups == []
    assert await studio.column("state") == ["queued"]


async def test_the_commands_are_sent_to_discord_once(studio: BotHarness) -> None:
    """A restart without a change of the commands does not send them again."""
    await studio.restart()
    assert studio.requests("PUT", "/commands") == 1


REFUSED: list[tuple[type[Exception], dict[str, Any], str]] = [
    (
        PromptError,
        {"prompt": " \u200b "},
        "The prompt is empty. Nothing was charged.\nDescribe the picture in a few words and send it again.",
    ),
    (
        PromptError,
        {"prompt": "a" * 2600},
        (
            "The prompt has 2,600 characters; this model takes 2,560. Nothing was charged.\n"
            "Shorten it by 40 and send it again."
        ),
    ),
    (
        PromptError,
        {"prompt": "a\x00fox"},
        (
            "The prompt has a character that cannot be sent on. Nothing was charged.\n"
            "Type the prompt anew instead of pasting it."
        ),
    ),
    (
        UnsupportedOptionError,
        {"prompt": "a fox", "aspect_ratio": "3:2"},
        (
            "reve-2.0 cannot do aspect ratio 3:2. Nothing was charged.\n"
            "No model of this studio can. Leave the option out, or choose another value."
        ),
    ),
    (
        UnsupportedOptionError,
        {"prompt": "a fox", "resolution": "4K"},
        (
            "reve-2.0 cannot do resolution 4K. Nothing was charged.\n"
            "No model of this studio can. Leave the option out, or choose another value."
        ),
    ),
    (
        UnknownModelError,
        {"prompt": "a fox", "model": "seedream-5"},
        "This studio has no model “\u2068seedream\\-5\u2069”. Nothing was charged.\nChoose reve-2.0.",
    ),
    (
        OptionRangeError,
        {"prompt": "a fox", "fit": "huge"},
        (
            "The fit cannot be \u2068huge\u2069. Nothing was charged.\n"
            "It takes 2048 (longest side), 2048x (width), x1024 (height) or 1920x1080 (both), up to 4,096."
        ),
    ),
    (
        ExclusiveOptionsError,
        {"prompt": "a fox", "remove_background": True, "format": "jpeg"},
        (
            "remove_background does not go with format jpeg. Nothing was charged.\n"
            "Choose format png or webp, or leave one of the two out."
        ),
    ),
]


@pytest.mark.parametrize(("error", "options", "answer"), REFUSED, ids=[str(case[1])[:40] for case in REFUSED])
async def test_what_cannot_be_done_is_said_in_private(
    studio: BotHarness, error: type[Exception], options: dict[str, Any], answer: str
) -> None:
    """What cannot be done is refused to its member alone, with the reason and the next step; no job is made."""
    studio.expected = [error]
    result = await studio.imagine(studio.member("ann"), **options)
    assert private(result) == answer
    assert await studio.column("id") == []


@pytest.mark.studio(allowance=10)
async def test_too_few_credits(studio: BotHarness) -> None:
    """Who has too few credits hears how many it takes, how many there are, and when there are more."""
    studio.expected = [InsufficientCreditsError]
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    assert private(result) == (
        "This takes 12 credits and you have 10. Nothing was charged.\nYour next allowance is there <t:1772668800:R>."
    )


@pytest.mark.studio(allowance=1000)
async def test_a_full_line(studio: BotHarness) -> None:
    """Who has ten jobs waiting already is told to wait for one or to cancel one."""
    studio.expected = [QueueFullError]
    ann = studio.member("ann")
    for number in range(13):  # three are being drawn
        await studio.imagine(ann, prompt=f"fox {number}")
    await studio.reaches(*[State.QUEUED] * 3, *[State.HELD] * 10)
    result = await studio.imagine(ann, prompt="one too many")
    assert private(result) == (
        "You have 10 jobs waiting already. Nothing was charged.\n"
        "Send the next one when one of them is finished, or cancel one."
    )


@pytest.mark.studio(admitted=frozenset({1}))
async def test_a_server_that_was_not_admitted(studio: BotHarness) -> None:
    """In a server that the operator has not admitted, the member hears who can change that."""
    studio.expected = [NotAdmittedError]
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    assert private(result).startswith("The studio is not open to this server yet. Nothing was charged.\n")


async def test_in_a_direct_message_only_what_needs_no_server_is_offered(studio: BotHarness) -> None:
    """Outside servers Discord offers neither /imagine nor /credits nor /studio, and the others answer.

    simcord, like Discord, hides a guild-only command, so that the refusal itself cannot be reached from here.
    """
    user = studio.env.create_user("loner")
    offered = {command.split(" ")[0] for command in user.available_commands()}
    assert offered == {"help", "history", "preset", "settings", "status"}
    result = await user.slash("help")
    assert result.response is not None
    assert result.response.ephemeral


async def test_a_fault_of_ours_gives_a_reference_that_the_log_has(
    studio: BotHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is answered in private with a reference; the log has it, with the stack, without prompt."""
    studio.expected = [ZeroDivisionError]

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(studio.jobs, "resolve_and_create", broken)
    with capture_logs() as log:
        result = await studio.imagine(studio.member("ann"), prompt="a very private fox")
    words, reference = private(result).splitlines()
    assert words == "Something went wrong on our side, and the operator's log has it."
    (line,) = log
    assert reference == f"Reference: `{line['reference']}`"
    assert line["event"] == "interaction.failed"
    assert isinstance(line.pop("exc_info"), ZeroDivisionError)
    assert "private fox" not in repr(line)
