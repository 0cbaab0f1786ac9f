"""Ambushes: every request to a stand-in passes one, and the bot is struck at the moment that was chosen."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from signal import SIGKILL, Signals
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sandbox.discord import DiscordServer
from sandbox.discord.interactions import InteractionKind
from sandbox.providers import ImageApiServer, State
from tests.chaos.scenario import Event, Strike, UtcDateTime

Classify: TypeAlias = Callable[[web.Request], Event | None]
Deal: TypeAlias = Callable[[Signals], Awaitable[None]]
"""Sends the bot a signal, and returns once it has ended if the signal was SIGKILL."""


class Blow:
    """A strike that waits for its moment; `struck` is set once the signal was sent."""

    def __init__(self, strike: Strike) -> None:
        self.strike = strike
        self.struck = asyncio.Event()
        self._passing = strike.skip

    def meets(self, event: Event, moment: UtcDateTime) -> bool:
        """Tell whether this is the moment, counting those that are passed over."""
        if self.struck.is_set() or (event, moment) != (self.strike.event, self.strike.moment):
            return False
        self._passing -= 1
        return self._passing < 0


class Ambush:
    """Strikes with `deal` when a request meets the blow that is laid."""

    def __init__(self, deal: Deal) -> None:
        self._deal = deal
        self._blow: Blow | None = None

    def lay(self, blow: Blow | None) -> None:
        """Wait for this blow's moment, and for no other's; None lets everything pass."""
        self._blow = blow

    async def now(self, blow: Blow) -> None:
        """Strike, wherever the bot may be."""
        if not blow.struck.is_set():
            blow.struck.set()
            await self._deal(blow.strike.signal)

    def around(self, classify: Classify) -> Middleware:
        """Return what stands around every request of a server."""

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            await request.read()  # it has arrived, all of it
            event = classify(request)
            if event is None:
                return await handler(request)
            if await self._strikes(event, UtcDateTime.BEFORE):
                return _cut(request)
            response = await handler(request)
            await self._strikes(event, UtcDateTime.AFTER)
            if self._waits_for(event, UtcDateTime.HALFWAY) and isinstance(response, web.Response):
                return await self._in_halves(request, response, event)
            if self._waits_for(event, UtcDateTime.ANSWERED):
                with contextlib.suppress(ConnectionError):
                    await response.prepare(request)
                    await response.write_eof()
                await self._strikes(event, UtcDateTime.ANSWERED)
            return response

        return watch

    async def passes(self, event: Event, moment: UtcDateTime) -> None:
        """Hear of something that is no request to a stand-in."""
        await self._strikes(event, moment)

    def _waits_for(self, event: Event, moment: UtcDateTime) -> bool:
        blow = self._blow
        return (
            blow is not None and not blow.struck.is_set() and (blow.strike.event, blow.strike.moment) == (event, moment)
        )

    async def _strikes(self, event: Event, moment: UtcDateTime) -> bool:
        """Strike if this is the moment; return whether the bot is dead by it."""
        blow = self._blow
        if blow is None or not blow.meets(event, moment):
            return False
        if moment is UtcDateTime.ANSWERED:
            await asyncio.sleep(blow.strike.after)
        await self.now(blow)
        return blow.strike.signal is SIGKILL

    async def _in_halves(self, request: web.Request, response: web.Response, event: Event) -> web.StreamResponse:
        body = response.body if isinstance(response.body, bytes) else b""
        stream = web.StreamResponse(status=response.status)
        stream.content_type = response.content_type
        stream.content_length = len(body)
        with contextlib.suppress(ConnectionError):
            await stream.prepare(request)
            await stream.write(body[: len(body) // 2])
        await self._strikes(event, UtcDateTime.HALFWAY)
        with contextlib.suppress(ConnectionError):
            await stream.write(body[len(body) // 2 :])
            await stream.write_eof()
        return stream


def discord_events(server: DiscordServer) -> Classify:
    """Return what names the requests to Discord."""

    def classify(request: web.Request) -> Event | None:
        parts = request.path.split("/")
        if request.path.endswith("/gateway/bot"):
            return Event.START
        if request.method == "POST" and parts[-1] == "callback":
            interaction = server.interactions.find(parts[-3])
            pressed = interaction is not None and interaction.kind is InteractionKind.COMPONENT
            return Event.PRESS if pressed else Event.CALLBACK
        if request.method == "POST" and parts[-1] == "messages":
            return Event.DIRECT
        if request.method == "PATCH":
            return Event.UPLOAD if request.content_type == "multipart/form-data" else Event.EDIT
        if request.method == "GET" and parts[-1] == "@original":
            return Event.LOOKUP
        return None

    return classify


_POLLS = {
    State.IN_QUEUE: Event.POLL_QUEUED,
    State.IN_PROGRESS: Event.POLL_RUNNING,
    State.COMPLETED: Event.POLL_COMPLETED,
    State.FAILED: Event.POLL_FAILED,
}


def provider_events(server: ImageApiServer) -> Classify:
    """Return what names the requests to a provider; a status is named after what it is about to say."""

    def classify(request: web.Request) -> Event | None:
        parts = request.path.split("/")
        if "assets" in parts:
            return Event.PICTURE
        if "cancel" in parts:
            return Event.CANCEL
        if "status" in parts:
            job = server.studio.jobs.get(request.query.get("task_id", parts[-1]))
            return None if job is None else _POLLS.get(job.state)
        return Event.SUBMIT if request.method == "POST" and parts[-1] in ("run", "generate") else None

    return classify


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
