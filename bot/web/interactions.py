"""`POST /interactions`: Discord delivers an interaction.

Anybody can post here. The Ed25519 signature of timestamp and body says what Discord sent, and nothing else is parsed,
logged or handed on. The request is answered with 202 and no body; the interaction itself is answered over REST, as one
from the gateway is.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.web.request_body import READ_SECONDS, read_body

PATH: Final = "/interactions"
MAX_BODY_BYTES: Final = 256 * 1024
"""The largest body: several times a form with five full texts, or a press on the largest message."""
TOLERANCE_SECONDS: Final = 60.0
"""Seconds between Discord's timestamp and this machine's clock.

An interaction can be answered for 3 seconds, so the rest is for clocks that are wrong.
"""

_SIGNATURE: Final = "X-Signature-Ed25519"
_TIMESTAMP: Final = "X-Signature-Timestamp"
_SIGNATURE_DIGITS: Final = 128
_MOST_TIMESTAMP_DIGITS: Final = 12
_PING: Final = 1
_KINDS: Final = frozenset({2, 3, 4, 5})

_log = structlog.get_logger(__name__)


class InteractionReceiver(Protocol):
    """Receiver of interactions: the Discord client."""

    async def receive(self, payload: dict[str, Any]) -> bool:
        """Begin the answer to an interaction; return False if it cannot."""
        ...


class InteractionEndpoint:
    """Answers 202 to an interaction, and a PONG to a PING.

    401 for a wrong, missing or stale signature, 400 for a signed body that is no interaction, 413 and 408 for bodies
    above the limits. 503 before `open`, after `close`, and for an interaction that the receiver cannot begin.
    """

    def __init__(
        self, receiver: InteractionReceiver, *, now: Callable[[], datetime], read_seconds: float = READ_SECONDS
    ) -> None:
        self._receiver = receiver
        self._now = now
        self._read_seconds = read_seconds
        self._key: Ed25519PublicKey | None = None
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def routes(self) -> tuple[web.RouteDef, ...]:
        """Routes for the web server."""
        return (web.post(PATH, self._receive),)

    @property
    def is_open(self) -> bool:
        """True while interactions are taken."""
        return self._key is not None

    def open(self, public_key: str) -> None:
        """Take interactions signed for an application's public key, in hex.

        Raises:
            ValueError: it is no Ed25519 key.
        """
        self._key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))

    async def close(self, seconds: float) -> None:
        """Take no more interactions, and wait for the running requests.

        The wait takes at most `seconds`.
        """
        self._key = None
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("interaction.requests_left", count=self._running)

    async def _receive(self, request: web.Request) -> web.Response:
        key = self._key
        if key is None:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
        with self._counted():
            return await self._answer(request, key)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def _answer(self, request: web.Request, key: Ed25519PublicKey) -> web.Response:
        signature, timestamp = request.headers.get(_SIGNATURE, ""), request.headers.get(_TIMESTAMP, "")
        # Before the body: a stranger without a signature sends none of it.
        if len(signature) != _SIGNATURE_DIGITS or not _is_number(timestamp):
            raise web.HTTPUnauthorized
        body = await read_body(request, most=MAX_BODY_BYTES, seconds=self._read_seconds)
        if not _is_signed(key, signature, timestamp.encode() + body):
            raise web.HTTPUnauthorized
        self._check_age(int(timestamp))
        payload = _parse(body)
        if payload["type"] == _PING:
            return web.json_response({"type": _PING})
        if payload["type"] not in _KINDS:
            _log.warning("interaction.unknown_type")
            raise web.HTTPBadRequest
        if not await self._receiver.receive(payload):
            raise web.HTTPServiceUnavailable
        return web.Response(status=web.HTTPAccepted.status_code)

    def _check_age(self, timestamp: int) -> None:
        """Refuse an old signature: a recorded request may be sent again."""
        age = self._now().timestamp() - timestamp
        if abs(age) > TOLERANCE_SECONDS:
            _log.warning(
                "interaction.stale", age_seconds=round(age), remedy="check this machine's clock, if many lines say so"
            )
            raise web.HTTPUnauthorized


def _is_number(timestamp: str) -> bool:
    return timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MOST_TIMESTAMP_DIGITS


def _is_signed(key: Ed25519PublicKey, signature: str, message: bytes) -> bool:
    try:
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):  # the latter for one that is not in hex
        return False
    return True


def _parse(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict) or not isinstance(payload.get("type"), int):
        _log.warning("interaction.unreadable")
        raise web.HTTPBadRequest
    return payload
