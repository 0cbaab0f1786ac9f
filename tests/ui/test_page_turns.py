"""Pages of `/history` that are pressed again before an answer."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock, Mock

import discord
from discord import ui

from bot.ui.buttons import OLDER
from bot.ui.delivery.input_attachments import KeptAttachment
from bot.ui.delivery.page_turns import PageTurns
from tests.support.clock import let_others_run

FIRST, SECOND, THIRD = ("1" * 32, "2" * 32, "3" * 32)
KEPT = KeptAttachment(id=7, filename="atelier-1.png")


def page(job_id: str) -> ui.LayoutView:
    """Return a page with a button."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.ActionRow(OLDER.build(job_id)))
    return view


def message(job_id: str, message_id: int = 1) -> Any:
    """Return the message of a page."""
    view: Any = page(job_id)
    return Mock(spec=discord.Message, id=message_id, components=[_row(each) for each in view.to_components()])


def _row(data: Any) -> Any:
    return discord.components._component_factory(data)


def press(job_id: str, message_id: int = 1) -> Any:
    """Return a press on a page."""
    return Mock(message=message(job_id, message_id), edit_original_response=AsyncMock())


async def test_earlier_press_answered_last_is_not_shown() -> None:
    turns, early, late = PageTurns(), press(FIRST), press(FIRST)
    with turns.answering(early) as first, turns.answering(late) as second:
        await second.edit(page(THIRD), ())
        await first.edit(page(SECOND), ())
    assert late.edit_original_response.await_count == 1
    assert early.edit_original_response.await_count == 0


async def test_earlier_press_is_shown_after_later_one_failed() -> None:
    turns, early, late = PageTurns(), press(FIRST), press(FIRST)
    with turns.answering(early) as first:
        with turns.answering(late):
            pass
        await first.edit(page(SECOND), ())
    assert early.edit_original_response.await_count == 1


async def test_pages_of_other_messages_are_shown_on_their_own() -> None:
    turns, early, late = PageTurns(), press(FIRST, 1), press(FIRST, 2)
    with turns.answering(early) as first, turns.answering(late) as second:
        await second.edit(page(THIRD), ())
        await first.edit(page(SECOND), ())
    assert early.edit_original_response.await_count == 1


async def test_files_of_changed_page_are_not_kept() -> None:
    turns = PageTurns()
    stale = press(FIRST)
    with turns.answering(stale) as marking:
        with turns.answering(press(FIRST)) as turn:
            await turn.edit(page(SECOND), ())
        assert not await marking.edit_in_place(page(FIRST), [KEPT])
    assert stale.edit_original_response.await_count == 0
    with turns.answering(press(SECOND)) as marking:
        assert await marking.edit_in_place(page(SECOND), [KEPT])


async def test_page_is_unchanged_until_it_is_turned() -> None:
    turns = PageTurns()
    async with turns.unchanged(message(FIRST)) as unchanged:
        assert unchanged
    with turns.answering(press(FIRST)) as turn:
        async with turns.unchanged(message(FIRST)) as unchanged:
            assert not unchanged
        await turn.edit(page(SECOND), ())
    async with turns.unchanged(message(FIRST)) as unchanged:
        assert not unchanged
    async with turns.unchanged(message(SECOND)) as unchanged:
        assert unchanged


async def test_page_is_not_turned_while_its_menu_is_reset() -> None:
    turns, pressed = PageTurns(), press(FIRST)
    with turns.answering(press(FIRST)) as turn:
        await turn.edit(page(FIRST), ())
    with turns.answering(pressed) as turn:
        pass
    async with turns.unchanged(message(FIRST)):
        editing = asyncio.create_task(turn.edit(page(SECOND), ()))
        await let_others_run(5)
        assert pressed.edit_original_response.await_count == 0
    await editing
    assert pressed.edit_original_response.await_count == 1


async def test_longest_unpressed_pages_are_forgotten() -> None:
    turns = PageTurns(most=2)
    with turns.answering(press(FIRST, 1)) as pending:
        for number in range(2, 6):
            with turns.answering(press(FIRST, number)) as turn:
                await turn.edit(page(SECOND), ())
        assert len(turns._pages) == 2
        with turns.answering(press(FIRST, 1)) as turn:
            await turn.edit(page(SECOND), ())
        await pending.edit(page(THIRD), ())
    async with turns.unchanged(message(SECOND, 1)) as unchanged:
        assert unchanged
