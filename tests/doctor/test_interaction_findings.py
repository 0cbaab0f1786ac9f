"""Findings about the registered endpoint of interactions."""

from datetime import UTC, datetime

from aiohttp import web

from bot.doctor import Finding
from bot.web.interactions import InteractionEndpoint
from bot.web.server import WebServer
from sandbox.discord.encoding import Json
from tests.doctor.fake_services import FakeServices, nothing_missing

HTTP = {"interactions": "http"}


class _Silent:
    async def receive(self, payload: Json) -> bool:
        del payload
        return True


async def about_interactions(services: FakeServices, **changes: str) -> Finding | None:
    """Return the finding about interactions."""
    found = [each for each in await services.examine(**changes) if "nteractions" in each.what + each.remedy]
    return found[0] if found else None


async def serve(services: FakeServices, *routes: web.RouteDef) -> WebServer:
    """Start a server as the registered endpoint."""
    server = WebServer(host="127.0.0.1", port=0, ready=nothing_missing, routes=routes)
    port = await server.start()
    services.discord.world.application.interactions_url = f"http://127.0.0.1:{port}/interactions"
    return server


async def test_gateway_needs_no_finding(services: FakeServices) -> None:
    assert await about_interactions(services) is None


async def test_interactions_sent_elsewhere_are_fault(services: FakeServices) -> None:
    services.discord.world.application.interactions_url = "https://old.example/interactions"
    fault = await services.fault()
    assert fault.what == (
        "INTERACTIONS is gateway, but Discord sends interactions to https://old.example/interactions:"
        " no command reaches the bot"
    )


async def test_missing_address_is_fault_without_gateway(services: FakeServices) -> None:
    """With a gateway it is a warning: interactions still come."""
    warning = await about_interactions(services, **HTTP)
    assert warning is not None
    assert (warning.good, warning.is_warning) == (True, True)
    fault = await services.fault(**HTTP, shard_ids="none")
    assert fault.what == "INTERACTIONS is http, but Discord has no address for them and sends them to the gateway"


async def test_running_endpoint_is_found(services: FakeServices) -> None:
    """It refuses a request without a signature."""
    endpoint = InteractionEndpoint(_Silent(), now=lambda: datetime.now(UTC))
    server = await serve(services, *endpoint.routes)
    stopped = await about_interactions(services, **HTTP)
    assert stopped is not None
    assert "no bot answers there yet (HTTP 503)" in stopped.what
    endpoint.open(services.discord.world.application.signing_key.public_key().public_bytes_raw().hex())
    found = await about_interactions(services, **HTTP)
    await server.stop()
    away = await about_interactions(services, **HTTP)
    url = services.discord.world.application.interactions_url
    assert found == Finding(good=True, what=f"Discord sends interactions to {url}, where a bot checks signatures")
    assert away is not None
    assert "no bot answers there yet (no connection)" in away.what


async def test_closed_path_is_fault(services: FakeServices) -> None:
    """A reverse proxy passes on the other paths alone."""
    server = await serve(services)
    fault = await services.fault(**HTTP)
    await server.stop()
    assert fault.what.endswith("which answers HTTP 404 to one without a signature")
    assert "reverse proxy" in fault.remedy


async def test_address_of_other_host_is_warning(services: FakeServices) -> None:
    services.discord.world.application.interactions_url = "https://other.example/interactions"
    warning = await about_interactions(services, **HTTP, webhook_public_url="http://127.0.0.1:9")
    assert warning is not None
    assert warning.is_warning
    assert "WEBHOOK_PUBLIC_URL is another host" in warning.what


async def test_open_metrics_are_warning(services: FakeServices) -> None:
    """The internet reaches the port of interactions, and of the numbers."""
    findings = await services.examine(**HTTP, metrics="on")
    assert [each.is_warning for each in findings if each.what.startswith("METRICS is on")] == [True]
