"""The queue of the ComfyUI fake follows its program."""

import json
from typing import Any

import aiohttp
import httpx
import pytest

from sandbox.providers import Latency, State, expected_mark, read_mark
from sandbox.providers.comfy import ComfyServer
from sandbox.providers.provenance import manifest, read_manifest
from tests.sandbox.providers.comfy_support import (
    PROMPT,
    first_image,
    new_id,
    png_chunks,
    queue,
    run,
    start,
    text_graph,
)


async def ids(client: httpx.AsyncClient) -> tuple[list[str], list[str]]:
    """Return the running and the pending ids."""
    body = (await client.get("/queue")).json()
    return [each[1] for each in body["queue_running"]], [each[1] for each in body["queue_pending"]]


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_good_prompt_waits_runs_and_is_in_history(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient, prefix: str
) -> None:
    prompt_id, graph = new_id(), text_graph()
    reply = await comfy_client.post(f"{prefix}/prompt", json={"prompt": graph, "prompt_id": prompt_id})
    pending = (await comfy_client.get(f"{prefix}/queue")).json()
    unknown = (await comfy_client.get(f"{prefix}/history/{prompt_id}")).json()
    await start(comfy)
    running = await ids(comfy_client)
    await comfy.finish_and_wait()
    entry = (await comfy_client.get(f"{prefix}/history/{prompt_id}")).json()[prompt_id]

    assert (reply.status_code, reply.json()) == (200, {"prompt_id": prompt_id, "number": 0, "node_errors": {}})
    assert pending == {"queue_running": [], "queue_pending": [[0, prompt_id, graph, {}, ["9"]]]}
    assert (unknown, running) == ({}, ([prompt_id], []))
    assert await ids(comfy_client) == ([], [])
    place = {"filename": "a_00001_.png", "subfolder": "atelier", "type": "output"}
    assert entry["outputs"] == {"9": {"images": [place]}}
    assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("success", True)
    kinds = [kind for kind, _ in entry["status"]["messages"]]
    assert kinds == ["execution_start", "execution_cached", "execution_success"]
    assert [(charge.job_id, charge.cost) for charge in comfy.billed] == [(prompt_id, 0)]


async def test_saved_picture_holds_prompt_workflow_and_another_chunk(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient
) -> None:
    graph, workflow = text_graph(), {"nodes": [PROMPT]}
    entry = await run(comfy, comfy_client, graph, extra_data={"extra_pnginfo": {"workflow": workflow}})
    picture = await first_image(comfy_client, entry)

    chunks = [each for kind, content in png_chunks(picture) if kind == b"tEXt" for each in [content.split(b"\0", 1)]]
    assert {name.decode(): json.loads(text) for name, text in chunks} == {"prompt": graph, "workflow": workflow}
    assert read_manifest(picture) == manifest(f"{comfy.jobs[0].id}/0")
    assert read_mark(picture) == expected_mark(PROMPT, 0)
    assert picture == await first_image(comfy_client, entry)


