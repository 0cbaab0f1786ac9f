"""Slow and many visitors, over real sockets."""

import asyncio
from typing import Any, cast

import pytest

from bot.web.connection_limiter import ConnectionLimiter
from tests.web.raw_client import wire_to


class Echo(asyncio.Protocol):
    """Sends back what it hears, and remembers."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = asyncio.Event()
        self.writing: list[str] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.heard += data
        if self.transport is not None:
            self.transport.write(data)

    def pause_writing(self) -> None:
        """Wait."""
        self.writing.append("paused")

    def resume_writing(self) -> None:
        """Go on."""
        self.writing.append("resumed")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End."""
        self.lost.set()


class House:
    """A door, everybody who came in, and their connections."""

    def __init__(self, *, head_seconds: float = 60.0, most: int = 2, kept: int = 0) -> None:
        self.visitors: list[Echo] = []
        self.connections: list[Any] = []
        self.door = ConnectionLimiter(self._visitor, head_seconds=head_seconds, most=most, kept=kept)
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Listen and return the port."""
        self._server = await asyncio.get_running_loop().create_server(self._connection, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Listen no more."""
        assert self._server is not None
        self._server.close()

    def _connection(self) -> asyncio.Protocol:
        self.connections.append(self.door())
        return cast("asyncio.Protocol", self.connections[-1])

    def _visitor(self) -> Echo:
        self.visitors.append(Echo())
        return self.visitors[-1]


async def test_everything_is_passed_on() -> None:
    """Bytes in both directions, and the end."""
    house = House()
    async with wire_to(await house.open()) as wire:
        await wire.send("hello")
        assert await wire.reader.readexactly(5) == b"hello"
        wire.writer.write_eof()
        assert await wire.rest() == ""
    await house.visitors[0].lost.wait()
    assert house.door.inside == 0
    house.close()


@pytest.mark.parametrize("begun", ["", "GET / HTTP/1.1\r\nHost: x\r\n", "\r\n\r"])
async def test_whoever_does_not_end_the_head_is_dropped(begun: str) -> None:
    """Silence and a head without its end are alike."""
    house = House(head_seconds=1.0)
    async with wire_to(await house.open()) as wire:
        if begun:
            await wire.send(begun)
        await wire.rest()
        await house.visitors[0].lost.wait()
    assert house.visitors[0].heard == begun.encode()
    house.close()


async def test_whoever_has_said_what_they_want_may_stay() -> None:
    """The end of the head is heard in whatever pieces it comes."""
    house = House()
    async with wire_to(await house.open()) as wire:
        for piece in ("GET / HTTP/1.1\r", "\n", "\r", "\n"):
            assert house.connections == [] or house.connections[0]._patience is not None
            await wire.send(piece)
            await wire.reader.readexactly(len(piece))
        assert house.connections[0]._patience is None
        await wire.send("a body")
        assert await wire.reader.readexactly(6) == b"a body"
    house.close()


async def test_a_visitor_who_does_not_listen() -> None:
    """The inner protocol hears when nothing more can be sent, and when it can again."""
    house = House()
    async with wire_to(await house.open()) as wire:
        await wire.send("hello")
        await wire.reader.readexactly(5)
        house.connections[0].pause_writing()
        house.connections[0].resume_writing()
    assert house.visitors[0].writing == ["paused", "resumed"]
    house.close()


async def test_no_more_than_so_many_come_in() -> None:
    """One too many is turned away; when somebody leaves there is room again."""
    house = House(most=2)
    port = await house.open()
    async with wire_to(port) as first:
        await first.send("1")
        await first.reader.readexactly(1)
        async with wire_to(port) as second:
            await second.send("2")
            await second.reader.readexactly(1)
            async with wire_to(port) as third:
                await third.send("3")
                assert await third.rest() == ""
        await house.visitors[1].lost.wait()
        async with wire_to(port) as fourth:
            await fourth.send("4")
            assert await fourth.reader.readexactly(1) == b"4"
    assert [visitor.heard for visitor in house.visitors] == [b"1", b"2", b"", b"4"]
    house.close()


class From(asyncio.Transport):
    """A connection from an address that a test cannot have."""

    def __init__(self, peer: object) -> None:
        super().__init__({"peername": peer})
        self.aborted = False

    def abort(self) -> None:
        """Hang up."""
        self.aborted = True


NEIGHBOURS = [("127.0.0.1", 1), ("127.1.2.3", 1), ("::1", 1, 0, 0), ("::ffff:127.0.0.1", 1, 0, 0)]
STRANGERS = [("172.17.0.1", 1), ("8.8.8.8", 1), ("2001:db8::1", 1, 0, 0), ("fe80::1%eth0", 1, 0, 2), None, (), "", "x"]


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_the_last_places_are_for_this_machine(stranger: object, neighbour: object) -> None:
    """Strangers may take all but so many; whoever is here gets in, as long as there is a place at all."""
    house = House(most=4, kept=1)

    def comes(peer: object) -> tuple[asyncio.Protocol, bool]:
        protocol, transport = house.door(), From(peer)
        protocol.connection_made(transport)
        return protocol, not transport.aborted

    def leaves(protocol: asyncio.Protocol) -> None:
        protocol.connection_lost(None)

    inside = [comes(stranger) for _ in range(3)]
    assert [stays for _, stays in inside] == [True, True, True]
    turned_away, stays = comes(stranger)
    assert not stays
    leaves(turned_away)
    near, stays = comes(neighbour)
    assert stays
    one_too_many, stays = comes(neighbour)
    assert not stays
    for protocol in (near, one_too_many, *(protocol for protocol, _ in inside)):
        leaves(protocol)
    assert house.door.inside == 0


async def test_there_are_such_places_unless_somebody_says_otherwise() -> None:
    """The health check of a container comes from the container."""
    door = ConnectionLimiter(Echo)
    assert (door.most, door.kept) == (256, 16)
