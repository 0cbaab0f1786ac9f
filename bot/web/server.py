"""Web server for health checks, metrics and further routes.

`/healthz`: the process is up. `/readyz`: database, gateway and storage are there, and the process is not stopping.
`/metrics`, if it is on: numbers for Prometheus. The internet may reach the server, so it is frugal: one request a
connection, a bounded number of them, and nothing from strangers reaches the log. A second listener can serve these
pages alone, at an address that only the operator reaches.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web.connection_limiter import HEAD_SECONDS, MOST_VISITORS, ConnectionLimiter

# A supervisor kills after ten seconds, and there are others to stop.
_SHUTDOWN_SECONDS: Final = 2.0
_HEALTH_VISITORS: Final = 32
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAddress:
    """Host and port of the listener for health checks alone."""

    host: str
    port: int


class WebServer:
    """Serves until `stop`.

    `ready` returns the names of missing parts; `routes` are served besides the two pages. `health` is a second
    address for the two pages, with its own connections. `metrics` returns the page of the metrics: only that address
    serves it if there is one.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        ready: Callable[[], Awaitable[list[str]]],
        routes: Iterable[web.RouteDef] = (),
        health: HealthAddress | None = None,
        metrics: Callable[[], Awaitable[bytes]] | None = None,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._ready = ready
        self._routes = tuple(routes)
        self._health = health
        self._metrics = metrics
        self._head_seconds = head_seconds
        self._listeners: list[_Listener] = []
        self._is_draining = False

    async def start(self) -> int:
        """Listen and return the port; raises OSError where it is taken."""
        pages = web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)
        metrics = () if self._metrics is None else (web.get("/metrics", self._serve_metrics),)
        public = (*pages, *self._routes) if self._health is not None else (*pages, *metrics, *self._routes)
        port = await self._listen(self._host, self._port, public, MOST_VISITORS)
        if self._health is not None:
            address, private = self._health, (*pages, *metrics)
            health_port = await self._listen(address.host, address.port, private, _HEALTH_VISITORS)
            _log.info("web.health_listening", port=health_port)
        return port

    def begin_drain(self) -> None:
        """Announce the stop on `/readyz`; serve as before."""
        self._is_draining = True

    async def stop(self) -> None:
        """Close; running requests get a moment to end."""
        await asyncio.gather(*(listener.stop() for listener in self._listeners))

    async def _listen(self, host: str, port: int, routes: Iterable[web.RouteDef], most: int) -> int:
        listener = _Listener(routes)
        self._listeners.append(listener)
        return await listener.start(host, port, head_seconds=self._head_seconds, most=most)

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        assert self._metrics is not None, "there is a route"  # noqa: S101 - an invariant
        return web.Response(body=await self._metrics(), headers={"Content-Type": _METRICS_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        missing = await self._ready()
        status = "draining" if self._is_draining else "not ready" if missing else "ok"
        return web.json_response({"status": status, "missing": missing}, status=200 if status == "ok" else 503)


class _Listener:
    """One listening address with its routes and its own connections."""

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        application = web.Application(middlewares=[_answer_once])
        application.add_routes(routes)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_silent_logger(),
            auto_decompress=False,  # a small body may become a large one
            lingering_time=0.0,  # a client that never sends the rest of a body would keep a place
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        self._listening: asyncio.Server | None = None

    async def start(self, host: str, port: int, *, head_seconds: float, most: int) -> int:
        await self._runner.setup()
        server = self._runner.server
        assert server is not None, "the runner is set up"  # noqa: S101 - an invariant
        limiter = ConnectionLimiter(server, head_seconds=head_seconds, most=most)
        self._listening = await asyncio.get_running_loop().create_server(limiter, host, port)
        address: tuple[str, int] = self._listening.sockets[0].getsockname()
        return address[1]

    async def stop(self) -> None:
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()


@web.middleware
async def _answer_once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer and close the connection.

    A fault of ours is logged by its route, because a path may hold a secret.
    """
    try:
        response = await handler(request)
    except web.HTTPException as answer:
        answer.force_close()
        raise
    except Exception:  # noqa: BLE001 - the library would log it with the request
        resource = request.match_info.route.resource
        _log.exception("web.broke", route=None if resource is None else resource.canonical)
        response = web.Response(status=500, text="500: Internal Server Error")
    response.force_close()
    return response


def _silent_logger() -> logging.Logger:
    """Return a silent logger for the library.

    The library quotes unreadable requests, tokens included.
    """
    logger = logging.getLogger("bot.web.aiohttp")
    logger.disabled = True
    return logger
