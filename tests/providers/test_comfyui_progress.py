"""Percentages of running prompts, from ComfyUI's websocket."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from bot.providers.base import Finished, Pending
from bot.providers.comfyui.progress import Progress
from sandbox.providers import Latency, State
from tests.providers.comfy_support import MODEL, Comfy, write
from tests.providers.provider_harness import RawServer
from tests.support.polling import poll
from tests.support.submissions import CALL_ID

NODES = ("1", "2", "3", "4")


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition is true: events arrive on a socket."""

    async def read() -> object:
        return condition()

    await poll(read)


async def percents(*events: tuple[str, dict[str, Any]]) -> list[int | None]:
    """Return the percentage after each event about a prompt of four nodes."""
    progress = Progress("http://127.0.0.1:1", {})
    progress.watch("a", NODES)
    found = []
    for kind, data in events:
        progress.record(json.dumps({"type": kind, "data": {"prompt_id": "a", **data}}))
        found.append(progress.percent("a"))
    await progress.close()
    return found


async def listening(comfy: Comfy) -> None:
    """Return once the client's websocket is connected."""
    await until(lambda: comfy.provider._progress.client_id in comfy.server.sockets._clients)


async def test_nodes_and_steps_make_the_percentage() -> None:
    assert await percents(
        ("execution_start", {}),
        ("execution_cached", {"nodes": ["1"]}),
        ("executing", {"node": "2"}),
        ("progress", {"node": "2", "value": 1, "max": 4}),
        ("progress", {"node": "2", "value": 4, "max": 4}),
        ("executing", {"node": "3"}),
        ("executed", {"node": "3"}),
        ("executing", {"node": "4"}),
        ("executing", {"node": None}),
    ) == [None, 25, 25, 31, 50, 50, 75, 75, 99]


async def test_newer_progress_state_makes_the_percentage() -> None:
    states = {"1": {"state": "finished"}, "2": {"state": "running", "value": 5, "max": 10}, "3": {"state": "pending"}}
    assert await percents(("progress_state", {"nodes": states})) == [37]


async def test_percentage_never_falls() -> None:
    assert await percents(
        ("progress", {"node": "2", "value": 8, "max": 10}),
        ("progress", {"node": "2", "value": 1, "max": 10}),
        ("execution_cached", {"nodes": []}),
    ) == [20, 20, 20]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 20_000,
        '{"type": "progress"}',
        '{"type": "progress", "data": {"prompt_id": ["a"]}}',
        '{"type": "progress", "data": {"prompt_id": "b", "node": "1", "value": 1, "max": 1}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "9", "value": 1, "max": 1}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "1", "value": NaN, "max": 1}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "1", "value": 1, "max": 0}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "1", "value": -1, "max": 1}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "1", "value": "1", "max": []}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "1", "value": Infinity, "max": Infinity}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "1", "value": 0.5, "max": 1' + "0" * 400 + "}}",
        '{"type": 5, "data": {"prompt_id": "a", "node": "1", "value": 1, "max": 1}}',
        '{"type": "progress", "data": {"prompt_id": "a", "node": "1", "value": 1, "max": 1}}' + " " * 300_000,
    ],
)
async def test_odd_events_are_ignored(text: str) -> None:
    progress = Progress("http://127.0.0.1:1", {})
    progress.watch("a", NODES)
    progress.record(text)

    assert progress.percent("a") is None
    await progress.close()


async def test_forgotten_and_oldest_prompts_take_no_memory() -> None:
    progress = Progress("http://127.0.0.1:1", {})
    for number in range(1500):
        progress.watch(str(number), NODES)
    progress.forget("1499")

    assert len(progress._watched) == 999
    await progress.close()


async def test_running_job_has_a_percentage_that_grows(comfy: Comfy) -> None:
    """One of seven nodes has made all of its steps."""
    write(comfy.folder, f"{MODEL}.toml", "workflow.steps = 1")
    progress = Progress(comfy.server.url, {})
    provider = comfy.another(progress=progress)
    progress.watch(CALL_ID, ())
    await until(lambda: progress.client_id in comfy.server.sockets._clients)
    comfy.server.latency = Latency(queue=0.0, work=None)
    await provider.submit(comfy.call())
    await until(lambda: progress.percent(CALL_ID))
    running = await provider.poll(CALL_ID)
    await comfy.server.finish_and_wait()
    finished = await provider.poll(CALL_ID)
    await provider.close()

    assert running == Pending(handle=CALL_ID, running=True, percent=14)
    assert isinstance(finished, Finished)
    assert progress.percent(CALL_ID) is None


async def test_lost_websocket_only_loses_the_percentage(comfy: Comfy) -> None:
    await comfy.accepted()
    await listening(comfy)
    await comfy.server.sockets.close()
    await comfy.start()
    running = await comfy.provider.poll(CALL_ID)
    await comfy.server.finish_and_wait()

    assert running == Pending(handle=CALL_ID, running=True)
    assert isinstance(await comfy.provider.poll(CALL_ID), Finished)


async def test_websocket_connects_again(comfy: Comfy) -> None:
    progress = Progress(comfy.server.url, {}, pauses=(0.01,))
    provider = comfy.another(progress=progress)
    progress.watch(CALL_ID, NODES)
    for _ in range(2):
        await until(lambda: progress.client_id in comfy.server.sockets._clients)
        await comfy.server.sockets.close()
    await until(lambda: progress.client_id in comfy.server.sockets._clients)
    await provider.close()

    await until(lambda: not comfy.server.sockets._clients)


async def test_close_is_quick_and_may_be_repeated(comfy: Comfy) -> None:
    await comfy.provider.close()
    await comfy.accepted()
    await comfy.provider.close()
    await comfy.provider.close()

    assert comfy.server.jobs[0].state is State.IN_QUEUE


async def test_redirect_of_the_websocket_is_not_followed() -> None:
    async with RawServer(b"") as other:
        reply = f"HTTP/1.1 302 Found\r\nLocation: {other.url}/ws\r\nContent-Length: 0\r\n\r\n"
        async with RawServer(reply.encode()) as server:
            progress = Progress(server.url, {"X-Key": "k"}, pauses=(0.001,))
            progress.watch("a", NODES)
            await until(lambda: len(server.requests) > 2)
            await progress.close()

    assert not other.requests


async def test_key_goes_with_the_websocket() -> None:
    seen: list[str | None] = []

    async def refuse(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=403)

    runner = web.AppRunner(web.Application())
    runner.app.router.add_get("/ws", refuse)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    progress = Progress(f"http://127.0.0.1:{runner.addresses[0][1]}", {"Authorization": "Bearer k"}, pauses=(60.0,))
    progress.watch("a", NODES)
    await until(lambda: seen)
    await progress.close()
    await runner.cleanup()

    assert seen == ["Bearer k"]
