"""A real CONNECT proxy, and a TLS server behind it."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("api.example", "cdn.example", "discord.example")


@dataclass
class ConnectProxy:
    """Tunnels every CONNECT to one local port.

    `asked` are the targets as the client wrote them, `credentials` the headers of authentication. With `refusal`, a
    status line, no tunnel is opened.
    """

    target_port: int
    asked: list[str] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)
    refusal: str | None = None
    port: int = 0

    @property
    def url(self) -> str:
        """The proxy's address with a user and password."""
        return f"http://user:s3cret@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Open one tunnel."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.asked.append(head[0])
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        self.credentials.append(headers.get("Proxy-Authorization"))
        if self.refusal is not None:
            writer.write(f"HTTP/1.1 {self.refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target_port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


@asynccontextmanager
async def connect_proxy(target_port: int) -> AsyncIterator[ConnectProxy]:
    """Run a proxy in front of a local port."""
    proxy = ConnectProxy(target_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    yield proxy
    server.close()


@asynccontextmanager
async def tls_front(target_port: int, certificate: Path) -> AsyncIterator[int]:
    """Run a TLS server in front of a local port; yield its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target_port)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


def make_certificate(folder: Path, names: Sequence[str] = NAMES) -> Path:
    """Return a file with a self-signed certificate and its key."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(  # noqa: S603 - fixed arguments
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=test", "-keyout", str(key), "-out", str(certificate)),
            *("-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
