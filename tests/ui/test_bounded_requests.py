"""Bounded requests against a server that limits them."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web

from bot.ui.delivery.bounded_requests import RateLimitError, bounded, note_rate_limit

DAY = 86_400.0


@pytest.fixture
async def answer() -> AsyncIterator[dict[str, str]]:
    """Yield the headers of the server's answers; `url` is its address."""
    headers: dict[str, str] = {}

    async def limit(_: web.Request) -> web.Response:
        return web.json_response(status=429, headers={k: v for k, v in headers.items() if k != "url"})

    app = web.Application()
    app.router.add_patch("/{rest:.*}", limit)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    headers["url"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield headers
    await runner.cleanup()


async def send(
    answer: dict[str, str], path: str, headers: Mapping[str, str], done: asyncio.Event, seconds: float = DAY
) -> None:
    """Send a bounded request, then sleep as the library does, until `done`."""
    answer.update(headers)
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note_rate_limit)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session, bounded(seconds):
        await (await session.patch(answer["url"] + path)).read()
        await done.wait()


@pytest.mark.parametrize(
    ("path", "headers", "wait", "in_channel"),
    [
        ("/webhooks/1/t/messages/@original", {"Retry-After": "1200", "X-RateLimit-Scope": "shared"}, 1200, True),
        ("/webhooks/1/t/messages/@original", {"Retry-After": "60", "X-RateLimit-Scope": "user"}, 60, False),
        ("/webhooks/1/t/messages/@original", {"Retry-After": "60", "X-RateLimit-Scope": "global"}, 60, False),
        ("/channels/1/messages/2", {"Retry-After": "60", "X-RateLimit-Scope": "user"}, 60, True),
        ("/channels/1/messages/2", {}, 20, True),
    ],
    ids=["shared", "one message", "all by token", "bot token", "old message"],
)
async def test_long_limit_ends_request_at_once(
    answer: dict[str, str], path: str, headers: dict[str, str], wait: float, *, in_channel: bool
) -> None:
    with pytest.raises(RateLimitError) as caught:
        await send(answer, path, headers, asyncio.Event())
    assert (caught.value.retry_after, caught.value.in_channel) == (wait, in_channel)


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "1200", "X-RateLimit-Scope": "global"}, {"Retry-After": "1", "X-RateLimit-Scope": "user"}],
    ids=["global", "short"],
)
async def test_limit_of_library_is_left_to_it(answer: dict[str, str], headers: dict[str, str]) -> None:
    """Cut off in a global limit, it would hold back all requests for ever."""
    done = asyncio.Event()
    sent = asyncio.create_task(send(answer, "/channels/1/messages/2", headers, done))
    await asyncio.wait([sent], timeout=0.2)
    assert not sent.done()
    done.set()
    await sent


async def test_global_limit_outlasts_the_bound(answer: dict[str, str]) -> None:
    done = asyncio.Event()
    headers = {"Retry-After": "1200", "X-RateLimit-Scope": "global"}
    sent = asyncio.create_task(send(answer, "/channels/1/messages/2", headers, done, seconds=1.0))
    await asyncio.wait([sent], timeout=1.5)
    assert not sent.done()
    done.set()
    await sent
