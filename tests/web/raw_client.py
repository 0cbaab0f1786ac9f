"""A plain socket for malformed HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawClient:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, text: str | bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(text.encode() if isinstance(text, str) else text)
        await self.writer.drain()

    async def rest(self) -> str:
        """Return everything until the peer closes; empty after a reset."""
        try:
            async with asyncio.timeout(60):
                return (await self.reader.read()).decode()
        except ConnectionError:
            return ""

    async def status(self) -> int:
        """Return the status of the answer."""
        return int((await self.reader.readline()).split()[1])


@asynccontextmanager
async def connect_raw(port: int) -> AsyncIterator[RawClient]:
    """Connect, and close at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
