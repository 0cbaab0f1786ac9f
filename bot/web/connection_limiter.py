"""Limit of concurrent connections and of the time to send headers."""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Final

HEAD_SECONDS: Final = 10.0
MOST_VISITORS: Final = 256
# Of these: local health checks, such as Docker's, find room in any flood.
RESERVED_FOR_LOOPBACK: Final = 16

_END_OF_HEAD: Final = b"\r\n\r\n"


class ConnectionLimiter:
    """Makes the protocol of each connection, within limits.

    Web servers wait for a head as long as it trickles, so a few hundred idle connections would keep everybody
    else out. Here a connection beyond `most` is dropped, and so is one with a head that takes longer than
    `head_seconds`. The protocol made by `inner` is left alone once its request has a whole head. The last
    `kept` places are for connections from this machine. It is meant for one request a connection: the head of a
    second one would have unlimited time.
    """

    def __init__(
        self,
        inner: Callable[[], asyncio.Protocol],
        *,
        head_seconds: float = HEAD_SECONDS,
        most: int = MOST_VISITORS,
        kept: int = RESERVED_FOR_LOOPBACK,
    ) -> None:
        self._inner = inner
        self.head_seconds = head_seconds
        self.most = most
        self.kept = kept
        self.inside = 0

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol for a new connection."""
        return _Visitor(self, self._inner())

    def has_room_for(self, transport: asyncio.BaseTransport) -> bool:
        """Return whether a connection, counted already, may stay."""
        return self.inside <= self.most - self.kept or (self.inside <= self.most and _is_neighbour(transport))


class _Visitor(asyncio.Protocol):
    """One limited connection; it passes everything to its inner protocol."""

    def __init__(self, limiter: ConnectionLimiter, inner: asyncio.Protocol) -> None:
        self._limiter = limiter
        self._inner = inner
        self._tail: bytes | None = b""
        self._turned_away = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a listening socket makes no other
        self._limiter.inside += 1
        if not self._limiter.has_room_for(transport):
            self._turned_away = True
            transport.abort()
            return
        self._patience = asyncio.get_running_loop().call_later(self._limiter.head_seconds, transport.abort)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        if self._tail is not None:
            seen = self._tail + data
            if _END_OF_HEAD in seen:
                self._tail = None
                self._cancel_header_timeout()
            else:
                self._tail = seen[1 - len(_END_OF_HEAD) :]
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._turned_away else self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limiter.inside -= 1
        self._cancel_header_timeout()
        if not self._turned_away:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _cancel_header_timeout(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _is_neighbour(transport: asyncio.BaseTransport) -> bool:
    """Return whether a connection comes from this machine."""
    peer = transport.get_extra_info("peername")
    try:
        address = ipaddress.ip_address(peer[0])
    except (TypeError, LookupError, ValueError):  # hung up already, or nothing with an address
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
