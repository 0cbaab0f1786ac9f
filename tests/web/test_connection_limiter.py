"""Slow and numerous clients, over real sockets."""

import asyncio
from typing import Any, cast

import pytest

from bot.web.connection_limiter import ConnectionLimiter
from tests.web.raw_client import connect_raw


class Echo(asyncio.Protocol):
    """Echoes and records received bytes."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = asyncio.Event()
        self.writing: list[str] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Record the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Echo."""
        self.heard += data
        if self.transport is not None:
            self.transport.write(data)

    def pause_writing(self) -> None:
        """Record the pause."""
        self.writing.append("paused")

    def resume_writing(self) -> None:
        """Record the end of the pause."""
        self.writing.append("resumed")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Record the end."""
        self.lost.set()


class LimiterHarness:
    """A limiter with its accepted connections."""

    def __init__(self, *, head_seconds: float = 60.0, most: int = 2, kept: int = 0) -> None:
        self.visitors: list[Echo] = []
        self.connections: list[Any] = []
        self.limiter = ConnectionLimiter(self._visitor, head_seconds=head_seconds, most=most, kept=kept)
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen and return the port."""
        self._server = await asyncio.get_running_loop().create_server(self._connection, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()

    def _connection(self) -> asyncio.Protocol:
        self.connections.append(self.limiter())
        return cast("asyncio.Protocol", self.connections[-1])

    def _visitor(self) -> Echo:
        self.visitors.append(Echo())
        return self.visitors[-1]


async def test_limiter_forwards_everything() -> None:
    """Bytes in both directions, and the end."""
    house = LimiterHarness()
    async with connect_raw(await house.open()) as wire:
        await wire.send("hello")
        assert await wire.reader.readexactly(5) == b"hello"
        wire.writer.write_eof()
        assert await wire.rest() == ""
    await house.visitors[0].lost.wait()
    assert house.limiter.inside == 0
    house.close()


@pytest.mark.parametrize("begun", ["", "GET / HTTP/1.1\r\nHost: x\r\n", "\r\n\r"])
async def test_unfinished_headers_close_connection(begun: str) -> None:
    """Silence, or headers without an end."""
    house = LimiterHarness(head_seconds=1.0)
    async with connect_raw(await house.open()) as wire:
        if begun:
            await wire.send(begun)
        await wire.rest()
        await house.visitors[0].lost.wait()
    assert house.visitors[0].heard == begun.encode()
    house.close()


async def test_finished_headers_keep_connection() -> None:
    """The end of the headers is found in any fragmentation."""
    house = LimiterHarness()
    async with connect_raw(await house.open()) as wire:
        for piece in ("GET / HTTP/1.1\r", "\n", "\r", "\n"):
            assert house.connections == [] or house.connections[0]._patience is not None
            await wire.send(piece)
            await wire.reader.readexactly(len(piece))
        assert house.connections[0]._patience is None
        await wire.send("a body")
        assert await wire.reader.readexactly(6) == b"a body"
    house.close()


async def test_client_that_does_not_read_pauses_protocol() -> None:
    """The inner protocol is paused and resumed."""
    house = LimiterHarness()
    async with connect_raw(await house.open()) as wire:
        await wire.send("hello")
        await wire.reader.readexactly(5)
        house.connections[0].pause_writing()
        house.connections[0].resume_writing()
    assert house.visitors[0].writing == ["paused", "resumed"]
    house.close()


HEAD = "GET / HTTP/1.1\r\n\r\n"


async def test_connections_over_limit_are_refused() -> None:
    """A closed connection makes room; requests in progress keep theirs."""
    house = LimiterHarness(most=2)
    port = await house.open()
    async with connect_raw(port) as first:
        await first.send(HEAD)
        await first.reader.readexactly(len(HEAD))
        async with connect_raw(port) as second:
            await second.send(HEAD)
            await second.reader.readexactly(len(HEAD))
            async with connect_raw(port) as third:
                await third.send(HEAD)
                assert await third.rest() == ""
        await house.visitors[1].lost.wait()
        async with connect_raw(port) as fourth:
            await fourth.send("4")
            assert await fourth.reader.readexactly(1) == b"4"
    assert [visitor.heard.decode() for visitor in house.visitors] == [HEAD, HEAD, "", "4"]
    house.close()


async def test_connection_over_limit_replaces_oldest_without_headers() -> None:
    house = LimiterHarness(most=3)
    port = await house.open()
    async with connect_raw(port) as busy, connect_raw(port) as old, connect_raw(port) as young:
        for client, sent in ((busy, HEAD), (old, "1"), (young, "2")):
            await client.send(sent)
            await client.reader.readexactly(len(sent))
        async with connect_raw(port) as new:
            await new.send("3")
            assert await new.reader.readexactly(1) == b"3"
            assert await old.rest() == ""
            assert house.limiter.inside == 3
            for client in (busy, young):
                await client.send("x")
                assert await client.reader.readexactly(1) == b"x"
    house.close()


class From(asyncio.Transport):
    """A connection from an arbitrary address."""

    def __init__(self, peer: object) -> None:
        super().__init__({"peername": peer})
        self.aborted = False

    def write(self, data: Any) -> None:
        """Drop the bytes."""

    def abort(self) -> None:
        """Close the connection."""
        self.aborted = True


NEIGHBOURS = [("127.0.0.1", 1), ("127.1.2.3", 1), ("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1, 0, 0)]
STRANGERS = [("172.17.0.1", 1), ("8.8.8.8", 1), ("2001:db8::1", 1, 0, 0), ("fe80::1%eth0", 1, 0, 2), None, (), "", "x"]


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_last_places_are_reserved_for_loopback(stranger: object, neighbour: object) -> None:
    """Others may use all but the reserved places."""
    house = LimiterHarness(most=4, kept=1)

    def comes(peer: object) -> tuple[asyncio.Protocol, bool]:
        protocol, transport = house.limiter(), From(peer)
        protocol.connection_made(transport)
        return protocol, not transport.aborted

    def leaves(protocol: asyncio.Protocol) -> None:
        protocol.connection_lost(None)

    def asks(protocol: asyncio.Protocol) -> None:
        protocol.data_received(HEAD.encode())

    inside = [comes(stranger) for _ in range(3)]
    assert [stays for _, stays in inside] == [True, True, True]
    for protocol, _ in inside:
        asks(protocol)
    turned_away, stays = comes(stranger)
    assert not stays
    leaves(turned_away)
    near, stays = comes(neighbour)
    assert stays
    pushy, stays = comes(stranger)
    assert not stays
    asks(near)
    one_too_many, stays = comes(neighbour)
    assert not stays
    for protocol in (near, pushy, one_too_many, *(protocol for protocol, _ in inside)):
        leaves(protocol)
    assert house.limiter.inside == 0


async def test_loopback_reservation_is_default() -> None:
    """A container's health check comes from the container."""
    limiter = ConnectionLimiter(Echo)
    assert (limiter.most, limiter.kept) == (256, 16)
