"""What the presenter does when Discord does not take an edit, or another process was quicker, on simcord."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.jobs import Job, State
from tests.cogs.bot_harness import BotHarness
from tests.support.clock import let_others_run

CANCELLED = "Cancelled. Nothing was charged: 12 credits returned, 200 left today."


def edits(studio: BotHarness) -> int:
    """Return how many edits Discord has got, with either token."""
    return studio.requests("PATCH", "")


async def ended(studio: BotHarness) -> None:
    """Let the image API finish, and return once the job is done."""
    studio.server.finish()
    while await studio.column("state") != ["done"]:
        await studio.look()


async def nothing_more(studio: BotHarness, done: int) -> None:
    """Let everything go on that can go on without time, whatever changes, and expect no further edit."""
    (job_id,) = await studio.column("id")
    for _ in range(5):
        studio._card_updater.on_job_changed(job_id)
        await let_others_run()
    assert edits(studio) == done


async def forgotten(studio: BotHarness) -> None:
    """Return once the presenter has let go of every card, as it does just after its last word on each."""
    while studio._card_updater._shown:
        await let_others_run()


async def test_a_failing_edit_is_put_off_further_and_further_and_never_given_up(studio: BotHarness) -> None:
    """From two seconds on to five minutes; neither a change nor a place in line brings it forward; then it is there."""
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    before = edits(studio)
    studio.env.inject_error("PATCH", "*", status=401, times=12)
    await ended(studio)
    waits = []
    for tried in range(1, 13):
        while max((each.failures for each in studio._card_updater._shown.values()), default=0) < tried:
            await let_others_run()
        await nothing_more(studio, before + tried)
        (shown,) = studio._card_updater._shown.values()
        waits.append(shown.not_before - studio.clock.monotonic())
        studio.clock.advance(waits[-1] - 0.01)
        await nothing_more(studio, before + tried)
        studio.clock.advance(0.02)
    assert all(least <= wait <= 1.5 * least for least, wait in zip((2, 4, 8, 16, 32, 64, 128), waits, strict=False))
    assert waits[8:] == [300] * 4
    await studio.until(lambda: "left today" in studio.card(result)[-1])
    while await studio.column("delivery") != ["card"]:
        await let_others_run()
    await forgotten(studio)


async def test_an_edit_that_undid_the_end_is_mended(studio: BotHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process delivers the end while an older state is on its way: the card is shown again as it should be."""
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    show: Callable[..., Awaitable[None]] = studio._card_updater._delivery.show
    said: list[str] = []

    async def overtaken(job: Job, *arguments: Any) -> None:
        if job.state is State.RUNNING:
            await studio._card_updater._job_store.mark_cancelled(job)
            await studio._card_updater._job_store.mark_delivered(job.id)
        await show(job, *arguments)
        said.append(studio.card(result)[-1])

    monkeypatch.setattr(studio._card_updater._delivery, "show", overtaken)
    studio.server.advance()
    await studio.polls_until(lambda: studio.card(result)[-1] == CANCELLED)
    await forgotten(studio)
    assert [each.split(" · ")[0] for each in said] == ["Drawing", CANCELLED]


async def test_a_refused_progress_edit_is_left_alone(studio: BotHarness) -> None:
    """What Discord refuses for its form while a job is under way is not sent again; the end is."""
    result = await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    before = edits(studio)
    studio.env.inject_error("PATCH", "/webhooks/*", status=400, code=50035)
    studio.server.advance()
    while edits(studio) == before:
        await studio.look()
    await nothing_more(studio, before + 1)
    studio.server.finish()
    await studio.polls_until(lambda: "left today" in studio.card(result)[-1])


async def test_cards_that_others_finish_are_forgotten_in_time(studio: BotHarness) -> None:
    """What this process acknowledged and another delivers leaves nothing here for ever."""
    await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    (old,) = studio._card_updater._shown
    studio.clock.advance(3601)
    studio._card_updater._remembered("another")
    assert list(studio._card_updater._shown) == ["another"]
    assert old != "another"


async def test_an_answer_that_had_come_twice_still_names_its_message(studio: BotHarness) -> None:
    """After Discord's 40060 the card is looked up, so that it can be edited once the token is dead."""
    ann = studio.member("ann")
    studio.env.inject_error("POST", "/interactions/*/callback", status=400, code=40060)
    await studio.imagine(ann, prompt="a fox")
    await studio.reaches(State.QUEUED)
    assert await studio.column("message_id") == [None]

    result = await studio.imagine(ann, prompt="a fox")
    assert result.response is not None
    assert (await studio.column("message_id"))[1] == result.response.id


async def test_a_card_that_never_appeared_counts_as_told_once_discord_says_so(studio: BotHarness) -> None:
    """While Discord cannot be asked, an abandoned job is not taken for delivered."""
    studio.env.inject_error("POST", "/interactions/*/callback", status=400, code=50035)
    studio.env.inject_error("PATCH", "/webhooks/*", status=401)
    await studio.imagine(studio.member("ann"), prompt="a fox")
    assert await studio.column("state") == ["cancelled"]
    while edits(studio) == 0:
        await let_others_run()
    assert await studio.column("delivered_at") == [None]
    studio.clock.advance(3)
    while await studio.column("delivery") != ["nowhere"]:
        await let_others_run()


@pytest.mark.parametrize("takes_direct_messages", [True, False])
async def test_a_late_private_picture_is_no_cause_for_a_warning(
    studio: BotHarness, *, takes_direct_messages: bool
) -> None:
    """Its card listens to a token that is dead by then, so it is the ordinary course that it goes on from there."""
    ann = studio.member("ann")
    await studio.imagine(ann, prompt="a fox", private=True)
    await studio.reaches(State.QUEUED)
    studio.clock.advance(15 * 60)
    if not takes_direct_messages:
        studio.env.inject_error("POST", "*/messages", status=403, code=50007)
    with capture_logs() as log:
        await ended(studio)
        while None in await studio.column("delivery"):
            await let_others_run()
        await forgotten(studio)
    assert await studio.column("delivery") == ["direct" if takes_direct_messages else "history"]
    assert {line["event"] for line in log} >= {"delivery.way_closed", "card.gone"}
    assert [line for line in log if line["log_level"] != "info"] == []


async def test_a_card_that_somebody_deleted_is_warned_of(studio: BotHarness) -> None:
    """The bot could have reached it, so something is not as it should be."""
    await studio.imagine(studio.member("ann"), prompt="a fox")
    await studio.reaches(State.QUEUED)
    studio.clock.advance(15 * 60)
    studio.env.inject_error("PATCH", "*/messages/*", status=404, code=10008, times=None)
    with capture_logs() as log:
        await ended(studio)
        while None in await studio.column("delivery"):
            await let_others_run()
        await forgotten(studio)
    warned = [line["event"] for line in log if line["log_level"] == "warning"]
    assert warned == ["delivery.way_closed", "card.gone"]
