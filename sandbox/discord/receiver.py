"""A receiver of POST requests: the fake of an alert service."""

# ruff: noqa: ASYNC109 - a deadline as an argument reads best where tests wait for something

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from sandbox.discord.encoding import Clock
from sandbox.discord.notifier import PATIENCE, Notifier

_MOST_BYTES: Final = 256 * 1024
_REMEMBERED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPost:
    """A request: its time (Unix seconds), headers, text, and JSON if any."""

    at: float
    headers: Mapping[str, str]
    text: str
    json: Any = None


class Receiver:
    """Keeps the latest requests and answers with `status`.

    `token` is the secret in its path.
    """

    def __init__(self, now: Clock) -> None:
        self.token = secrets.token_urlsafe(16)
        self.status: int = HTTPStatus.NO_CONTENT
        self.received: deque[ReceivedPost] = deque(maxlen=_REMEMBERED)
        self.changed = Notifier()
        self._now = now

    @property
    def path(self) -> str:
        """The path to send to."""
        return f"/sandbox/receiver/{self.token}"

    def mount(self, app: web.Application) -> None:
        """Add the route to an application."""
        app.router.add_post(self.path, self._receive)

    async def wait_received(self, count: int = 1, *, timeout: float = PATIENCE) -> list[ReceivedPost]:
        """Return all requests once there are so many.

        Raises:
            TimeoutError: There are fewer after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while len(self.received) < count:
                await self.changed.wait()
        return list(self.received)

    async def _receive(self, request: web.Request) -> web.Response:
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > _MOST_BYTES:
                return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        text = body.decode("utf-8", errors="replace")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        self.received.append(ReceivedPost(at=self._now(), headers=dict(request.headers), text=text, json=document))
        self.changed.notify()
        return web.Response(status=self.status)
