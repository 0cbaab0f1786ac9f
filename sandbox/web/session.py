"""One browser tab: who sits at it, and what it is still to be told."""

import asyncio
import json
from typing import Final

from aiohttp import web

from sandbox.discord import Actor
from sandbox.discord.encoding import Json

_MOST_WAITING: Final = 5000


class Seat:
    """A tab's socket; what it is told goes out in order without anybody waiting for it."""

    def __init__(self, socket: web.WebSocketResponse, actor: Actor) -> None:
        self.actor = actor
        self._socket = socket
        self._waiting: asyncio.Queue[str] = asyncio.Queue(maxsize=_MOST_WAITING)
        self._writer = asyncio.create_task(self._write())

    def tell(self, told: Json) -> None:
        """Send an object."""
        self.tell_text(json.dumps(told))

    def tell_text(self, text: str) -> None:
        """Send what is already encoded. A tab that has stopped listening is cut off; it asks anew when it is back."""
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self._writer.cancel()

    async def close(self) -> None:
        """Send nothing more."""
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    async def _write(self) -> None:
        try:
            while True:
                await self._socket.send_str(await self._waiting.get())
        except ConnectionError:
            return
        finally:
            # Without its writer the socket is of no use: closing it lets the tab connect again.
            await self._socket.close()
