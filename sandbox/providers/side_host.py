"""A further host of a fake, on another port: media, polling or a platform."""

from collections.abc import Callable, Sequence

from aiohttp import web


class SideHost:
    """Serves some routes on a free port; `url` is empty before the start."""

    def __init__(self, routes: Callable[[], Sequence[web.RouteDef]]) -> None:
        self.url = ""
        self._routes = routes
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self, host: str = "127.0.0.1") -> None:
        """Listen; a second start takes the earlier port."""
        app = web.Application()
        app.add_routes(self._routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, host, self._port).start()
        self._port = runner.addresses[0][1]
        reachable = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
        self.url = f"http://{reachable}:{self._port}"

    async def close(self) -> None:
        """Stop listening. Calling it twice is allowed."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
