"""One browser tab: its user, and its outgoing events."""

import asyncio
import json
from typing import Final

from aiohttp import web

from sandbox.discord import Actor
from sandbox.discord.encoding import Json

_MAX_WAITING: Final = 5000


class Session:
    """A tab's socket. Events are queued and sent in order."""

    def __init__(self, socket: web.WebSocketResponse, actor: Actor) -> None:
        self.actor = actor
        self._socket = socket
        self._waiting: asyncio.Queue[str] = asyncio.Queue(maxsize=_MAX_WAITING)
        self._writer = asyncio.create_task(self._write())

    def send(self, told: Json) -> None:
        """Queue an object."""
        self.send_text(json.dumps(told))

    def send_text(self, text: str) -> None:
        """Queue an encoded object.

        If the queue is full, the tab has stopped reading: it is disconnected and reloads its state on reconnect.
        """
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self._writer.cancel()

    async def close(self) -> None:
        """Stop sending."""
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    async def _write(self) -> None:
        try:
            while True:
                await self._socket.send_str(await self._waiting.get())
        except ConnectionError:
            return
        finally:
            # The socket is useless without its writer: closing it lets the tab connect again.
            await self._socket.close()
