"""Refusals, failures, files and hostile inputs of the ComfyUI fake."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from sandbox.providers import State, derives_from
from sandbox.providers.comfy import ComfyServer
from tests.sandbox.providers.comfy_support import (
    PROMPT,
    Graph,
    edit_graph,
    first_image,
    new_id,
    png_chunks,
    queue,
    run,
    text_graph,
)
from tests.sandbox.providers.support import photo


def changed(node: str, name: str, value: Any) -> Graph:
    """Return the workflow with another input; None removes it."""
    graph = text_graph()
    graph[node]["inputs"][name] = value
    if value is None:
        del graph[node]["inputs"][name]
    return graph


async def upload(client: httpx.AsyncClient, content: bytes, name: str = "a.png", **fields: str) -> httpx.Response:
    """Upload an image."""
    return await client.post("/upload/image", files={"image": (name, content)}, data=fields)


@pytest.mark.parametrize(
    ("node", "name", "value", "type_"),
    [
        ("4", "ckpt_name", "gone.safetensors", "value_not_in_list"),
        ("3", "sampler_name", 5, "value_not_in_list"),
        ("3", "seed", None, "required_input_missing"),
        ("3", "seed", -1, "value_smaller_than_min"),
        ("3", "seed", 2**64, "value_bigger_than_max"),
        ("3", "seed", "7", "invalid_input_type"),
        ("3", "cfg", True, "invalid_input_type"),
        ("3", "model", "4", "bad_linked_input"),
        ("3", "model", ["77", 0], "bad_linked_input"),
        ("3", "model", ["4", 1], "return_type_mismatch"),
        ("3", "model", ["4", 9], "return_type_mismatch"),
        ("3", "steps", {"a": 1}, "bad_linked_input"),
        ("6", "text", 5, "invalid_input_type"),
        ("5", "width", 16_385, "value_bigger_than_max"),
    ],
)
async def test_invalid_node_is_400_with_its_error(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient, node: str, name: str, value: Any, type_: str
) -> None:
    reply = await comfy_client.post("/prompt", json={"prompt": changed(node, name, value)})

    body = reply.json()
    assert (reply.status_code, body["error"]["type"]) == (400, "prompt_outputs_failed_validation")
    entry = body["node_errors"][node]
    assert [each["type"] for each in entry["errors"]] == [type_]
    assert (entry["dependent_outputs"], entry["class_type"]) == (["9"], text_graph()[node]["class_type"])
    assert comfy.jobs == []


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ({}, "no_prompt"),
        ([], "no_prompt"),
        (None, "no_prompt"),
        ({"prompt": []}, "invalid_prompt"),
        ({"prompt": {}}, "prompt_no_outputs"),
        ({"prompt": {"1": 5}}, "invalid_prompt"),
        ({"prompt": {"1": {"class_type": "Gone", "inputs": {}}}}, "invalid_prompt"),
        ({"prompt": {"1": {"class_type": ["SaveImage"], "inputs": {}}}}, "invalid_prompt"),
        ({"prompt": {"1": {"class_type": "SaveImage"}}}, "invalid_prompt"),
        ({"prompt": {"1": {"class_type": "SaveImage", "inputs": {}}}}, "prompt_outputs_failed_validation"),
        ({"prompt": {str(at): {} for at in range(2_001)}}, "invalid_prompt"),
    ],
)
async def test_unusable_prompt_is_400(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient, body: Any, type_: str
) -> None:
    reply = await comfy_client.post("/prompt", json=body)

    assert (reply.status_code, reply.json()["error"]["type"]) == (400, type_)
    assert set(reply.json()["error"]) == {"type", "message", "details", "extra_info"}
    assert comfy.jobs == []


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff"])
async def test_broken_json_is_400(comfy_client: httpx.AsyncClient, content: bytes) -> None:
    assert (await comfy_client.post("/prompt", content=content)).status_code == 400


async def test_prompt_of_odd_characters_is_drawn(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    entry = await run(comfy, comfy_client, text_graph(prompt="\0 \u202e \U0001f300"))

    assert await first_image(comfy_client, entry)


async def test_cyclic_graph_ends(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    graph = text_graph()
    graph["5"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["8", 0], "vae": ["4", 2]}}

    assert (await run(comfy, comfy_client, graph))["status"]["status_str"] == "success"


async def test_one_invalid_output_of_two_is_200_with_node_errors(comfy_client: httpx.AsyncClient) -> None:
    graph = text_graph()
    graph["20"] = {"class_type": "PreviewImage", "inputs": {"images": ["99", 0]}}
    reply = await comfy_client.post("/prompt", json={"prompt": graph})

    assert (reply.status_code, list(reply.json()["node_errors"])) == (200, ["20"])


@pytest.mark.parametrize(
    ("case", "status", "type_"),
    [
        ("bad_input", 400, "prompt_outputs_failed_validation"),
        ("model_retired", 400, "prompt_outputs_failed_validation"),
        ("invalid_prompt", 400, "invalid_prompt"),
        ("no_prompt", 400, "no_prompt"),
        ("no_outputs", 400, "prompt_no_outputs"),
        ("key_refused", 401, None),
    ],
)
async def test_refused_prompt_is_not_queued_for_n_calls(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient, case: str, status: int, type_: str | None
) -> None:
    put = {"endpoint": "submit", "kind": "case", "case": case, "times": 2}
    assert (await comfy_client.put("/sandbox/faults", json=put)).status_code == 200
    replies = [await comfy_client.post("/prompt", json={"prompt": text_graph()}) for _ in range(3)]

    assert [each.status_code for each in replies] == [status, status, 200]
    if type_ is None:
        assert replies[0].text.startswith("<html>")
    else:
        assert replies[0].json()["error"]["type"] == type_
    if case == "model_retired":
        assert replies[0].json()["node_errors"]["4"]["errors"][0]["type"] == "value_not_in_list"
    assert len(comfy.jobs) == 1


@pytest.mark.parametrize(
    ("case", "exception"), [("execution_error", "RuntimeError"), ("out_of_memory", "torch.OutOfMemoryError")]
)
async def test_failed_execution_quotes_its_inputs(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient, case: str, exception: str
) -> None:
    comfy.faults.play(case)
    entry = await run(comfy, comfy_client)

    kind, data = entry["status"]["messages"][-1]
    assert (entry["status"]["status_str"], entry["status"]["completed"], entry["outputs"]) == ("error", False, {})
    assert (kind, data["exception_type"], data["node_id"], data["node_type"]) == (
        "execution_error",
        exception,
        "3",
        "KSampler",
    )
    assert PROMPT in str(data["current_inputs"])
    job = (await comfy_client.get(f"/api/jobs/{data['prompt_id']}")).json()
    assert (job["status"], job["execution_error"]["exception_type"]) == ("failed", exception)
    assert comfy.billed == []


async def test_success_may_have_no_images(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    comfy.faults.play("nothing")
    entry = await run(comfy, comfy_client)

    assert (entry["status"]["status_str"], entry["outputs"]) == ("success", {})


async def test_partial_errors_case_is_200_with_node_errors(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    comfy.faults.play("partial_errors")
    reply = await comfy_client.post("/prompt", json={"prompt": text_graph()})

    assert (reply.status_code, list(reply.json()["node_errors"])) == (200, ["4"])


async def test_prompt_interrupted_by_others_or_forgotten(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    comfy.faults.play("interrupted")
    comfy.faults.play("forgotten")
    interrupted, forgotten = [await queue(comfy_client) for _ in range(2)]
    history = (await comfy_client.get("/history")).json()

    assert list(history) == [interrupted]
    assert history[interrupted]["status"]["messages"][-1][0] == "execution_interrupted"
    assert (await comfy_client.get("/queue")).json() == {"queue_running": [], "queue_pending": []}
    assert (await comfy_client.get(f"/api/jobs/{forgotten}")).status_code == 404


async def test_long_queue_is_of_others(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    comfy.faults.play("long_queue")
    prompt_id = await queue(comfy_client)
    pending = (await comfy_client.get("/queue")).json()["queue_pending"]

    assert [each[1] == prompt_id for each in pending] == [False] * 12 + [True]
    assert [each[0] for each in pending] == list(range(13))


@pytest.mark.parametrize("subfolder", ["", "atelier/in"])
async def test_edit_derives_from_uploaded_image(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient, subfolder: str
) -> None:
    source = photo("rings", (320, 240))
    reply = await upload(comfy_client, source, type="input", subfolder=subfolder, overwrite="true")
    assert reply.json() == {"name": "a.png", "subfolder": subfolder, "type": "input"}
    entry = await run(comfy, comfy_client, edit_graph(f"{subfolder}/a.png".lstrip("/")))
    picture = await first_image(comfy_client, entry)

    assert derives_from(picture, source)
    assert not derives_from(picture, photo("stripes"))
    with Image.open(io.BytesIO(picture)) as opened:
        assert opened.size == (320, 240)
    assert [each.width for each in comfy.jobs[0].inputs] == [320]


async def test_unknown_or_broken_image_fails(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    refused = await comfy_client.post("/prompt", json={"prompt": edit_graph("missing.png")})
    await upload(comfy_client, b"no picture", "b.png")
    entry = await run(comfy, comfy_client, edit_graph("b.png"))

    assert refused.json()["node_errors"]["10"]["errors"][0]["type"] == "custom_validation_failed"
    assert entry["status"]["messages"][-1][1]["exception_type"] == "PIL.UnidentifiedImageError"


async def test_too_large_latent_runs_out_of_memory(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    entry = await run(comfy, comfy_client, text_graph(width=16_384, height=16_384, batch=4096))

    assert entry["status"]["messages"][-1][1]["exception_type"] == "torch.OutOfMemoryError"


async def test_upload_overwrites_only_if_asked(comfy_client: httpx.AsyncClient) -> None:
    first, same, other = photo(), photo(), photo("rings")
    names = [(await upload(comfy_client, each)).json()["name"] for each in (first, same, other, other)]
    replaced = (await upload(comfy_client, other, overwrite="true")).json()["name"]
    read = await comfy_client.get("/view", params={"filename": "a.png", "type": "input"})

    assert (names, replaced) == (["a.png", "a.png", "a (1).png", "a (1).png"], "a.png")
    assert read.content == other


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("../a.png", {}),
        ("a/b.png", {}),
        ("a.png", {"subfolder": "../.."}),
        ("a.png", {"subfolder": "/etc"}),
        ("a.png", {"subfolder": "c:\\x"}),
        ("a.png", {"type": "secret"}),
        ("a" * 300, {}),
    ],
)
async def test_upload_outside_its_folder_is_400(
    comfy_client: httpx.AsyncClient, name: str, fields: dict[str, str]
) -> None:
    assert (await upload(comfy_client, photo(), name, **fields)).status_code == 400


@pytest.mark.parametrize("content", [b"", b"x", b"--b\r\n\r\n"])
async def test_broken_upload_is_400(comfy_client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    assert (await comfy_client.post("/upload/image", content=content, headers=headers)).status_code == 400


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"filename": "../../etc/passwd"}, 400),
        ({"filename": "a.png", "subfolder": "../.."}, 403),
        ({"filename": "a.png", "subfolder": "/etc"}, 403),
        ({"filename": "a.png"}, 404),
        ({"filename": "a.png", "type": "secret"}, 404),
    ],
)
async def test_view_of_another_file_is_refused(
    comfy_client: httpx.AsyncClient, params: dict[str, str], status: int
) -> None:
    assert (await comfy_client.get("/view", params=params)).status_code == status


async def test_view_cases_hit_n_downloads(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    entry = await run(comfy, comfy_client)
    place = entry["outputs"]["9"]["images"][0]
    comfy.faults.play("view_gone", times=2)
    statuses = [(await comfy_client.get("/view", params=place)).status_code for _ in range(3)]

    assert statuses == [404, 404, 200]


async def test_output_outside_its_folder_fails_the_prompt(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    entry = await run(comfy, comfy_client, changed("9", "filename_prefix", "../../evil"))

    assert entry["status"]["status_str"] == "error"
    assert (comfy.jobs[0].state, comfy.billed) == (State.FAILED, [])


async def test_preview_output_is_temporary_and_without_metadata(
    comfy: ComfyServer, comfy_client: httpx.AsyncClient
) -> None:
    graph = text_graph()
    graph["9"] = {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}
    entry = await run(comfy, comfy_client, graph)

    assert entry["outputs"]["9"]["images"][0]["type"] == "temp"
    assert b"tEXt" not in [kind for kind, _ in png_chunks(await first_image(comfy_client, entry))]


async def test_batch_has_one_file_an_image(comfy: ComfyServer, comfy_client: httpx.AsyncClient) -> None:
    entry = await run(comfy, comfy_client, text_graph(batch=3))

    names = [each["filename"] for each in entry["outputs"]["9"]["images"]]
    assert names == ["a_00001_.png", "a_00002_.png", "a_00003_.png"]


async def test_nodes_and_uploaded_files_are_described(comfy_client: httpx.AsyncClient) -> None:
    await upload(comfy_client, photo())
    nodes = (await comfy_client.get("/object_info")).json()
    loader = (await comfy_client.get("/object_info/CheckpointLoaderSimple")).json()["CheckpointLoaderSimple"]

    assert nodes["LoadImage"]["input"]["required"]["image"][0] == ["a.png"]
    assert "sd_xl_base_1.0.safetensors" in loader["input"]["required"]["ckpt_name"][0]
    assert nodes["KSampler"]["input"]["required"]["seed"] == ["INT", {"default": 0, "min": 0, "max": 2**64 - 1}]
    assert nodes["SaveImage"]["output_node"] is True
    assert (await comfy_client.get("/object_info/Gone")).json() == {}


async def test_unknown_id_is_in_no_list(comfy_client: httpx.AsyncClient) -> None:
    assert (await comfy_client.get(f"/history/{new_id()}")).json() == {}
    assert (await comfy_client.post(f"/api/jobs/{new_id()}/cancel")).status_code == 404
