"""The endpoint for input images, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import ANY

import aiohttp
import pytest

from bot.domain.errors import ImageError, ImageProblem
from bot.images.store_faults import PictureStoreError, StoreProblem
from bot.services.served_files import ServedFile
from bot.web import served_files as module
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from tests.support.clock import let_others_run
from tests.support.factories import make_id, make_image_file
from tests.web.raw_client import connect_raw

TOKEN = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0"
CONTENT = bytes(range(256)) * 4000


@dataclass
class FileServer:
    """A running server with files chosen by the test."""

    folder: Path
    port: int = 0
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)
    files: dict[str, ServedFile] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    store_error: Exception | None = None
    endpoint: ServedFileEndpoint | None = None

    def put(self, token: str, content: bytes = CONTENT) -> None:
        """Put a file behind a token."""
        path = self.folder / f"{len(self.files)}.png"
        path.write_bytes(content)
        self.files[token] = ServedFile(job_id=make_id(), file=make_image_file(size=len(content)))
        self.paths[self.files[token].job_id] = path

    async def find(self, token: str) -> ServedFile | None:
        """Return the file of a token, as the service does."""
        self.asked.append(token)
        if self.error is not None:
            raise self.error
        return self.files.get(token)

    async def local_file(self, served: ServedFile) -> Path:
        """Return the path of a file, as the service does."""
        if self.store_error is not None:
            raise self.store_error
        return self.paths[served.job_id]

    async def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
            return answer.status, dict(answer.headers), await answer.read()


@pytest.fixture
async def gate(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[FileServer]:
    """Yield a running server.

    The parameter is its timeout for slow readers in seconds.
    """
    gate = FileServer(tmp_path)
    endpoint = gate.endpoint = ServedFileEndpoint(gate, send_seconds=getattr(request, "param", 60.0))
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=endpoint.routes)
    gate.port = await server.start()
    yield gate
    await server.stop()


async def _nothing_missing() -> list[str]:
    return []


async def test_provider_gets_image(gate: FileServer) -> None:
    """Complete, with its type; neither cached nor executed."""
    gate.put(TOKEN)
    status, headers, body = await gate.ask(f"/inputs/{TOKEN}")
    assert (status, body) == (200, CONTENT)
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(CONTENT))
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Connection"] == "close"


async def test_head_returns_headers_only(gate: FileServer) -> None:
    """Some providers send HEAD first."""
    gate.put(TOKEN)
    status, headers, body = await gate.ask(f"/inputs/{TOKEN}", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")


@pytest.mark.parametrize("token", ["x", TOKEN[:-1], "%2e%2e%2fsecret", "%00", "%ff", "a" * 4000])
async def test_unknown_token_is_not_found(gate: FileServer, token: str) -> None:
    """The usual 404, after the usual single lookup."""
    gate.put(TOKEN)
    status, _, body = await gate.ask(f"/inputs/{token}")
    assert (status, body) == (404, b"404: Not Found")
    assert len(gate.asked) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_other_methods_are_rejected(gate: FileServer, method: str) -> None:
    gate.put(TOKEN)
    assert (await gate.ask(f"/inputs/{TOKEN}", method))[0] == 405
    assert gate.asked == []


async def test_missing_file_is_not_found_and_logged(gate: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has a line without a path."""
    gate.put(TOKEN)
    gate.paths[gate.files[TOKEN].job_id].unlink()
    assert (await gate.ask(f"/inputs/{TOKEN}"))[0] == 404
    said = capsys.readouterr()
    assert "input.file_missing" in said.out + said.err
    assert TOKEN not in said.out + said.err


async def test_unreachable_store_returns_503_and_missing_picture_404(gate: FileServer) -> None:
    gate.put(TOKEN)
    gate.store_error = PictureStoreError(StoreProblem.NETWORK)
    assert (await gate.ask(f"/inputs/{TOKEN}"))[0] == 503
    gate.store_error = ImageError(ImageProblem.GONE, "store")
    assert (await gate.ask(f"/inputs/{TOKEN}"))[0] == 404
    gate.store_error = None
    assert await gate.ask(f"/inputs/{TOKEN}") == (200, ANY, CONTENT)


async def test_unavailable_database_returns_503(gate: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """503, so that the provider retries; no token in the log."""
    gate.error = OSError(f"lost /inputs/{TOKEN}")
    assert (await gate.ask(f"/inputs/{TOKEN}"))[0] == 503
    said = capsys.readouterr()
    assert "input.not_looked_up" in said.out + said.err
    assert TOKEN not in said.out + said.err


@pytest.mark.parametrize("gate", [0.5], indirect=True)
async def test_slow_reader_is_disconnected(gate: FileServer) -> None:
    """Others are served meanwhile."""
    gate.put(TOKEN, bytes(20 * 1024 * 1024))
    gate.put("other")
    async with connect_raw(gate.port) as wire:
        await wire.send(f"GET /inputs/{TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await wire.status() == 200
        assert (await gate.ask("/inputs/other"))[0] == 200
        assert gate.endpoint is not None
        async with asyncio.timeout(60):
            while gate.endpoint._sending:
                await let_others_run()
        assert len(await wire.rest()) < 20 * 1024 * 1024


async def test_concurrent_downloads_are_limited(gate: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood cannot take all places."""
    monkeypatch.setattr(module, "_FILES", 1)
    gate.put(TOKEN, bytes(20 * 1024 * 1024))
    gate.put("other")
    async with connect_raw(gate.port) as wire:
        await wire.send(f"GET /inputs/{TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await wire.status() == 200
        assert (await gate.ask("/inputs/other"))[0] == 503
