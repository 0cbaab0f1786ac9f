"""Control of the fake by another process: a local JSON API.

POST   /sandbox/discord/faults    the fields of a fault: {"method": "PATCH", "path": "messages", "status": 500, ...}
DELETE /sandbox/discord/faults
POST   /sandbox/discord/gateway   {"action": "drop" | "reconnect" | "invalidate"}
POST   /sandbox/discord/tokens    {"action": "expire"}
POST   /sandbox/discord/addresses {"action": "expire"}    the signed addresses of files
POST   /sandbox/discord/endpoint  {"url": "https://…/interactions"}    as saved in the portal; null: the gateway
"""

from http import HTTPStatus

from aiohttp import web

from sandbox.discord.cdn import Cdn
from sandbox.discord.faults import Faults
from sandbox.discord.gateway import Gateway
from sandbox.discord.interaction_endpoint import EndpointRefusedError, InteractionSender
from sandbox.discord.interactions import InteractionStore
from sandbox.loopback import is_own

_FAULT_FIELDS = frozenset(
    {"method", "path", "times", "status", "body", "headers", "reset", "when", "delay", "retry_after"}
)


class Control:
    """Answers the control requests."""

    def __init__(
        self,
        *,
        faults: Faults,
        gateway: Gateway,
        interactions: InteractionStore,
        cdn: Cdn,
        endpoint: InteractionSender,
    ) -> None:
        self._faults = faults
        self._gateway = gateway
        self._interactions = interactions
        self._cdn = cdn
        self._endpoint = endpoint

    def mount(self, app: web.Application) -> None:
        """Add the routes to an application."""
        app.router.add_post("/sandbox/discord/faults", self.set_fault)
        app.router.add_delete("/sandbox/discord/faults", self.clear_faults)
        app.router.add_post("/sandbox/discord/gateway", self.disturb_gateway)
        app.router.add_post("/sandbox/discord/tokens", self.expire_tokens)
        app.router.add_post("/sandbox/discord/addresses", self.expire_addresses)
        app.router.add_post("/sandbox/discord/endpoint", self.save_endpoint)

    async def set_fault(self, request: web.Request) -> web.Response:
        """Set a fault."""
        _guard(request)
        fields = await request.json()
        if not {"method", "path"} <= fields.keys() <= _FAULT_FIELDS:
            raise web.HTTPBadRequest(text=f"a fault has: {', '.join(sorted(_FAULT_FIELDS))}")
        self._faults.add(**fields)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Take all faults away."""
        _guard(request)
        self._faults.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def disturb_gateway(self, request: web.Request) -> web.Response:
        """Hang up on the bot, ask it to reconnect, or end its session."""
        _guard(request)
        action = (await request.json()).get("action")
        if action == "drop":
            await self._gateway.drop()
        elif action == "reconnect":
            self._gateway.ask_reconnect()
        elif action == "invalidate":
            self._gateway.invalidate()
        else:
            raise web.HTTPBadRequest(text="action: drop, reconnect or invalidate")
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def expire_tokens(self, request: web.Request) -> web.Response:
        """Let the tokens of all interactions so far run out."""
        await _require_expire(request)
        self._interactions.expire_tokens()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def expire_addresses(self, request: web.Request) -> web.Response:
        """Let the signed addresses of all files so far run out."""
        await _require_expire(request)
        self._cdn.expire()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def save_endpoint(self, request: web.Request) -> web.Response:
        """Save the endpoint of interactions, if it passes Discord's check."""
        _guard(request)
        try:
            await self._endpoint.register((await request.json()).get("url"))
        except EndpointRefusedError as refusal:
            raise web.HTTPBadRequest(text=str(refusal)) from None
        return web.Response(status=HTTPStatus.NO_CONTENT)


async def _require_expire(request: web.Request) -> None:
    _guard(request)
    if (await request.json()).get("action") != "expire":
        raise web.HTTPBadRequest(text="action: expire")


def _guard(request: web.Request) -> None:
    if not is_own(request):
        raise web.HTTPForbidden
