"""Card buttons pressed by member, moderators and strangers, on simcord."""

import pytest

from bot.domain.jobs import State
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, private

CANCELLED = "Cancelled. Nothing was charged: 12 credits returned."


async def waiting(bot: BotHarness, who: MemberActor, prompt: str = "a fox") -> InteractionResult:
    """Return the command's result once the image API has its job."""
    result = await bot.imagine(who, prompt=prompt)
    await bot.reaches(State.QUEUED)
    return result


async def press(who: MemberActor, card: InteractionResult, label: str = "Cancel") -> InteractionResult:
    """Press a button of a card."""
    assert card.response is not None
    return await who.click(card.response, label=label)


async def test_cancel_by_member_updates_card(bot: BotHarness) -> None:
    """The press gets no separate message.

    The card shows the cancellation and the refund.
    """
    member = bot.member("member")
    card = await waiting(bot, member)
    pressed = await press(member, card)
    await bot.until(lambda: bot.card(card)[-1] == CANCELLED)
    assert pressed.acknowledged
    assert pressed.followups == []
    assert len(bot.channel.history()) == 1
    assert buttons(card) == ["Again · 12"]
    assert await bot.column("state") == ["cancelled"]


async def test_cancel_by_moderator_refunds_member(bot: BotHarness) -> None:
    """Manage Messages suffices; the credits return to the member."""
    card = await waiting(bot, bot.member("member"))
    await press(bot.member("mod", manage_messages=True), card)
    await bot.until(lambda: bot.card(card)[-1] == CANCELLED)


async def test_cancel_by_stranger_is_refused_privately(bot: BotHarness) -> None:
    """The answer explains the permission; the job continues.

    The button answers the error, so simcord never sees it.
    """
    card = await waiting(bot, bot.member("member"))
    before = bot.card(card)
    pressed = await press(bot.member("stranger"), card)
    assert private(pressed) == "Only its member or a moderator can do that."
    assert bot.card(card) == before
    assert await bot.column("cancel_requested_at") == [None]


async def test_cancel_on_card_after_restart_works(bot: BotHarness) -> None:
    member = bot.member("member")
    card = await waiting(bot, member)
    await bot.restart()
    await press(member, card)
    await bot.until(lambda: bot.card(card)[-1] == CANCELLED)


async def test_cancel_after_start_is_too_late(bot: BotHarness) -> None:
    """The card says that a charge is possible."""
    member = bot.member("member")
    card = await waiting(bot, member)
    bot.server.advance()
    await press(member, card)
    await bot.until(lambda: "Too late" in bot.card(card)[-1])
    assert bot.card(card)[-1] == (
        "Generating · started <t:1772625600:R>\n-# Too late to cancel: it has begun, and is charged if it completes."
    )
    assert buttons(card) == []
    bot.server.finish()
    await bot.polls_until(lambda: " credits" in bot.card(card)[-1])
    assert bot.card(card)[-1] == "-# 12 credits · 1\u00a0s"


async def test_prompt_button_sends_whole_prompt(bot: BotHarness) -> None:
    """Privately, in a block to copy; still there once the job has ended."""
    prompt = "a fox in the snow under a tree, " * 20
    card = await waiting(bot, bot.member("member"), prompt)
    assert buttons(card) == ["Cancel", "Show prompt"]
    pressed = await press(bot.member("stranger"), card, "Show prompt")
    assert private(pressed) == ""
    assert bot.card(pressed) == [f"```\n{prompt}\n```"]
    await bot.finish(card)
    assert "Show prompt" in buttons(card)


async def test_prompt_with_code_marks_is_sent_as_file(bot: BotHarness) -> None:
    prompt = "a fox that says ``` " * 20
    card = await waiting(bot, bot.member("member"), prompt)
    pressed = await press(bot.member("stranger"), card, "Show prompt")
    assert private(pressed) == ""
    assert pressed.response is not None
    (file,) = pressed.response.attachments
    assert file.filename == "prompt.txt"
    assert (await file.read()).decode() == prompt


async def test_button_failure_gives_reference_and_log_line(
    bot: BotHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    member = bot.member("member")
    card = await waiting(bot, member)

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bot.jobs, "cancel", broken)
    pressed = await press(member, card)
    words, reference = private(pressed).splitlines()
    assert words == "Something went wrong on our side, and the operator's log has it."
    assert reference.removeprefix("Reference: `").removesuffix("`") in capsys.readouterr().out


async def test_button_of_unknown_job_is_refused_politely(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    member = bot.member("member")
    card = await waiting(bot, member)
    real = bot.jobs.cancel
    monkeypatch.setattr(bot.jobs, "cancel", lambda _, actor: real("f" * 32, actor))
    pressed = await press(member, card)
    assert private(pressed) == "This picture's records are gone, so the button does nothing any more."
