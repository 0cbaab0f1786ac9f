"""Findings about `WEBHOOK_PUBLIC_URL`."""

from pathlib import Path

import pytest
from aiohttp import web

from bot.doctor import Finding
from bot.doctor.web import check_webhook
from bot.services.served_files import ServedFile
from bot.settings import load_settings
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from tests.doctor.fake_services import FakeServices, nothing_missing


class _NoFiles:
    async def find(self, token: str) -> ServedFile | None:
        del token
        return None

    async def local_file(self, served: ServedFile) -> Path:
        raise NotImplementedError


async def test_webhook_address_is_checked(services: FakeServices) -> None:
    """Without an answer it is a note."""
    inputs = ServedFileEndpoint(_NoFiles())
    server = WebServer(host="127.0.0.1", port=0, ready=nothing_missing, routes=inputs.routes)
    port = await server.start()
    assert (await services.webhook(f"http://127.0.0.1:{port}")) == Finding(
        good=True, what="WEBHOOK_PUBLIC_URL is set and reaches a running bot"
    )
    elsewhere = await services.webhook(f"http://127.0.0.1:{port}/elsewhere")
    assert elsewhere.what == "WEBHOOK_PUBLIC_URL is set, but no bot answers there yet (HTTP 404)"
    await server.stop()
    away = await services.webhook(f"http://127.0.0.1:{port}")
    assert away.what == "WEBHOOK_PUBLIC_URL is set, but no bot answers there yet (no connection)"
    assert away.good
    assert "reverse proxy" in away.remedy


@pytest.mark.parametrize("status", [403, 404, 502])
async def test_closed_inputs_of_public_address_are_fault(services: FakeServices, status: int) -> None:
    """A reverse proxy answers 404 for its other paths."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    routes = (web.get("/inputs/{token}", refuse),)
    server = WebServer(host="127.0.0.1", port=0, ready=nothing_missing, routes=routes)
    port = await server.start()
    finding = await services.webhook(f"http://127.0.0.1:{port}")
    await server.stop()
    assert (finding.good, finding.what) == (
        False,
        f"WEBHOOK_PUBLIC_URL reaches a running bot, but not its /inputs (HTTP {status})",
    )


@pytest.mark.parametrize("error", [OSError(), UnicodeError("label too long")])
async def test_public_address_without_dns_entry_is_fault(services: FakeServices, error: Exception) -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        raise error

    settings = load_settings(**(services.variables | {"webhook_public_url": "https://studio.example"}))
    (finding,) = await check_webhook(settings, lookup)
    assert (finding.good, finding.what) == (False, "WEBHOOK_PUBLIC_URL: studio.example cannot be resolved")


async def test_public_address_with_private_dns_entry_is_warning(services: FakeServices) -> None:
    async def lookup(_host: str, _port: int) -> list[str]:
        return ["10.0.0.7"]

    changes = {"webhook_public_url": "https://studio.example", "skillboss_api_url": "https://a.example"}
    (finding,) = await check_webhook(load_settings(**(services.variables | changes)), lookup)
    assert finding.is_warning
    assert "studio.example resolves to 10.0.0.7" in finding.what


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "https://127.0.0.1", "https://10.0.0.7", "https://[::1]:8443"]
)
async def test_private_webhook_address_is_fault(services: FakeServices, url: str) -> None:
    """SkillBoss would refuse every job; a local fake accepts it."""
    settings = load_settings(
        **(services.variables | {"webhook_public_url": url, "skillboss_api_url": "https://a.example"})
    )
    (finding,) = await check_webhook(settings)
    assert not finding.good
    assert "SkillBoss refuses every job" in finding.what
