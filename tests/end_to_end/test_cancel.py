"""Cancelling a job: permissions, timing and cost."""

import pytest

from sandbox.discord import buttons, text
from tests.end_to_end.system_harness import SystemHarness, has_images, says, wait_for_provider_job

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_cancel_by_member_before_start_returns_credits(system: SystemHarness) -> None:
    member, before = system.discord.actor("member"), await system.ledger()
    invocation = await member.slash("imagine", prompt="to be cancelled")
    card = await invocation.response()
    made = await wait_for_provider_job(system.skillboss, "to be cancelled")
    await (await member.click(card, label="Cancel")).acknowledged()
    card = await invocation.wait_until(says("Cancelled"))
    assert "Nothing was charged: 12 credits returned" in text(card)
    assert [button["label"] for button in buttons(card)] == ["Again · 12"]
    assert made.state == "CANCELLED"
    ledger = await system.ledger()
    assert (ledger.problems, ledger.held, ledger.charged) == ([], 0, before.charged)


async def test_cancel_by_stranger_is_refused_privately(system: SystemHarness) -> None:
    """Another member's press changes nothing; a moderator's press does."""
    invocation = await system.discord.actor("member").slash("imagine", prompt="not yours")
    card = await invocation.response()
    refusal = await (await system.discord.actor("member-two").click(card, label="Cancel")).response()
    assert refusal.ephemeral
    assert text(refusal) == "Only its member or a moderator can do that."
    await (await system.discord.actor("moderator").click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("Cancelled"))


async def test_cancel_at_the_start_is_too_late_and_image_is_charged(system: SystemHarness) -> None:
    """The provider answers 409, because a worker has just taken the job."""
    system.skillboss.faults.add("cancel", "status", status=409)
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="too late to stop")
    card = await invocation.response()
    made = await wait_for_provider_job(system.skillboss, "too late to stop")
    await (await member.click(card, label="Cancel")).acknowledged()
    card = await invocation.wait_until(says("Too late to cancel"))
    assert buttons(card) == []
    system.skillboss.finish(made)
    card = await invocation.wait_until(has_images)
    assert "12 credits" in text(card)


async def test_card_of_started_job_has_no_cancel(system: SystemHarness) -> None:
    invocation = await system.discord.actor("member").slash("imagine", prompt="has begun")
    made = await wait_for_provider_job(system.skillboss, "has begun")
    system.skillboss.advance(made)
    card = await invocation.wait_until(says("Generating"))
    assert buttons(card) == []
    system.skillboss.finish(made)
    await invocation.wait_until(has_images)


async def test_cancel_without_result_is_settled_by_status(system: SystemHarness) -> None:
    """A 200 without `cancelled` decides nothing; the status does."""
    system.skillboss.faults.add("cancel", "unsaid")
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="says nothing")
    card = await invocation.response()
    await (await member.click(card, label="Cancel")).acknowledged()
    await invocation.wait_until(says("Cancelled"))


async def test_card_at_provider_without_cancels_has_no_cancel(system: SystemHarness) -> None:
    """reve2img has none."""
    member = system.discord.actor("member")
    invocation = await member.slash("imagine", prompt="no way back", model="nano-banana")
    made = await wait_for_provider_job(system.reve2img, "no way back")
    await invocation.wait_until(lambda message: "Generating" in text(message) and not buttons(message))
    system.reve2img.finish(made)
    await invocation.wait_until(has_images)
