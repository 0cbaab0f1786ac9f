"""Cancelling: by whom, when, and what it costs."""

import pytest

from sandbox.discord import buttons, text
from tests.end_to_end.system_harness import SystemHarness, drawing, is_done, says

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_its_member_cancels_a_waiting_job_for_nothing(house: SystemHarness) -> None:
    """While the provider has not begun, Cancel ends the job and returns the credits."""
    member, before = house.discord.actor("member"), await house.ledger()
    invocation = await member.slash("imagine", prompt="to be cancelled")
    card = await invocation.response()
    made = await drawing(house.skillboss, "to be cancelled")
    await (await member.click(card, label="Cancel")).acknowledged()
    card = await invocation.wait_until(says("Cancelled"))
    assert "Nothing was charged: 12 credits returned" in text(card)
    assert [button["label"] for button in buttons(card)] == ["Again"]
    assert made.state == "CANCELLED"
    ledger = await house.ledger()
    assert (ledger.problems, ledger.held, ledger.charged) == ([], 0, before.charged)


async def test_a_stranger_cannot_cancel_and_is_told_so_alone(house: SystemHarness) -> None:
    """Another member's press changes nothing; a moderator's does."""
    invocation = await house.discord.actor("member").slash("imagine", prompt="not yours")
    card = await invocation.response()
    refusal = await (await house.discord.actor("member-two").click(card, label="Cancel")).response()
    assert refusal.ephemeral
    assert text(refusal) == "Only its member or a moderator can do that."
    await (await house.discord.actor("moderator").click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("Cancelled"))


async def test_a_cancel_that_comes_too_late_says_so_and_the_picture_still_comes(house: SystemHarness) -> None:
    """Once the provider has begun (409), the card says that it is too late, and the picture is charged."""
    member = house.discord.actor("member")
    invocation = await member.slash("imagine", prompt="too late to stop")
    card = await invocation.response()
    made = await drawing(house.skillboss, "too late to stop")
    house.skillboss.advance(made)
    await invocation.wait_until(says("Drawing"))
    await (await member.click(card, label="Cancel")).acknowledged()
    card = await invocation.wait_until(says("Too late to cancel"))
    assert buttons(card) == []
    house.skillboss.finish(made)
    card = await invocation.wait_until(is_done)
    assert "12 credits" in text(card)


async def test_a_cancel_whose_answer_says_nothing_is_settled_by_the_status(house: SystemHarness) -> None:
    """A 200 without `cancelled` means that the status is read again; the job goes on until it says otherwise."""
    house.skillboss.faults.add("cancel", "unsaid")
    member = house.discord.actor("member")
    invocation = await member.slash("imagine", prompt="says nothing")
    card = await invocation.response()
    await (await member.click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("Cancelled"))


async def test_a_provider_that_cannot_cancel_leaves_the_job_running(house: SystemHarness) -> None:
    """reve2img knows no cancel: the card says that it is too late."""
    member = house.discord.actor("member")
    invocation = await member.slash("imagine", prompt="no way back", model="nano-banana")
    card = await invocation.response()
    made = await drawing(house.reve2img, "no way back")
    await (await member.click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("Too late to cancel"))
    house.reve2img.finish(made)
    await invocation.wait_until(is_done)
