"""Proxy for the providers' webhooks to the bot, open to strikes."""

import contextlib
from http import HTTPStatus

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Middleware


class WebhookProxy:
    """Forwards every POST to the bot's web server; 502 while the bot is away."""

    def __init__(self, middleware: Middleware) -> None:
        self._middleware = middleware
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._bot = ""
        self.url = ""

    async def start(self, bot: str) -> None:
        """Listen, and forward to this address."""
        self._bot = bot
        self._session = aiohttp.ClientSession()
        app = web.Application(middlewares=[self._middleware])
        app.router.add_post("/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        assert self._session is not None
        with contextlib.suppress(aiohttp.ClientError):
            body = await request.read()
            signed = {name: value for name, value in request.headers.items() if name.lower().startswith("x-")}
            headers = {"Content-Type": request.content_type, **signed}
            async with self._session.post(self._bot + request.path_qs, data=body, headers=headers) as answer:
                return web.Response(status=answer.status, body=await answer.read())
        return web.Response(status=HTTPStatus.BAD_GATEWAY)
