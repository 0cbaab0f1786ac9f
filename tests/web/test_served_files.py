"""The address from which providers fetch pictures, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from bot.services.served_files import ServedFile
from bot.web import served_files as module
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from tests.support.clock import let_others_run
from tests.support.factories import make_image_file
from tests.web.raw_client import wire_to

TOKEN = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FyeQ0"
CONTENT = bytes(range(256)) * 4000


@dataclass
class Gate:
    """A running server, and what the test lets it give."""

    folder: Path
    port: int = 0
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)
    files: dict[str, ServedFile] = field(default_factory=dict)
    endpoint: ServedFileEndpoint | None = None

    def put(self, token: str, content: bytes = CONTENT) -> None:
        """Have a file behind a token."""
        path = self.folder / f"{len(self.files)}.png"
        path.write_bytes(content)
        self.files[token] = ServedFile(path=path, file=make_image_file(size=len(content)))

    async def find(self, token: str) -> ServedFile | None:
        """Answer as the service does."""
        self.asked.append(token)
        if self.error is not None:
            raise self.error
        return self.files.get(token)

    async def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of an answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
            return answer.status, dict(answer.headers), await answer.read()


@pytest.fixture
async def gate(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Gate]:
    """Return a running server; a parameter is how many seconds it waits for a slow reader."""
    gate = Gate(tmp_path)
    endpoint = gate.endpoint = ServedFileEndpoint(gate, send_seconds=getattr(request, "param", 60.0))
    server = WebServer(host="127.0.0.1", port=0, ready=_nothing_missing, routes=endpoint.routes)
    gate.port = await server.start()
    yield gate
    await server.stop()


async def _nothing_missing() -> list[str]:
    return []


async def test_a_provider_gets_the_picture(gate: Gate) -> None:
    """All of it, as what it is, for nobody else to keep or to run."""
    gate.put(TOKEN)
    status, headers, body = await gate.ask(f"/inputs/{TOKEN}")
    assert (status, body) == (200, CONTENT)
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(CONTENT))
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Connection"] == "close"


async def test_head_tells_without_giving(gate: Gate) -> None:
    """Some providers look first."""
    gate.put(TOKEN)
    status, headers, body = await gate.ask(f"/inputs/{TOKEN}", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")


@pytest.mark.parametrize("token", ["x", TOKEN[:-1], "%2e%2e%2fsecret", "%00", "%ff", "a" * 4000])
async def test_strangers_find_nothing(gate: Gate, token: str) -> None:
    """The same 404 as any address, after the one look-up that is always done."""
    gate.put(TOKEN)
    status, _, body = await gate.ask(f"/inputs/{token}")
    assert (status, body) == (404, b"404: Not Found")
    assert len(gate.asked) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_sent_there(gate: Gate, method: str) -> None:
    """It gives, and takes nothing."""
    gate.put(TOKEN)
    assert (await gate.ask(f"/inputs/{TOKEN}", method))[0] == 405
    assert gate.asked == []


async def test_a_file_that_is_missing_is_not_found(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    """The operator hears of it; the provider, and the log, learn no path."""
    gate.put(TOKEN)
    gate.files[TOKEN].path.unlink()
    assert (await gate.ask(f"/inputs/{TOKEN}"))[0] == 404
    said = capsys.readouterr()
    assert "input.file_missing" in said.out + said.err
    assert TOKEN not in said.out + said.err


async def test_a_database_that_is_away_may_be_back(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    """503, so that the provider tries again; no token is in the log, whatever the error says."""
    gate.error = OSError(f"lost /inputs/{TOKEN}")
    assert (await gate.ask(f"/inputs/{TOKEN}"))[0] == 503
    said = capsys.readouterr()
    assert "input.not_looked_up" in said.out + said.err
    assert TOKEN not in said.out + said.err


@pytest.mark.parametrize("gate", [0.5], indirect=True)
async def test_who_reads_too_slowly_gives_the_place_back(gate: Gate) -> None:
    """The connection is cut; others are served meanwhile."""
    gate.put(TOKEN, bytes(20 * 1024 * 1024))
    gate.put("other")
    async with wire_to(gate.port) as wire:
        await wire.send(f"GET /inputs/{TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await wire.status() == 200
        assert (await gate.ask("/inputs/other"))[0] == 200
        assert gate.endpoint is not None
        async with asyncio.timeout(60):
            while gate.endpoint._sending:
                await let_others_run()
        assert len(await wire.rest()) < 20 * 1024 * 1024


async def test_only_so_many_are_served_at_a_time(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come back: a flood must not take all places."""
    monkeypatch.setattr(module, "_FILES", 1)
    gate.put(TOKEN, bytes(20 * 1024 * 1024))
    gate.put("other")
    async with wire_to(gate.port) as wire:
        await wire.send(f"GET /inputs/{TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await wire.status() == 200
        assert (await gate.ask("/inputs/other"))[0] == 503
