import asyncio
import logging
from pathlib import Path

import pytest
from aiohttp import web

from bot.domain.errors import ImageError, ImageProblem
from bot.images import url_policy as addresses
from tests.images.fetching import BODY, answering, downloader, problem_of
from tests.images.samples import Serve


async def test_redirects_are_followed(serve: Serve, tmp_path: Path) -> None:
    """Five, relative ones included."""

    async def handler(request: web.Request) -> web.Response:
        step = int(request.path[1:])
        if step == 5:
            return web.Response(body=BODY)
        return web.Response(status=302, headers={"Location": f"{step + 1}"})

    url = await serve(handler)

    async with downloader(exempt=[url]) as made:
        path = await made.fetch(f"{url}/0", into=tmp_path)

    assert path.read_bytes() == BODY


async def test_endless_redirects_are_unreachable(serve: Serve, tmp_path: Path) -> None:
    """The sixth is not followed."""
    asked = 0

    async def handler(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=307, headers={"Location": "/again"})

    url = await serve(handler)

    assert await problem_of(url, tmp_path, exempt=[url]) == ImageProblem.UNREACHABLE
    assert asked == 6


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.1/a.png",
        "https://169.254.169.254/latest/meta-data",
        "http://cdn.example/a.png",
        "file:///etc/passwd",
        "https://[::1]/",
        "https://user:secret@cdn.example/",
        "https://h:99999/",
        "https://[bad/",
    ],
)
async def test_redirect_to_forbidden_address_is_rejected(serve: Serve, tmp_path: Path, location: str) -> None:
    """Each hop is checked like the first."""
    url = await serve(answering(lambda: web.Response(status=302, headers={"Location": location})))

    assert await problem_of(url, tmp_path, exempt=[url]) == ImageProblem.FORBIDDEN_ADDRESS


async def test_exempt_origin_exempts_no_other_port(serve: Serve, tmp_path: Path) -> None:
    """A redirected request never reaches another local service."""
    asked: list[str] = []

    async def secret(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=BODY)

    target = await serve(secret)
    url = await serve(answering(lambda: web.Response(status=302, headers={"Location": target})))

    assert await problem_of(url, tmp_path, exempt=[url]) == ImageProblem.FORBIDDEN_ADDRESS
    assert await problem_of(target.replace("http", "https"), tmp_path) == ImageProblem.FORBIDDEN_ADDRESS
    assert asked == []


async def test_name_of_private_address_is_rejected(serve: Serve, tmp_path: Path) -> None:
    """The address at connect time counts."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=BODY)

    port = (await serve(handler)).rpartition(":")[2]

    async def lookup(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    url = f"https://rebound.example:{port}/"
    assert await problem_of(url, tmp_path, lookup=lookup) == ImageProblem.FORBIDDEN_ADDRESS
    assert asked == []


async def test_name_is_resolved_once_and_connected_as_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second answer of the name server might be private."""
    first_bytes: list[bytes] = []
    lookups: list[str] = []

    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first_bytes.append(await reader.read(1))
        writer.close()

    async def lookup(host: str, _port: int) -> list[str]:
        lookups.append(host)
        return ["127.0.0.1"]

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")

    assert await problem_of(f"https://cdn.example:{port}/", tmp_path, lookup=lookup) == ImageProblem.UNREACHABLE
    assert first_bytes == [b"\x16"], "a TLS greeting"
    assert lookups == ["cdn.example"]
    server.close()


async def test_download_sends_no_identifying_header(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key, cookie or referrer, no fresh cookie of the server, no proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    seen: list[set[str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append({name.lower() for name in request.headers})
        status, headers = (302, {"Location": "/b"}) if request.path == "/a" else (200, {})
        response = web.Response(status=status, headers=headers)
        response.set_cookie("session", "1")
        return response

    url = await serve(handler)

    async with downloader(exempt=[url]) as made:
        await made.fetch(f"{url}/a", into=tmp_path)
        await made.fetch(f"{url}/b", into=tmp_path)

    assert 3 * [{"host", "accept", "accept-encoding", "user-agent"}] == seen


async def test_log_contains_no_address(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Signed addresses are secrets, at DEBUG too."""
    caplog.set_level(logging.DEBUG)
    url = await serve(answering(lambda: web.Response(body=BODY)))

    async with downloader(exempt=[url]) as made:
        await made.fetch(f"{url}/a.png?signature=hush", into=tmp_path)
        with pytest.raises(ImageError):
            await made.fetch("https://127.0.0.1/b.png?signature=hush", into=tmp_path)

    ours = [record for record in caplog.records if not record.name.startswith("aiohttp.access")]
    assert not [record for record in ours if "hush" in record.getMessage()]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "http://cdn.example/a.png",
        "https://",
        "https://h/\n",
        "https://[bad/",
        "https://xn--/",
        "https://xn--a/",
        "https://\ud800/",
        "https://\\",
        "https://a:b/",
        "https://user:secret@cdn.example/",
    ],
)
async def test_malformed_address_is_rejected(tmp_path: Path, url: str) -> None:
    """By any library's exception."""
    assert await problem_of(url, tmp_path) == ImageProblem.FORBIDDEN_ADDRESS
