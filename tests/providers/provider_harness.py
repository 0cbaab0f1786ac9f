"""Every provider with its fake over sockets, and raw TCP servers."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest
from bot.providers.base import Provider
from bot.providers.http import ProviderHttp
from bot.providers.reve2img import Reve2Img
from bot.providers.skillboss import SkillBoss
from sandbox.providers import MANUAL, ImageApiServer, Reve2ImgServer, SkillBossServer
from tests.support.catalogue import OFFERS, generation_request

KEY = "sk-contract-0123456789"
PROMPT = "a lighthouse whose lamp is a small moon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A provider: factories of its client and its fake, and its offers."""

    name: str
    build: Callable[[ProviderHttp], Provider]
    server: Callable[[], ImageApiServer]


CASES = (
    Case(name="skillboss", build=SkillBoss, server=lambda: SkillBossServer(key=KEY, latency=MANUAL)),
    Case(name="reve2img", build=Reve2Img, server=lambda: Reve2ImgServer(key=KEY, latency=MANUAL)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHarness:
    """A provider wired to its fake."""

    case: Case
    server: ImageApiServer
    provider: Provider
    client: httpx.AsyncClient

    @property
    def offer(self) -> Offer:
        """Return the provider's offer of the default model."""
        return next(offer for offer in OFFERS if offer.provider == self.case.name and offer.model == "reve-2.0")

    @property
    def request(self) -> GenerationRequest:
        """Return an ordinary request."""
        return generation_request(prompt=PROMPT, images=2)

    def provider_at(self, url: str, *, submit_read_timeout: float = 120.0) -> Provider:
        """Return the provider's client for another address."""
        http = ProviderHttp(
            name=self.case.name,
            base_url=url,
            key=KEY,
            client=self.client,
            submit_read_timeout=submit_read_timeout,
            read_timeout=submit_read_timeout,
        )
        return self.case.build(http)


class RawServer:
    """Answers each request with fixed bytes; then closes or stays silent."""

    def __init__(self, reply: bytes, *, silent: bool = False) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self._reply = reply
        self._silent = silent
        self._over = asyncio.Event()

    async def __aenter__(self) -> "RawServer":
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop the silent connections and stop."""
        self._over.set()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                ),
                0,
            )
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self._reply)
            await writer.drain()
            if self._silent:
                await self._over.wait()
        writer.close()


def json_reply(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an HTTP answer in bytes."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body.encode())}\r\n{headers}\r\n{body}".encode()