async def test_one_prompt_runs_at_a_time_in_their_order(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    comfy.latency = Latency(queue=0.0, work=None)
    first, second, third = [await queue(comfy_client, text_graph(seed=seed)) for seed in range(3)]
    await comfy.wait_for(lambda: comfy.running() and not comfy.jobs[0].needs_inputs)
    before = await ids(comfy_client)
    comfy.finish(comfy.jobs[0])
    await comfy.wait_for(lambda: comfy.jobs[1].state is State.IN_PROGRESS)

    assert before == ([first], [second, third])
    assert await ids(comfy_client) == ([second], [third])
    assert (await comfy_client.get("/prompt")).json() == {"exec_info": {"queue_remaining": 2}}


async def test_prompts_with_timers_all_complete(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    comfy.latency = Latency(queue=0.0, work=0.01)
    for seed in range(3):
        await queue(comfy_client, text_graph(seed=seed))

    await comfy.wait_for(lambda: [job.state for job in comfy.jobs] == [State.COMPLETED] * 3)
    assert len(comfy.billed) == 3


async def test_prompt_to_the_front_is_next(comfy_client: httpx.AsyncClient) -> None:
    first, second = [await queue(comfy_client, text_graph(seed=seed)) for seed in range(2)]
    third = await queue(comfy_client, text_graph(seed=3), front=True)

    assert await ids(comfy_client) == ([], [third, first, second])


@pytest.mark.parametrize("prompt_id", ["x", "", 5, "3F2504E0-4F89-41D3-9A0C-0305E82C3301", "{uuid}", ["a"]])
async def test_prompt_id_must_be_canonical(comfy: ComfyServer, comfy_client: httpx.AsyncClient, prompt_id: Any) -> None:
    reply = await comfy_client.post("/prompt", json={"prompt": text_graph(), "prompt_id": prompt_id})

    assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_prompt_id")
    assert comfy.jobs == []


async def test_second_prompt_with_same_id_is_not_refused(comfy_client: httpx.AsyncClient) -> None:
    prompt_id = await queue(comfy_client, text_graph(seed=1))
    await queue(comfy_client, text_graph(seed=2), prompt_id=prompt_id)

    assert await ids(comfy_client) == ([], [prompt_id, prompt_id])


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_is_found_by_the_own_id(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient, case: str
) -> None:
    prompt_id = new_id()
    comfy.faults.play(case)
    with pytest.raises(httpx.TransportError):
        await comfy_client.post("/prompt", json={"prompt": text_graph(), "prompt_id": prompt_id})

    assert await ids(comfy_client) == ([], [prompt_id])
    await comfy.finish_and_wait()
    assert prompt_id in (await comfy_client.get(f"/history/{prompt_id}")).json()


async def test_same_graph_is_served_from_cache(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    first = await run(comfy, comfy_client)
    cached = await run(comfy, comfy_client)
    other = await run(comfy, comfy_client, text_graph(seed=8))

    assert (cached["outputs"] == first["outputs"], other["outputs"] == first["outputs"]) == (True, False)
    assert len(cached["status"]["messages"][1][1]["nodes"]) == 7
    assert [charge.job_id for charge in comfy.billed] == [comfy.jobs[0].id, comfy.jobs[2].id]


async def test_cancel_of_waiting_running_finished_and_unknown(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient
) -> None:
    finished = await queue(comfy_client, text_graph(seed=1))
    await comfy.finish_and_wait()
    running, waiting = [await queue(comfy_client, text_graph(seed=seed)) for seed in (2, 3)]
    await start(comfy, comfy.jobs[1])
    deleted = [await comfy_client.post("/queue", json={"delete": [each]}) for each in (waiting, finished, "unknown")]
    other = await comfy_client.post("/interrupt", json={"prompt_id": new_id()})
    still_running = await ids(comfy_client)
    interrupted = await comfy_client.post("/interrupt", json={"prompt_id": running})

    assert {each.status_code for each in (*deleted, other, interrupted)} == {200}
    assert still_running == ([running], [])
    assert await ids(comfy_client) == ([], [])
    history = (await comfy_client.get("/history")).json()
    assert set(history) == {finished, running}
    assert history[running]["status"]["status_str"] == "error"
    assert history[running]["status"]["messages"][-1][0] == "execution_interrupted"
    assert len(comfy.billed) == 1


async def test_interrupt_without_id_stops_any_prompt(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    await queue(comfy_client)
    await start(comfy)
    await comfy_client.post("/interrupt")

    assert comfy.jobs[0].state is State.CANCELLED


async def test_queue_and_history_can_be_cleared(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    await run(comfy, comfy_client)
    await queue(comfy_client, text_graph(seed=9))
    await comfy_client.post("/queue", json={"clear": True})
    await comfy_client.post("/history", json={"clear": True})

    assert await ids(comfy_client) == ([], [])
    assert (await comfy_client.get("/history")).json() == {}


async def test_jobs_api_has_state_and_cancel(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    done, running, waiting = [await queue(comfy_client, text_graph(seed=seed)) for seed in range(3)]
    await comfy.finish_and_wait(comfy.jobs[0])
    await start(comfy, comfy.jobs[1])
    states = [(await comfy_client.get(f"/api/jobs/{each}")).json()["status"] for each in (done, running, waiting)]
    cancels = [(await comfy_client.post(f"/api/jobs/{each}/cancel")).json() for each in (done, running, waiting)]
    unknown = await comfy_client.get(f"/api/jobs/{new_id()}")

    assert states == ["completed", "in_progress", "pending"]
    assert cancels == [{"cancelled": False}, {"cancelled": True}, {"cancelled": True}]
    assert unknown.status_code == 404
    assert (await comfy_client.get(f"/api/jobs/{running}")).json()["status"] == "cancelled"


@pytest.mark.parametrize("by_control", [False, True])
async def test_restart_empties_queue_and_history_but_keeps_files(
    comfy: ComfyServer,
    comfy_client: httpx.AsyncClient,
    by_control: bool,
) -> None:
    entry = await run(comfy, comfy_client)
    waiting = await queue(comfy_client, text_graph(seed=8))
    if by_control:
        assert (await comfy_client.post("/sandbox/restart")).status_code == 204
    else:
        await comfy.restart()

    assert await ids(comfy_client) == ([], [])
    assert (await comfy_client.get("/history")).json() == {}
    assert (await comfy_client.get(f"/api/jobs/{waiting}")).status_code == 404
    assert await first_image(comfy_client, entry)
    again = await run(comfy, comfy_client, prompt_id=waiting)
    assert again["status"]["completed"]


async def test_program_that_is_down_refuses_connections(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    await comfy.go_down()
    with pytest.raises(httpx.ConnectError):
        await comfy_client.get("/queue")
    await comfy.start()

    assert (await comfy_client.get("/system_stats")).json()["system"]["comfyui_version"]


async def test_websocket_reports_progress_and_previews(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    comfy.latency = Latency(queue=0.0, work=0.05)
    events: list[tuple[str, dict[str, Any]]] = []
    previews = []
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{comfy.url}/ws?clientId=a") as socket:
        prompt_id = await queue(comfy_client)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                previews.append(message.data)
                continue
            body = json.loads(message.data)
            events.append((body["type"], body["data"]))
            if body["type"] == "executing" and body["data"]["node"] is None:
                break

    kinds = [kind for kind, _ in events]
    assert events[0][1]["sid"] == "a"
    assert [kind for kind in kinds if kind.startswith("exec")] == [
        "execution_start",
        "execution_cached",
        "executing",
        "executed",
        "execution_success",
        "executing",
    ]
    progress = [data for kind, data in events if kind == "progress"]
    assert progress[0] == {"value": 1, "max": 20, "node": "3", "prompt_id": prompt_id}
    assert previews
    assert {each[:8] for each in previews} == {b"\0\0\0\1\0\0\0\1"}
    assert all(each[8:10] == b"\xff\xd8" for each in previews)


async def test_websocket_of_another_client_has_only_the_queue_status(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient
) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{comfy.url}/api/ws?clientId=b") as socket:
        await run(comfy, comfy_client)
        kinds = [(await socket.receive_json())["type"] for _ in range(3)]

    assert kinds == ["status"] * 3
