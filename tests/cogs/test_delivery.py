"""Card updates after rejected edits or a faster process, on simcord."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.jobs import Job, State
from tests.cogs.bot_harness import BotHarness
from tests.support.clock import let_others_run

CANCELLED = "Cancelled. Nothing was charged: 12 credits returned."


def edits(bot: BotHarness) -> int:
    """Return the number of edits sent to Discord, with either token."""
    return bot.requests("PATCH", "")


async def ended(bot: BotHarness) -> None:
    """Let the image API finish; return once the job is done."""
    bot.server.finish()
    while await bot.column("state") != ["done"]:
        await bot.look()


async def nothing_more(bot: BotHarness, done: int) -> None:
    """Run everything possible without time passing; expect no further edit."""
    (job_id,) = await bot.column("id")
    for _ in range(5):
        bot._card_updater.on_job_changed(job_id)
        await let_others_run()
    assert edits(bot) == done


async def forgotten(bot: BotHarness) -> None:
    """Wait until the card updater has dropped every card."""
    while bot._card_updater._shown:
        await let_others_run()


async def test_failing_edit_is_retried_with_growing_delay(bot: BotHarness) -> None:
    """From 2 seconds to 5 minutes; no change shortens the delay."""
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    before = edits(bot)
    bot.env.inject_error("PATCH", "*", status=401, times=12)
    await ended(bot)
    waits = []
    for tried in range(1, 13):
        while max((each.failures for each in bot._card_updater._shown.values()), default=0) < tried:
            await let_others_run()
        await nothing_more(bot, before + tried)
        (shown,) = bot._card_updater._shown.values()
        waits.append(shown.not_before - bot.clock.monotonic())
        bot.clock.advance(waits[-1] - 0.01)
        await nothing_more(bot, before + tried)
        bot.clock.advance(0.02)
    assert all(least <= wait <= 1.5 * least for least, wait in zip((2, 4, 8, 16, 32, 64, 128), waits, strict=False))
    assert waits[8:] == [300] * 4
    await bot.until(lambda: " credits" in bot.card(result)[-1])
    while await bot.column("delivery") != ["card"]:
        await let_others_run()
    await forgotten(bot)


async def test_stale_edit_after_delivery_is_corrected(bot: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process delivers while an older state is in transit."""
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    show: Callable[..., Awaitable[None]] = bot._card_updater._delivery.show
    said: list[str] = []

    async def overtaken(job: Job, *arguments: Any) -> None:
        if job.state is State.RUNNING:
            await bot._card_updater._job_store.mark_cancelled(job)
            await bot._card_updater._card_store.mark_delivered(job.id)
        await show(job, *arguments)
        if job.state is not State.QUEUED:  # that edit may still be on its way
            said.append(bot.card(result)[-1])

    monkeypatch.setattr(bot._card_updater._delivery, "show", overtaken)
    bot.server.advance()
    await bot.polls_until(lambda: bot.card(result)[-1] == CANCELLED)
    await forgotten(bot)
    assert [each.split(" · ")[0] for each in said] == ["Generating", CANCELLED]


async def test_rejected_progress_edit_is_not_repeated(bot: BotHarness) -> None:
    """A body rejected for its form is not repeated; the final edit is sent."""
    result = await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    before = edits(bot)
    bot.env.inject_error("PATCH", "/webhooks/*", status=400, code=50035)
    bot.server.advance()
    while edits(bot) == before:
        await bot.look()
    await nothing_more(bot, before + 1)
    bot.server.finish()
    bot.clock.advance(bot.config.poll_floor)
    await bot.polls_until(lambda: " credits" in bot.card(result)[-1])


async def test_card_delivered_elsewhere_is_dropped_from_memory(bot: BotHarness) -> None:
    """The job was acknowledged here and delivered elsewhere."""
    await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    (old,) = bot._card_updater._shown
    bot.clock.advance(3601)
    bot._card_updater._remembered("another")
    assert list(bot._card_updater._shown) == ["another"]
    assert old != "another"


async def test_missing_card_counts_as_delivered_after_confirmation(bot: BotHarness) -> None:
    """While Discord is unreachable, an abandoned job is not delivered."""
    bot.env.inject_error("POST", "/interactions/*/callback", status=500)
    bot.env.inject_error("PATCH", "/webhooks/*", status=401)
    await bot.imagine(bot.member("member"), prompt="a fox")
    assert await bot.column("state") == ["cancelled"]
    while edits(bot) == 0:
        await let_others_run()
    assert await bot.column("delivered_at") == [None]
    bot.clock.advance(3)
    while await bot.column("delivery") != ["nowhere"]:
        await let_others_run()


@pytest.mark.parametrize("takes_direct_messages", [True, False])
async def test_late_private_result_logs_no_warning(bot: BotHarness, *, takes_direct_messages: bool) -> None:
    """The token of a private card has expired by then, as usual."""
    member = bot.member("member")
    await bot.imagine(member, prompt="a fox", private=True)
    await bot.reaches(State.QUEUED)
    bot.clock.advance(15 * 60)
    if not takes_direct_messages:
        bot.env.inject_error("POST", "*/messages", status=403, code=50007)
    with capture_logs() as log:
        await ended(bot)
        while None in await bot.column("delivery"):
            await let_others_run()
        await forgotten(bot)
    assert await bot.column("delivery") == ["direct" if takes_direct_messages else "history"]
    assert {line["event"] for line in log} >= {"delivery.way_closed", "card.gone"}
    assert [line for line in log if line["log_level"] != "info"] == []


async def test_deleted_card_logs_warning(bot: BotHarness) -> None:
    """The bot could have reached the card."""
    await bot.imagine(bot.member("member"), prompt="a fox")
    await bot.reaches(State.QUEUED)
    bot.clock.advance(15 * 60)
    bot.env.inject_error("PATCH", "*/messages/*", status=404, code=10008, times=None)
    with capture_logs() as log:
        await ended(bot)
        while None in await bot.column("delivery"):
            await let_others_run()
        await forgotten(bot)
    warned = [line["event"] for line in log if line["log_level"] == "warning"]
    assert warned == ["delivery.way_closed", "card.gone"]
