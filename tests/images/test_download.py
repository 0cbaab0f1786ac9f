import asyncio
import gzip
from pathlib import Path

import pytest
from aiohttp import web

from bot.domain.errors import ImageProblem
from tests.images.fetching import BODY, answering, downloader, problem_of, raw_server
from tests.images.samples import Serve, files_in


async def test_body_is_written_unchanged(serve: Serve, tmp_path: Path) -> None:
    """Several megabytes, byte for byte."""
    body = BODY * 100_000
    url = await serve(answering(lambda: web.Response(body=body)))

    async with downloader(exempt=[url]) as made:
        path = await made.fetch(f"{url}/a.png", into=tmp_path)

    assert body == path.read_bytes()
    assert [path] == files_in(tmp_path)


async def test_signed_address_is_requested_verbatim(serve: Serve, tmp_path: Path) -> None:
    """A signature may cover path and query."""
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return web.Response(body=BODY)

    url = await serve(handler)
    path = "/a%2Fb%7Ec/e%3D.png?X-Credential=AK%2F20%3D&sig=a%2Bb%3D%3D&e=x+y"

    async with downloader(exempt=[url]) as made:
        await made.fetch(url + path, into=tmp_path)

    assert [path] == seen


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (404, ImageProblem.GONE),
        (410, ImageProblem.GONE),
        (403, ImageProblem.GONE),
        (408, ImageProblem.UNREACHABLE),
        (429, ImageProblem.UNREACHABLE),
        (500, ImageProblem.UNREACHABLE),
        (503, ImageProblem.UNREACHABLE),
        (204, ImageProblem.NOT_A_PICTURE),
        (302, ImageProblem.NOT_A_PICTURE),
    ],
)
async def test_status_maps_to_problem(serve: Serve, tmp_path: Path, status: int, problem: ImageProblem) -> None:
    """A redirect without a target is not an image."""
    url = await serve(answering(lambda: web.Response(status=status)))

    assert problem == await problem_of(url, tmp_path, exempt=[url])


async def test_refused_connection_is_unreachable(tmp_path: Path) -> None:
    server, url = await raw_server(b"")
    server.close()
    await server.wait_closed()

    assert await problem_of(url, tmp_path, exempt=[url]) == ImageProblem.UNREACHABLE


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_non_http_answer_is_unreachable(tmp_path: Path, answer: bytes) -> None:
    server, url = await raw_server(answer)

    assert await problem_of(url, tmp_path, exempt=[url]) == ImageProblem.UNREACHABLE

    server.close()


async def test_unresolvable_name_is_unreachable(tmp_path: Path) -> None:
    """The lookup may succeed later."""

    async def lookup(_host: str, _port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    assert await problem_of("https://cdn.example/a", tmp_path, lookup=lookup) == ImageProblem.UNREACHABLE


@pytest.mark.parametrize("option", ["read_seconds", "total_seconds"])
async def test_silent_server_is_unreachable(serve: Serve, tmp_path: Path, option: str) -> None:
    """The wait for each byte and the whole attempt are bounded."""
    never = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(BODY)
        await never.wait()
        return response

    url = await serve(handler)

    assert await problem_of(url, tmp_path, exempt=[url], **{option: 0.05}) == ImageProblem.UNREACHABLE


async def test_body_shorter_than_announced_is_truncated(tmp_path: Path) -> None:
    server, url = await raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + BODY)

    assert await problem_of(url, tmp_path, exempt=[url]) == ImageProblem.TRUNCATED

    server.close()


async def test_announced_length_over_cap_is_rejected_unread(tmp_path: Path) -> None:
    server, url = await raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n")

    assert await problem_of(url, tmp_path, exempt=[url], max_bytes=100) == ImageProblem.TOO_LARGE

    server.close()


async def test_endless_body_is_capped(serve: Serve, tmp_path: Path) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))
            sent += 65_536

    url = await serve(handler)

    assert await problem_of(url, tmp_path, exempt=[url], max_bytes=3_000_000) == ImageProblem.TOO_LARGE
    assert sent < 100_000_000


async def test_compressed_bomb_is_capped(serve: Serve, tmp_path: Path) -> None:
    """The cap counts decompressed bytes."""
    bomb = gzip.compress(bytes(50_000_000))
    url = await serve(answering(lambda: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})))

    assert len(bomb) < 100_000
    assert await problem_of(url, tmp_path, exempt=[url], max_bytes=1_000_000) == ImageProblem.TOO_LARGE


async def test_compressed_body_is_decompressed(serve: Serve, tmp_path: Path) -> None:
    """The server compresses although not asked to."""
    body = BODY * 50_000
    packed = gzip.compress(body)
    url = await serve(answering(lambda: web.Response(body=packed, headers={"Content-Encoding": "gzip"})))

    async with downloader(exempt=[url]) as made:
        path = await made.fetch(url, into=tmp_path)

    assert body == path.read_bytes()


@pytest.mark.parametrize(
    ("encoding", "body", "problem"),
    [
        ("gzip", gzip.compress(BODY)[:-9], ImageProblem.TRUNCATED),
        ("gzip", BODY, ImageProblem.NOT_A_PICTURE),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), ImageProblem.NOT_A_PICTURE),
        ("br", BODY, ImageProblem.NOT_A_PICTURE),
    ],
    ids=["cut off", "not packed", "packed twice", "unknown"],  # by their bytes, which hold the time, no two runs agree
)
async def test_broken_or_unknown_encoding_is_rejected(
    serve: Serve, tmp_path: Path, encoding: str, body: bytes, problem: ImageProblem
) -> None:
    """Cut gzip is truncated.

    Garbage, stacked and unknown encodings are no image.
    """
    url = await serve(answering(lambda: web.Response(body=body, headers={"Content-Encoding": encoding})))

    assert problem == await problem_of(url, tmp_path, exempt=[url])


async def test_temporary_problem_is_retried(serve: Serve, tmp_path: Path) -> None:
    """Unreachable and truncated images."""
    answers = [503, 503, 200]
    pauses: list[float] = []

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0), body=BODY)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    url = await serve(handler)

    async with downloader(exempt=[url], pauses=(1, 2), sleep=sleep) as made:
        path = await made.fetch(url, into=tmp_path)

    assert path.read_bytes() == BODY
    assert [path] == files_in(tmp_path)
    assert pauses == [1, 2]


async def test_permanent_problem_is_not_retried(serve: Serve, tmp_path: Path) -> None:
    """A missing image is requested once."""
    asked = 0

    async def handler(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=404)

    url = await serve(handler)

    assert await problem_of(url, tmp_path, exempt=[url], pauses=(0, 0)) == ImageProblem.GONE
    assert asked == 1


async def test_cancelled_download_removes_file(serve: Serve, tmp_path: Path) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(bytes(2_000_000))
        begun.set()
        await never.wait()
        return response

    url = await serve(handler)

    async with downloader(exempt=[url]) as made:
        task = asyncio.create_task(made.fetch(url, into=tmp_path))
        await begun.wait()
        assert len(files_in(tmp_path)) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert files_in(tmp_path) == []


async def test_missing_folder_raises_os_error(tmp_path: Path) -> None:
    """A disk fault is not a fault of the image."""
    async with downloader() as made:
        with pytest.raises(FileNotFoundError):
            await made.fetch("https://cdn.example/a.png", into=tmp_path / "nowhere")
