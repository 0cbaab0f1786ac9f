"""`/healthz` (the process is up) and `/readyz` (it can serve: database and gateway are there)."""

from collections.abc import Awaitable, Callable

from aiohttp import web


class WebServer:
    """Serves until `stop`. `ready` returns what is missing, by name; nothing when all is there."""

    def __init__(self, *, host: str, port: int, ready: Callable[[], Awaitable[list[str]]]) -> None:
        self._host = host
        self._port = port
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen and return the port; raises OSError where it is taken."""
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        missing = await self._ready()
        status = "ok" if not missing else "not ready"
        return web.json_response({"status": status, "missing": missing}, status=200 if not missing else 503)
