"""Websockets of the ComfyUI fake: events as JSON, previews as bytes."""

import asyncio
import json
import struct
import uuid
from typing import Any, Final

from aiohttp import WSCloseCode, web

_PREVIEW_EVENT: Final = 1
_JPEG: Final = 1
_MAX_ID_CHARS: Final = 100
_MAX_QUEUED: Final = 1_000
_MAX_MESSAGE_BYTES: Final = 64 * 1024


class Sockets:
    """Sends events to the clients by their id; a slow client loses events."""

    def __init__(self) -> None:
        self._clients: dict[str, tuple[web.WebSocketResponse, asyncio.Queue[str | bytes]]] = {}

    async def serve(self, request: web.Request, first: dict[str, Any]) -> web.StreamResponse:
        """Serve one client until it leaves; `first` is its first status."""
        client_id = request.query.get("clientId", "")[:_MAX_ID_CHARS] or uuid.uuid4().hex
        socket = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE_BYTES)
        await socket.prepare(request)
        queue: asyncio.Queue[str | bytes] = asyncio.Queue(_MAX_QUEUED)
        self._clients[client_id] = socket, queue
        self.send("status", {**first, "sid": client_id}, client_id)
        writer = asyncio.create_task(_write(socket, queue))
        try:
            async for _ in socket:
                pass
        finally:
            writer.cancel()
            if self._clients.get(client_id, (None,))[0] is socket:
                del self._clients[client_id]
        return socket

    def send(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """Send an event to one client; without an id, to all."""
        self._put(json.dumps({"type": kind, "data": data}), client_id)

    def send_preview(self, jpeg: bytes, client_id: str | None) -> None:
        """Send a JPEG preview."""
        self._put(struct.pack(">II", _PREVIEW_EVENT, _JPEG) + jpeg, client_id)

    async def close(self) -> None:
        """Close all connections."""
        for socket, _ in list(self._clients.values()):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    def _put(self, message: str | bytes, client_id: str | None) -> None:
        for name, (_, queue) in self._clients.items():
            if client_id in (None, name) and not queue.full():
                queue.put_nowait(message)


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[str | bytes]) -> None:
    while True:
        message = await queue.get()
        try:
            await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
        except ConnectionError:
            return
