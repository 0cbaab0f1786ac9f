"""A load balancer before several bots."""

from collections import Counter
from http import HTTPStatus
from itertools import count

import aiohttp
from aiohttp import web


class Balancer:
    """Passes each POST to the next address, as it is.

    One that cannot be reached, or answers 503, is passed over. `answered` counts the answers by address.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.answered: Counter[str] = Counter()
        self._turns = count()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on any free port."""
        application = web.Application()
        application.router.add_post("/interactions", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/interactions"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.startswith("X-Signature")}
        first = next(self._turns)
        async with aiohttp.ClientSession() as session:
            for place in range(len(self.addresses)):
                address = self.addresses[(first + place) % len(self.addresses)]
                try:
                    async with session.post(address, data=body, headers=headers) as answer:
                        if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                            self.answered[address] += 1
                            kind = answer.content_type if answer.status == HTTPStatus.OK else None
                            return web.Response(status=answer.status, body=await answer.read(), content_type=kind)
                except aiohttp.ClientError:
                    continue
        return web.Response(status=HTTPStatus.BAD_GATEWAY)
