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
    else out. Here at most `most` connections stay open: a further one replaces the oldest connection without a whole
    head, and is dropped if there is none. A connection with a head that takes longer than `head_seconds` is dropped
    too. The protocol made by `inner` is left alone once its request has a whole head. The last `kept` places are for
    connections from this machine. It is meant for one request a connection: the head of a second one would have
    unlimited time.
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
        self._inside: set[_Visitor] = set()
        # By age; True for a connection from this machine, which everybody has behind a reverse proxy on it.
        self._without_head: dict[_Visitor, bool] = {}

    @property
    def inside(self) -> int:
        """Number of open connections."""
        return len(self._inside)

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol for a new connection."""
        return _Visitor(self, self._inner())

    def admit(self, visitor: "_Visitor", transport: asyncio.BaseTransport) -> bool:
        """Return whether a new connection may stay; another one may have to go."""
        is_neighbour = _is_neighbour(transport)
        if len(self._inside) >= (self.most if is_neighbour else self.most - self.kept):
            replaceable = (each for each, near in self._without_head.items() if is_neighbour or not near)
            oldest = next(replaceable, None)
            if oldest is None:
                return False
            self.remove(oldest)
            oldest.abort()
        self._inside.add(visitor)
        self._without_head[visitor] = is_neighbour
        return True

    def record_head(self, visitor: "_Visitor") -> None:
        """Record the whole head of a connection's request."""
        self._without_head.pop(visitor, None)

    def remove(self, visitor: "_Visitor") -> None:
        """Forget an ended or replaced connection."""
        self._inside.discard(visitor)
        self._without_head.pop(visitor, None)


class _Visitor(asyncio.Protocol):
    """One limited connection; it passes everything to its inner protocol."""

    def __init__(self, limiter: ConnectionLimiter, inner: asyncio.Protocol) -> None:
        self._limiter = limiter
        self._inner = inner
        self._tail: bytes | None = b""
        self._turned_away = False
        self._transport: asyncio.Transport | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a listening socket makes no other
        if not self._limiter.admit(self, transport):
            self._turned_away = True
            transport.abort()
            return
        self._transport = transport
        self._patience = asyncio.get_running_loop().call_later(self._limiter.head_seconds, transport.abort)
        self._inner.connection_made(transport)

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        if self._tail is not None:
            seen = self._tail + data
            if _END_OF_HEAD in seen:
                self._tail = None
                self._cancel_header_timeout()
                self._limiter.record_head(self)
            else:
                self._tail = seen[1 - len(_END_OF_HEAD) :]
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._turned_away else self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._limiter.remove(self)
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
