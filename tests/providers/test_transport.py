"""Exceptions of the aiohttp transport; a paid call depends on them."""

import asyncio

import aiohttp
import httpx
import pytest

from bot.domain.errors import FaultKind
from bot.providers.error_mapping import kind_of_exception
from bot.providers.transport import provider_client
from sandbox.providers import Reve2ImgServer
from tests.providers.provider_harness import RawServer, json_reply


async def raised(client: httpx.AsyncClient, url: str, *, method: str = "POST", read: float = 5.0) -> Exception:
    """Return the exception of a request."""
    with pytest.raises((httpx.HTTPError, aiohttp.ClientError)) as caught:
        await client.request(method, url, timeout=httpx.Timeout(5.0, read=read))
    return caught.value


async def test_refused_connection_is_known_by_cause(client: httpx.AsyncClient) -> None:
    """Httpx raises ConnectTimeout.

    Only the cause proves that nothing was sent.
    """
    server = Reve2ImgServer()
    await server.start()
    await server.close()

    error = await raised(client, server.url)

    assert isinstance(error, httpx.ConnectTimeout)
    assert isinstance(error.__cause__, aiohttp.ClientConnectorError)
    assert kind_of_exception(error) is FaultKind.UNAVAILABLE


async def test_reset_after_sending_has_different_cause(client: httpx.AsyncClient) -> None:
    """The job may have been accepted."""
    server = Reve2ImgServer()
    await server.start()
    server.faults.add("submit", "reset_before")

    error = await raised(client, f"{server.url}/api/v1/generate")
    await server.close()

    assert isinstance(error, httpx.ConnectTimeout)
    assert not isinstance(error.__cause__, aiohttp.ClientConnectorError)
    assert kind_of_exception(error) is FaultKind.REPLY_LOST


async def test_close_without_answer_has_different_cause(client: httpx.AsyncClient) -> None:
    """A lost reply."""
    async with RawServer(b"") as server:
        error = await raised(client, server.url)

    assert isinstance(error, httpx.ConnectTimeout)
    assert isinstance(error.__cause__, aiohttp.ServerDisconnectedError)
    assert kind_of_exception(error) is FaultKind.REPLY_LOST


async def test_silence_raises_read_timeout(client: httpx.AsyncClient) -> None:
    """A lost reply."""
    async with RawServer(b"", silent=True) as server:
        error = await raised(client, server.url, read=0.05)

    assert isinstance(error, httpx.ReadTimeout)
    assert kind_of_exception(error) is FaultKind.REPLY_LOST


async def test_non_http_answer_is_unmapped(client: httpx.AsyncClient) -> None:
    """Aiohttp's own error is raised."""
    async with RawServer(b"hello\r\n\r\n") as server:
        error = await raised(client, server.url)

    assert isinstance(error, aiohttp.ClientResponseError)
    assert kind_of_exception(error) is FaultKind.MALFORMED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("refused"), FaultKind.UNAVAILABLE),
        (httpx.PoolTimeout("busy"), FaultKind.UNAVAILABLE),
        (httpx.ReadError("broken"), FaultKind.REPLY_LOST),
        (httpx.WriteError("broken"), FaultKind.REPLY_LOST),
        (TimeoutError(), FaultKind.REPLY_LOST),
        (ConnectionResetError(), FaultKind.REPLY_LOST),
        (aiohttp.ConnectionTimeoutError(), FaultKind.UNAVAILABLE),
    ],
)
def test_exception_of_other_transport_is_classified(error: Exception, kind: FaultKind) -> None:
    """Without aiohttp's cause the name counts.

    Unknown exceptions are lost replies.
    """
    assert kind_of_exception(error) is kind


async def test_every_post_opens_new_connection() -> None:
    """A pooled connection may be closing and lose the reply."""
    connections: set[object] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(json_reply("{}"))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with provider_client() as client:
        for _ in range(3):
            await client.post(url)
        posts = len(connections)
        for _ in range(3):
            await client.get(url)
        gets = len(connections) - posts
    server.close()
    await server.wait_closed()

    assert (posts, gets) == (3, 1)


async def test_client_has_no_implicit_configuration(client: httpx.AsyncClient) -> None:
    """No redirects, no proxy from the environment, no address, no key."""
    assert client.follow_redirects is False
    assert client.trust_env is False
    assert str(client.base_url) == ""
    assert "authorization" not in client.headers
