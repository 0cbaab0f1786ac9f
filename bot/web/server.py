"""Web server for health checks and further routes.

`/healthz`: the process is up. `/readyz`: database and gateway are there. The internet may reach the server,
so it is frugal: one request a connection, a bounded number of them, and nothing from strangers reaches the
log.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web.connection_limiter import HEAD_SECONDS, ConnectionLimiter

# A supervisor kills after ten seconds, and there are others to stop.
_SHUTDOWN_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class WebServer:
    """Serves until `stop`.

    `ready` returns the names of missing parts; `routes` are served besides the two pages.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        ready: Callable[[], Awaitable[list[str]]],
        routes: Iterable[web.RouteDef] = (),
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._ready = ready
        self._routes = tuple(routes)
        self._head_seconds = head_seconds
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen and return the port; raises OSError where it is taken."""
        application = web.Application(middlewares=[_answer_once])
        application.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz), *self._routes])
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_silent_logger(),
            auto_decompress=False,  # a small body may become a large one
            lingering_time=0.0,  # a client that never sends the rest of a body would keep a place
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await self._runner.setup()
        server = self._runner.server
        assert server is not None, "the runner is set up"  # noqa: S101 - an invariant
        limiter = ConnectionLimiter(server, head_seconds=self._head_seconds)
        self._listening = await asyncio.get_running_loop().create_server(limiter, self._host, self._port)
        address: tuple[str, int] = self._listening.sockets[0].getsockname()
        return address[1]

    async def stop(self) -> None:
        """Close; running requests get a moment to end."""
        if self._listening is not None:
            self._listening.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        missing = await self._ready()
        status = "ok" if not missing else "not ready"
        return web.json_response({"status": status, "missing": missing}, status=200 if not missing else 503)


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
