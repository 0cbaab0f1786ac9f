"""Middleware of the fakes: kills the bot at a chosen moment of a request."""

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
from sandbox.providers import ImageApiServer, Reve2ImgServer, SkillBossServer, State
from tests.chaos.scenario import Event, Strike, StrikeMoment

Classify: TypeAlias = Callable[[web.Request], Event | None]
SendSignal: TypeAlias = Callable[[Signals], Awaitable[None]]
"""Sends the bot a signal, and returns once it has ended if the signal was SIGKILL."""


class PendingStrike:
    """A strike before its moment; `struck` is set once the signal was sent."""

    def __init__(self, strike: Strike) -> None:
        self.strike = strike
        self.struck = asyncio.Event()
        self._passing = strike.skip

    def matches(self, event: Event, moment: StrikeMoment) -> bool:
        """Return whether the strike is due, counting the skipped matches."""
        if self.struck.is_set() or (event, moment) != (self.strike.event, self.strike.moment):
            return False
        self._passing -= 1
        return self._passing < 0


class FaultInjector:
    """Sends the signal when a request matches the armed strike."""

    def __init__(self, send_signal: SendSignal) -> None:
        self._send_signal = send_signal
        self._blow: PendingStrike | None = None

    def arm(self, pending: PendingStrike | None) -> None:
        """Wait for this strike only; None lets everything pass."""
        self._blow = pending

    async def strike_now(self, pending: PendingStrike) -> None:
        """Strike at once."""
        if not pending.struck.is_set():
            pending.struck.set()
            await self._send_signal(pending.strike.signal)

    def middleware(self, classify: Classify) -> Middleware:
        """Return a middleware for all requests of a server."""

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            await request.read()  # complete
            event = classify(request)
            if event is None:
                return await handler(request)
            if await self._strike_if_due(event, StrikeMoment.BEFORE):
                return _cut_connection(request)
            response = await self._respond(request, handler, event)
            await self._strike_if_due(event, StrikeMoment.AFTER)
            if self._is_waiting_for(event, StrikeMoment.HALFWAY) and isinstance(response, web.Response):
                return await self._respond_in_halves(request, response, event)
            if self._is_waiting_for(event, StrikeMoment.ANSWERED):
                with contextlib.suppress(ConnectionError):
                    await response.prepare(request)
                    await response.write_eof()
                await self._strike_if_due(event, StrikeMoment.ANSWERED)
            return response

        return watch

    async def _respond(self, request: web.Request, handler: Handler, event: Event) -> web.StreamResponse:
        """Return the handler's response; strike while it is awaited, if due."""
        if not self._is_waiting_for(event, StrikeMoment.OPEN):
            return await handler(request)
        responding = asyncio.ensure_future(handler(request))
        pending = self._blow
        await asyncio.wait({responding}, timeout=0.0 if pending is None else pending.strike.after)
        await self._strike_if_due(event, StrikeMoment.OPEN)
        return await responding

    async def observe(self, event: Event, moment: StrikeMoment) -> None:
        """Handle an event outside the requests to a fake."""
        await self._strike_if_due(event, moment)

    def _is_waiting_for(self, event: Event, moment: StrikeMoment) -> bool:
        pending = self._blow
        return (
            pending is not None
            and not pending.struck.is_set()
            and (pending.strike.event, pending.strike.moment) == (event, moment)
        )

    async def _strike_if_due(self, event: Event, moment: StrikeMoment) -> bool:
        """Strike if due; return whether the bot is dead."""
        pending = self._blow
        if pending is None or not pending.matches(event, moment):
            return False
        if moment is StrikeMoment.ANSWERED:
            await asyncio.sleep(pending.strike.after)
        await self.strike_now(pending)
        return pending.strike.signal is SIGKILL

    async def _respond_in_halves(
        self, request: web.Request, response: web.Response, event: Event
    ) -> web.StreamResponse:
        body = response.body if isinstance(response.body, bytes) else b""
        stream = web.StreamResponse(status=response.status)
        stream.content_type = response.content_type
        stream.content_length = len(body)
        with contextlib.suppress(ConnectionError):
            await stream.prepare(request)
            await stream.write(body[: len(body) // 2])
        await self._strike_if_due(event, StrikeMoment.HALFWAY)
        with contextlib.suppress(ConnectionError):
            await stream.write(body[len(body) // 2 :])
            await stream.write_eof()
        return stream


def discord_events(server: DiscordServer) -> Classify:
    """Return a classifier of requests to Discord."""

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
    """Return a classifier of requests to a provider.

    A status request is classified by the state it is about to return.
    """

    def classify(request: web.Request) -> Event | None:
        parts = request.path.split("/")
        if "assets" in parts:
            return Event.PICTURE
        if "cancel" in parts:
            return Event.CANCEL
        if "status" in parts:
            job = server.store.jobs.get(request.query.get("task_id", parts[-1]))
            return None if job is None else _POLLS.get(job.state)
        return Event.SUBMIT if request.method == "POST" and parts[-1] in ("run", "generate") else None

    return classify if isinstance(server, SkillBossServer | Reve2ImgServer) else _classify_call


def _classify_call(request: web.Request) -> Event | None:
    """Return the event of a request to any other provider, by its path."""
    parts = request.path.split("/")
    if "assets" in parts or "view" in parts:
        return Event.PICTURE
    if "cancel" in parts or "interrupt" in parts:
        return Event.CANCEL
    is_submit = request.method == "POST" and not {"sandbox", "upload", "queue"} & set(parts)
    return Event.SUBMIT if is_submit else None


def _cut_connection(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
