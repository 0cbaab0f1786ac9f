"""Every provider with its fake, in turn."""

import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.providers.comfyui import SPEC, ComfyUI
from bot.providers.http import ProviderHttp
from bot.providers.transport import provider_client
from sandbox.providers import MANUAL
from sandbox.providers.comfy import ComfyServer
from tests.providers.comfy_support import EXAMPLES, Comfy
from tests.providers.provider_harness import CASES, KEY, Case, ProviderHarness


@pytest.fixture(scope="session")
def certificates() -> ssl.SSLContext:
    """Return the trusted certificates, read once because reading is slow."""
    return httpx.create_ssl_context(trust_env=False)


@pytest.fixture
async def client(certificates: ssl.SSLContext) -> AsyncIterator[httpx.AsyncClient]:
    """Yield the shared client."""
    async with provider_client(verify=certificates) as client:
        yield client


@pytest.fixture(params=CASES, ids=lambda case: case.name)
async def bench(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> AsyncIterator[ProviderHarness]:
    """Yield each provider with its fake."""
    case: Case = request.param
    server = case.server()
    await server.start()
    http = ProviderHttp(name=case.name, base_url=server.url, key=KEY, client=client)
    yield ProviderHarness(case=case, server=server, provider=case.build(http), client=client)
    await server.close()


@pytest.fixture
async def comfy(client: httpx.AsyncClient, tmp_path: Path) -> AsyncIterator[Comfy]:
    """Yield the client of ComfyUI with the example workflows, and its fake."""
    folder = tmp_path / "workflows"
    shutil.copytree(EXAMPLES, folder)
    server = ComfyServer(latency=MANUAL)
    await server.start()
    provider = ComfyUI(SPEC.open_http(client, server.url, None), workflows=folder)
    yield Comfy(server=server, client=client, provider=provider, folder=folder)
    await provider.close()
    await server.close()
