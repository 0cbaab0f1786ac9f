"""The buttons of a card, pressed by its member, by moderators and by others, on simcord."""

import pytest

from bot.domain.jobs import State
from tests.cogs.bot_harness import BotHarness, InteractionResult, MemberActor, buttons, private

CANCELLED = "Cancelled. Nothing was charged: 12 credits returned, 200 left today."


async def waiting(studio: BotHarness, who: MemberActor, prompt: str = "a fox") -> InteractionResult:
    """Return the command's result once its job waits at the image API."""
    result = await studio.imagine(who, prompt=prompt)
    await studio.reaches(State.QUEUED)
    return result


async def press(who: MemberActor, card: InteractionResult, label: str = "Cancel") -> InteractionResult:
    """Press a button of a card."""
    assert card.response is not None
    return await who.click(card.response, label=label)


async def test_its_member_cancels(studio: BotHarness) -> None:
    """The member's own press gets no message of its own: the card says that it is cancelled and what came back."""
    ann = studio.member("ann")
    card = await waiting(studio, ann)
    pressed = await press(ann, card)
    await studio.until(lambda: studio.card(card)[-1] == CANCELLED)
    assert pressed.acknowledged
    assert pressed.followups == []
    assert len(studio.channel.history()) == 1
    assert buttons(card) == ["Again"]
    assert await studio.column("state") == ["cancelled"]


async def test_a_moderator_cancels(studio: BotHarness) -> None:
    """Who has Manage Messages may cancel anybody's job; the credits go back to its member."""
    card = await waiting(studio, studio.member("ann"))
    await press(studio.member("mod", manage_messages=True), card)
    await studio.until(lambda: studio.card(card)[-1] == CANCELLED)


async def test_a_stranger_cannot_cancel(studio: BotHarness) -> None:
    """Anybody else is told in private who may, and the job goes on.

    The error never comes to simcord's ears: the button answers it, where discord.py would only have logged it.
    """
    card = await waiting(studio, studio.member("ann"))
    before = studio.card(card)
    pressed = await press(studio.member("eve"), card)
    assert private(pressed) == "Only its member or a moderator can do that."
    assert studio.card(card) == before
    assert await studio.column("cancel_requested_at") == [None]


async def test_a_button_works_after_a_restart(studio: BotHarness) -> None:
    """A card from before a restart is still cancelled by its button."""
    ann = studio.member("ann")
    card = await waiting(studio, ann)
    await studio.restart()
    await press(ann, card)
    await studio.until(lambda: studio.card(card)[-1] == CANCELLED)


async def test_a_cancel_that_comes_too_late_says_so(studio: BotHarness) -> None:
    """Once the image API has begun it cannot be cancelled: the card says so and that it may be charged."""
    ann = studio.member("ann")
    card = await waiting(studio, ann)
    studio.server.advance()
    await press(ann, card)
    await studio.until(lambda: "Too late" in studio.card(card)[-1])
    assert studio.card(card)[-1] == (
        "Drawing · since <t:1772625600:R>\n-# Too late to cancel: it has begun, and is charged if it completes."
    )
    assert buttons(card) == []
    studio.server.finish()
    await studio.polls_until(lambda: "left today" in studio.card(card)[-1])
    assert studio.card(card)[-1] == "-# 12 credits · 188 left today · 1\u00a0s"


async def test_the_whole_prompt_can_be_read(studio: BotHarness) -> None:
    """A long prompt is cut on the card; its button gives the whole of it as a file, in private, to anybody."""
    prompt = "a fox in the snow under a tree, " * 20
    card = await waiting(studio, studio.member("ann"), prompt)
    assert buttons(card) == ["Cancel", "Whole prompt"]
    pressed = await press(studio.member("eve"), card, "Whole prompt")
    assert private(pressed) == ""
    assert pressed.response is not None
    (file,) = pressed.response.attachments
    assert file.filename == "prompt.txt"
    assert (await file.read()).decode() == prompt


async def test_a_fault_in_a_button_gives_a_reference(
    studio: BotHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What breaks behind a button is answered like any other fault of ours, in private, and logged."""
    ann = studio.member("ann")
    card = await waiting(studio, ann)

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(studio.jobs, "cancel", broken)
    pressed = await press(ann, card)
    words, reference = private(pressed).splitlines()
    assert words == "Something went wrong on our side, and the operator's log has it."
    assert reference.removeprefix("Reference: `").removesuffix("`") in capsys.readouterr().out


async def test_a_job_whose_records_are_gone(studio: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A button of a job that the database knows no more says so kindly."""
    ann = studio.member("ann")
    card = await waiting(studio, ann)
    real = studio.jobs.cancel
    monkeypatch.setattr(studio.jobs, "cancel", lambda _, actor: real("f" * 32, actor))
    pressed = await press(ann, card)
    assert private(pressed) == "This picture's records are gone, so the button does nothing any more."
