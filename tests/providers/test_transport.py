"""What the aiohttp transport makes of broken connections: pinned here, because a paid call depends on it."""

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
    """Return what a request raises."""
    with pytest.raises((httpx.HTTPError, aiohttp.ClientError)) as caught:
        await client.request(method, url, timeout=httpx.Timeout(5.0, read=read))
    return caught.value


async def test_a_refused_connection_is_known_by_its_cause(client: httpx.AsyncClient) -> None:
    """Httpx says ConnectTimeout here; only the cause says that nothing was sent."""
    server = Reve2ImgServer()
    await server.start()
    await server.close()

    error = await raised(client, server.url)

    assert isinstance(error, httpx.ConnectTimeout)
    assert isinstance(error.__cause__, aiohttp.ClientConnectorError)
    assert kind_of_exception(error) is FaultKind.UNAVAILABLE


async def test_a_reset_after_sending_has_the_same_name_and_another_cause(client: httpx.AsyncClient) -> None:
    """The same ConnectTimeout stands for a job that may have been taken: its name must never be trusted."""
    server = Reve2ImgServer()
    await server.start()
    server.faults.add("submit", "reset_before")

    error = await raised(client, f"{server.url}/api/v1/generate")
    await server.close()

    assert isinstance(error, httpx.ConnectTimeout)
    assert not isinstance(error.__cause__, aiohttp.ClientConnectorError)
    assert kind_of_exception(error) is FaultKind.REPLY_LOST


async def test_a_server_that_hangs_up_has_the_same_name_too(client: httpx.AsyncClient) -> None:
    """A connection closed without an answer is a ConnectTimeout as well, and a lost reply."""
    async with RawServer(b"") as server:
        error = await raised(client, server.url)

    assert isinstance(error, httpx.ConnectTimeout)
    assert isinstance(error.__cause__, aiohttp.ServerDisconnectedError)
    assert kind_of_exception(error) is FaultKind.REPLY_LOST


async def test_silence_is_a_read_timeout(client: httpx.AsyncClient) -> None:
    """No answer within the read timeout is a lost reply."""
    async with RawServer(b"", silent=True) as server:
        error = await raised(client, server.url, read=0.05)

    assert isinstance(error, httpx.ReadTimeout)
    assert kind_of_exception(error) is FaultKind.REPLY_LOST


async def test_no_http_at_all_comes_through_unmapped(client: httpx.AsyncClient) -> None:
    """The transport has no mapping for bytes that are no HTTP: aiohttp's own error comes through."""
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
def test_exceptions_of_another_transport_are_sorted_alike(error: Exception, kind: FaultKind) -> None:
    """Without a cause of aiohttp's the exception's own name counts, and what is unknown is a lost reply."""
    assert kind_of_exception(error) is kind


async def test_every_post_has_a_connection_of_its_own() -> None:
    """A POST never meets a connection that the server is about to close, so its reply is not lost for that."""
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


async def test_the_client_is_bound_to_nothing(client: httpx.AsyncClient) -> None:
    """It follows no redirect, takes no proxy from the environment, and has no address or key of its own."""
    assert client.follow_redirects is False
    assert client.trust_env is False
    assert str(client.base_url) == ""
    assert "authorization" not in client.headers
