"""`POST /webhooks/{provider}/{token}`: a provider reports a change.

Anybody can post here, so a body is no more than a hint, and strangers learn nothing: for every token the
same is done with a request, up to and including the one look-up. No token is ever logged.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import structlog
from aiohttp import web

from bot.web.request_body import READ_SECONDS, read_body

MAX_BODY_BYTES: Final = 64 * 1024
# Look-ups at a time: a flood of webhooks must not take the database away from the rest of the bot.
_AT_ONCE: Final = 16

_log = structlog.get_logger(__name__)


class WebhookReceiver(Protocol):
    """Receiver of webhooks: the service."""

    async def receive(self, provider: str, token: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Handle a webhook; return True if it belongs to a job."""
        ...


class WebhookEndpoint:
    """Answers 204 to a webhook of a job, 404 to any other.

    503 if the look-up fails. A body without JSON, of any content type, is a hint all the same. 413 for one
    above `MAX_BODY_BYTES`, 408 for one that takes longer than `read_seconds`.
    """

    def __init__(self, receiver: WebhookReceiver, *, read_seconds: float = READ_SECONDS) -> None:
        self._receiver = receiver
        self._read_seconds = read_seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @property
    def routes(self) -> tuple[web.RouteDef, ...]:
        """Routes for the web server."""
        return (web.post("/webhooks/{provider:[^/]+}/{token:[^/]+}", self._receive),)

    async def _receive(self, request: web.Request) -> web.Response:
        provider, token = request.match_info["provider"], request.match_info["token"]
        body = await read_body(request, most=MAX_BODY_BYTES, seconds=self._read_seconds)
        try:
            async with self._turns:
                ours = await self._receiver.receive(provider, token, request.headers, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the provider may try again
            # Neither the words nor the provider's name: both may be what a stranger wrote.
            _log.warning("webhook.not_taken", fault=type(error).__name__)
            raise web.HTTPServiceUnavailable from None
        if not ours:
            raise web.HTTPNotFound
        return web.Response(status=web.HTTPNoContent.status_code)
