"""REST dispatch: authorization, faults, rate limits, recording, errors."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from aiohttp import web

from sandbox.discord.encoding import Clock
from sandbox.discord.errors import ApiError, plain_error
from sandbox.discord.faults import Fault, Faults
from sandbox.discord.http_request import Call, Reply, Route, read_body
from sandbox.discord.ratelimits import RateLimits
from sandbox.discord.recorder import RecordedRequest, Recorder, SentFile
from sandbox.discord.state import World

PREFIX = "/api/v10"
UNVERSIONED = "/api"
WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"


class RestApi:
    """Serves the routes under `/api/v10`."""

    def __init__(
        self, world: World, *, rate_limits: RateLimits, faults: Faults, recorder: Recorder, now: Clock
    ) -> None:
        self._world = world
        self._rate_limits = rate_limits
        self._faults = faults
        self._recorder = recorder
        self._now = now

    def mount(self, app: web.Application, routes: Iterable[Route]) -> None:
        """Add the routes to an application, and a response for unknown routes."""
        for route in routes:
            app.router.add_route(route.method, PREFIX + route.template, self._endpoint(route))
            if route.template == WEBHOOK:
                # Discord's client shows the addresses of webhooks without a version.
                app.router.add_route(route.method, UNVERSIONED + route.template, self._endpoint(route))
        app.router.add_route("*", PREFIX + "/{rest:.*}", self._not_found)

    def _endpoint(self, route: Route) -> Any:
        async def endpoint(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, route)

        return endpoint

    async def _not_found(self, request: web.Request) -> web.StreamResponse:
        nowhere = Route(request.method, request.path.removeprefix(PREFIX), _nowhere, open=True)
        return await self._serve(request, nowhere)

    async def _serve(self, request: web.Request, route: Route) -> web.StreamResponse:
        headers: dict[str, str] = {}
        uploads = request.content_type == "multipart/form-data"
        fault = self._faults.take(request.method, request.path.removeprefix(PREFIX), uploads=uploads)
        call = Call(method=route.method, template=route.template, params=request.match_info, query=request.query)
        try:
            try:
                body, files = await read_body(request)
                call = replace(call, body=body, files=files)
                reply = await self._answer(request, route, call, fault, headers)
            except ApiError as error:
                headers.update(error.headers)
                reply = Reply(error.body, error.status)
        except ConnectionResetError:
            self._record(request, call, Reply(status=0))
            _cut(request)
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        self._record(request, call, reply)
        return _response(reply, headers)

    async def _answer(
        self, request: web.Request, route: Route, call: Call, fault: Fault | None, headers: dict[str, str]
    ) -> Reply:
        if fault is not None and fault.when == "before":
            await _suffer(fault)
        if not route.open and request.headers.get("Authorization") != f"Bot {self._world.application.token}":
            raise plain_error(HTTPStatus.UNAUTHORIZED)
        headers.update(self._rate_limits.take(call.method, call.template, call.params))
        reply = route.handler(call)
        if fault is not None and fault.when == "after":
            await _suffer(fault)
        return reply

    def _record(self, request: web.Request, call: Call, reply: Reply) -> None:
        if not self._recorder.enabled:
            return
        template = call.template
        if call.params.get("message_id") == "@original":
            template = template.replace("{message_id}", "@original")
        files = tuple(
            SentFile(f"files[{number}]", each.filename, len(each.data)) for number, each in call.files.items()
        )
        self._recorder.add(
            RecordedRequest(
                method=request.method,
                path=template,
                target=request.path.removeprefix(PREFIX),
                json=call.body,
                files=files,
                status=int(reply.status),
                at=self._now(),
                answer=reply.body,
            )
        )


def _nowhere(call: Call) -> Reply:
    del call
    raise plain_error(HTTPStatus.NOT_FOUND)


async def _suffer(fault: Fault) -> None:
    await fault.hold()
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.reset:
        raise ConnectionResetError
    error = fault.error()
    if error is not None:
        raise error


def _cut(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        # Lingering for zero seconds makes the kernel send a reset instead of an orderly end.
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _response(reply: Reply, headers: Mapping[str, str]) -> web.Response:
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    # As bytes, so that the content type carries no charset: discord.py compares it literally.
    encoded = json.dumps(reply.body, separators=(",", ":")).encode()
    return web.Response(status=reply.status, body=encoded, headers={**headers, "Content-Type": "application/json"})
