"""Every provider with its fake, in turn."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.providers.http import ProviderHttp
from bot.providers.transport import provider_client
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
