"""Order of the edits of a page by several presses."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import discord
from discord import ui

from bot.ui.component_tree import custom_ids
from bot.ui.delivery.input_attachments import KeptAttachment

_MOST_PAGES: Final = 1_000


@dataclass(slots=True)
class _Page:
    presses: int = 0
    running: int = 0
    edited_by: int = 0
    shown: frozenset[str] | None = None  # the custom ids of the last edit
    editing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def shows(self, message: discord.Message) -> bool:
        """Return whether a message is as after the last edit."""
        return self.shown is None or self.shown == frozenset(custom_ids(message.components))


class PageTurn:
    """The answer to one press on a page."""

    def __init__(self, press: discord.Interaction[Any], page: _Page) -> None:
        self._press = press
        self._page = page
        page.presses += 1
        self._number = page.presses

    async def edit(self, view: ui.LayoutView, files: Sequence[discord.File]) -> None:
        """Show `view` with new files, unless a later press was answered."""
        async with self._page.editing:
            await self._edit(view, files)

    async def edit_in_place(self, view: ui.LayoutView, kept: Sequence[KeptAttachment]) -> bool:
        """Show `view` with the files of the pressed message.

        False if the message has changed since the press: then it may have other files.
        """
        async with self._page.editing:
            if self._press.message is None or not self._page.shows(self._press.message):
                return False
            await self._edit(view, kept)
            return True

    async def _edit(self, view: ui.LayoutView, files: Sequence[discord.File | KeptAttachment]) -> None:
        if self._page.edited_by > self._number:
            return
        attachments: Any = list(files)
        await self._press.edit_original_response(
            view=view, attachments=attachments, allowed_mentions=discord.AllowedMentions.none()
        )
        self._page.edited_by = self._number
        self._page.shown = frozenset(_ids_of(view.walk_children()))


class PageTurns:
    """Keeps each page at the answer to its latest press.

    Earlier presses may be answered later. A page is one message of `/history`. Of many, the ones pressed longest ago
    are forgotten.
    """

    def __init__(self, most: int = _MOST_PAGES) -> None:
        self._most = most
        self._pages: dict[int, _Page] = {}

    @contextmanager
    def answering(self, press: discord.Interaction[Any]) -> Iterator[PageTurn]:
        """Yield the turn of a press, or of the command that makes the page."""
        page = _Page() if press.message is None else self._remembered(press.message.id)
        turn = PageTurn(press, page)
        page.running += 1
        try:
            yield turn
        finally:
            page.running -= 1

    @asynccontextmanager
    async def unchanged(self, message: discord.Message) -> AsyncIterator[bool]:
        """Hold up turns of a page, and yield whether none came since a press.

        `message` is as it was pressed.
        """
        page = self._pages.get(message.id)
        if page is None:
            yield True
        elif page.running:
            yield False
        else:
            async with page.editing:
                yield page.shows(message)

    def _remembered(self, message_id: int) -> _Page:
        page = self._pages.pop(message_id, None) or _Page()
        self._pages[message_id] = page
        idle = (each for each, other in self._pages.items() if other is not page and not other.running)
        if len(self._pages) > self._most and (oldest := next(idle, None)) is not None:
            del self._pages[oldest]
        return page


def _ids_of(items: Iterable[Any]) -> Iterator[str]:
    return (each for each in (getattr(item, "custom_id", None) for item in items) if each is not None)
