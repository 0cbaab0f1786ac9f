"""Signed delivery of interactions over HTTP, and the endpoint check."""

# ruff: noqa: ASYNC109 - a deadline as an argument reads best where tests wait for something

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox.discord.encoding import Clock, Json
from sandbox.discord.entities import Application
from sandbox.discord.errors import ApiError
from sandbox.discord.notifier import PATIENCE, Notifier

_PING: Final = 1
_REMEMBERED: Final = 1000
# Discord gives up with the time for an answer.
_SECONDS: Final = 3.0

Accept = Callable[[str, str, Json], None]
"""Takes a first response that came with the HTTP answer: interaction id, token, body."""


class EndpointRefusedError(Exception):
    """The address did not pass Discord's check; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDelivery:
    """A delivered interaction: its id and the HTTP status, 0 for no answer."""

    interaction_id: str
    status: int


class InteractionSender:
    """Posts interactions to the application's endpoint.

    `tolerance` is the time that the endpoint has to answer a request.
    """

    def __init__(self, application: Application, now: Clock, accept: Accept, *, tolerance: float = _SECONDS) -> None:
        self._application = application
        self._now = now
        self._accept = accept
        self.tolerance = tolerance
        self.deliveries: deque[HttpDelivery] = deque(maxlen=_REMEMBERED)
        self.changed = Notifier()
        self._sending: set[asyncio.Task[None]] = set()

    async def register(self, url: str | None) -> None:
        """Save an address for interactions, or None for the gateway.

        Like Discord, it first sends a PING, and one with a wrong signature.

        Raises:
            EndpointRefusedError: an answer was wrong; the address stays as it was.
        """
        if url is not None:
            await self._check(url)
        self._application.interactions_url = url

    def send(self, payload: Json) -> bool:
        """Post an interaction without waiting for the answer.

        Return False if they go to the gateway.
        """
        url = self._application.interactions_url
        if url is None:
            return False
        task = asyncio.create_task(self._deliver(url, payload))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return True

    async def wait_delivered(self, interaction_id: str, *, timeout: float = PATIENCE) -> int:
        """Return the HTTP status of a delivery once it is over; 0 for no answer."""
        async with asyncio.timeout(timeout):
            while True:
                for each in self.deliveries:
                    if each.interaction_id == interaction_id:
                        return each.status
                await self.changed.wait()

    async def close(self) -> None:
        """Cancel the running requests."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _check(self, url: str) -> None:
        ping = {"type": _PING, "version": 1, "application_id": self._application.id}
        status, answer = await self.post(url, ping)
        if status != HTTPStatus.OK or not isinstance(answer, dict) or answer.get("type") != _PING:
            raise EndpointRefusedError(f"a PING was answered with {status or 'nothing'}, not with a PONG")
        status, _ = await self.post(url, ping, key=Ed25519PrivateKey.generate())
        if status != HTTPStatus.UNAUTHORIZED:
            raise EndpointRefusedError(f"a wrong signature was answered with {status or 'nothing'}, not with 401")

    async def _deliver(self, url: str, payload: Json) -> None:
        status, answer = await self.post(url, payload)
        self.deliveries.append(HttpDelivery(interaction_id=payload["id"], status=status))
        self.changed.notify()
        if status == HTTPStatus.OK and isinstance(answer, dict):
            try:
                self._accept(payload["id"], payload["token"], answer)
            except ApiError:
                return  # a wrong body is no response; nobody is told

    async def post(self, url: str, payload: Json, *, key: Ed25519PrivateKey | None = None) -> tuple[int, Any]:
        """Post signed JSON; return the status and the JSON of the answer."""
        body = json.dumps(payload, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", **self.sign(body, key=key)}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.tolerance)) as session,
                session.post(url, data=body, headers=headers) as answer,
            ):
                return answer.status, await answer.json() if answer.content_type == "application/json" else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, None

    def sign(self, body: bytes, *, key: Ed25519PrivateKey | None = None, at: float | None = None) -> Mapping[str, str]:
        """Return the headers of a signed body.

        Another key than the application's makes a wrong signature; `at` is another time than now (Unix seconds).
        """
        timestamp = str(int(self._now() if at is None else at))
        signature = (key or self._application.signing_key).sign(timestamp.encode() + body)
        return {"X-Signature-Ed25519": signature.hex(), "X-Signature-Timestamp": timestamp}
