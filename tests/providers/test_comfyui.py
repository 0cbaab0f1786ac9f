"""The client of ComfyUI against its fake: each documented outcome."""

import asyncio
import json
import traceback
from typing import Any

import pytest
import structlog

from bot.domain.errors import FaultKind, ProviderError
from bot.domain.models import Mode
from bot.providers.base import Cancelled, CancelOutcome, Failed, Finished, InputFile, LostCall, Pending
from bot.providers.comfyui.history import Queue
from sandbox.providers import Latency, State, derives_from, read_manifest
from tests.providers.comfy_support import MODEL, PROMPT, Comfy, Graph, example, offer_in, write
from tests.providers.provider_harness import RawServer, json_reply
from tests.sandbox.providers.comfy_support import new_id, text_graph
from tests.sandbox.providers.support import photo
from tests.support.submissions import CALL_ID, SEED

KEY = "proxy-key-0123456789"
# Both have a word that a log may have.
WORDY_PROMPT = "a wallet on the quay"
NEGATIVE = "a vendor"


def sent_graph(comfy: Comfy) -> Graph:
    """Return the graph of the latest prompt."""
    record = next(each for each in reversed(comfy.server.requests) if each.path == "/prompt")
    assert isinstance(record.body, dict)
    graph: Graph = record.body["prompt"]
    return graph


def prompts_sent(comfy: Comfy) -> int:
    """Return how many prompts were posted."""
    return sum(each.path == "/prompt" and each.method == "POST" for each in comfy.server.requests)


async def fault_of(comfy: Comfy, **changes: Any) -> ProviderError:
    """Return the error of a submit."""
    with pytest.raises(ProviderError) as caught:
        await comfy.provider.submit(comfy.call(**changes))
    return caught.value


async def fault_at(comfy: Comfy, url: str, *, seconds: float = 60.0) -> ProviderError:
    """Return the error of a submit to another address."""
    provider = comfy.patient_at(url, seconds)
    with pytest.raises(ProviderError) as caught:
        await provider.submit(comfy.call())
    await provider.close()
    return caught.value


async def test_job_waits_runs_and_ends_with_its_picture(comfy: Comfy) -> None:
    job = await comfy.accepted()
    queued = await comfy.provider.poll(job.handle)
    await comfy.start()
    running = await comfy.provider.poll(job.handle)
    await comfy.server.finish_and_wait()
    finished = await comfy.provider.poll(job.handle)

    assert (job.handle, job.running) == (CALL_ID, False)
    assert isinstance(queued, Pending)
    assert (queued.running, queued.position) == (False, 1)
    assert isinstance(running, Pending)
    assert (running.running, running.position) == (True, None)
    assert isinstance(finished, Finished)
    assert len(finished.image_files) == 1
    assert read_manifest(finished.image_files[0]) is not None
    assert [charge.job_id for charge in comfy.server.billed] == [CALL_ID]


async def test_workflow_gets_the_values_in_their_types(comfy: Comfy) -> None:
    await comfy.accepted()

    expected = example()
    expected["2"]["inputs"]["text"] = PROMPT
    expected["3"]["inputs"]["text"] = "blurry, watermark"
    expected["4"]["inputs"] |= {"width": 1344, "height": 768}
    expected["5"]["inputs"] |= {"seed": SEED, "steps": 30}
    assert sent_graph(comfy) == expected


async def test_chosen_seed_negative_prompt_and_quality_are_used(comfy: Comfy) -> None:
    write(comfy.folder, f"{MODEL}.toml", "workflow.steps = { low = 8, medium = 20, high = 40 }")
    provider = comfy.another()
    await provider.submit(comfy.call(seed=0, negative="fog", quality="high"))
    chosen = sent_graph(comfy)
    await provider.submit(comfy.call())
    usual = sent_graph(comfy)
    await provider.close()

    assert [chosen["5"]["inputs"][name] for name in ("seed", "steps")] == [0, 40]
    assert [usual["5"]["inputs"][name] for name in ("seed", "steps")] == [SEED, 20]
    assert (chosen["3"]["inputs"]["text"], usual["3"]["inputs"]["text"]) == ("fog", "")


async def test_prompt_like_a_placeholder_or_json_is_only_a_prompt(comfy: Comfy) -> None:
    for prompt in ("%seed%", '", "x": ["1", 0], "y": "', "%image_1% %prompt%"):
        await comfy.accepted(prompt=prompt)
        graph = sent_graph(comfy)

        assert graph["2"]["inputs"] == {"text": prompt, "clip": ["1", 1]}


async def test_edit_uploads_its_inputs_under_names_of_the_call(comfy: Comfy) -> None:
    picture = photo()
    await comfy.accepted(inputs=(InputFile(data=picture, media_type="image/png"),))
    upload = comfy.server.requests[0]
    await comfy.server.finish_and_wait()
    finished = await comfy.provider.poll(CALL_ID)

    assert (upload.path, prompts_sent(comfy)) == ("/upload/image", 1)
    assert sent_graph(comfy)["4"]["inputs"]["image"] == f"atelier/{CALL_ID}-1.png"
    assert comfy.server.files.find(type_="input", subfolder="atelier", name=f"{CALL_ID}-1.png") == picture
    assert isinstance(finished, Finished)
    assert derives_from(finished.image_files[0], picture)


async def test_missing_input_repeats_the_last_one(comfy: Comfy) -> None:
    graph = example(f"{MODEL}.edit")
    graph["20"] = {"class_type": "LoadImage", "inputs": {"image": "%image_2%"}}
    write(comfy.folder, f"{MODEL}.edit.json", graph)
    provider = comfy.another()
    one, two = (InputFile(data=photo(kind), media_type="image/png") for kind in ("stripes", "circles"))

    await provider.submit(comfy.call(inputs=(one,)))
    alone = [node["inputs"]["image"] for node in sent_graph(comfy).values() if node["class_type"] == "LoadImage"]
    await provider.submit(comfy.call(inputs=(one, two)))
    both = [node["inputs"]["image"] for node in sent_graph(comfy).values() if node["class_type"] == "LoadImage"]
    await provider.close()

    assert alone == [f"atelier/{CALL_ID}-1.png"] * 2
    assert both == [f"atelier/{CALL_ID}-1.png", f"atelier/{CALL_ID}-2.png"]


async def test_refused_upload_sends_no_prompt(comfy: Comfy) -> None:
    comfy.server.faults.add("upload", "status", status=500)
    fault = await fault_of(comfy, inputs=(InputFile(data=photo(), media_type="image/png"),))

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.SERVER_ERROR, False)
    assert prompts_sent(comfy) == 0


async def test_batch_of_a_workflow_is_one_call(comfy: Comfy) -> None:
    graph = example()
    graph["4"]["inputs"]["batch_size"] = "%images%"
    write(comfy.folder, "batch.json", graph)
    provider = comfy.another()
    await provider.submit(comfy.call(model="batch", images=3))
    await comfy.server.finish_and_wait()
    finished = await provider.poll(CALL_ID)
    await provider.close()

    assert (offer_in(comfy.folder, "batch").images_per_call, offer_in(comfy.folder).images_per_call) == (None, 1)
    assert isinstance(finished, Finished)
    assert len(set(finished.image_files)) == 3


async def test_previews_are_no_pictures(comfy: Comfy) -> None:
    graph = example()
    graph["7"] = {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}}
    write(comfy.folder, "preview.json", graph)
    provider = comfy.another()
    await provider.submit(comfy.call(model="preview"))
    await comfy.server.finish_and_wait()

    failed = await provider.poll(CALL_ID)
    await provider.close()
    assert isinstance(failed, Failed)
    assert failed.kind is FaultKind.NO_PICTURES


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("bad_input", FaultKind.MODEL_UNAVAILABLE),
        ("model_retired", FaultKind.MODEL_UNAVAILABLE),
        ("invalid_prompt", FaultKind.MODEL_UNAVAILABLE),
        ("no_outputs", FaultKind.MODEL_UNAVAILABLE),
        ("no_prompt", FaultKind.INVALID),
        ("key_refused", FaultKind.KEY_REJECTED),
    ],
)
async def test_refused_prompt_is_surely_not_taken(comfy: Comfy, case: str, kind: FaultKind) -> None:
    comfy.server.faults.play(case)
    fault = await fault_of(comfy)

    assert (fault.kind, fault.maybe_accepted) == (kind, False)
    assert comfy.server.jobs == []


async def test_value_out_of_range_is_an_invalid_request(comfy: Comfy) -> None:
    graph = example()
    graph["5"]["inputs"]["cfg"] = 1000
    write(comfy.folder, f"{MODEL}.json", graph)
    provider = comfy.another()
    with pytest.raises(ProviderError) as caught:
        await provider.submit(comfy.call())
    await provider.close()

    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.INVALID, False)


async def test_errors_of_nodes_beside_a_queued_prompt_drop_it(comfy: Comfy) -> None:
    comfy.server.faults.play("partial_errors")
    failed = await comfy.provider.submit(comfy.call())

    assert isinstance(failed, Failed)
    assert (failed.kind, failed.handle) == (FaultKind.MODEL_UNAVAILABLE, CALL_ID)
    assert comfy.server.jobs[0].state is State.CANCELLED


@pytest.mark.parametrize(
    ("case", "detail"), [("execution_error", "RuntimeError"), ("out_of_memory", "torch.OutOfMemoryError")]
)
async def test_exception_is_named_by_its_type_alone(comfy: Comfy, case: str, detail: str) -> None:
    comfy.server.faults.play(case)
    await comfy.accepted()
    await comfy.server.finish_and_wait()

    with structlog.testing.capture_logs() as logs:
        failed = await comfy.provider.poll(CALL_ID, hide=(PROMPT,))

    assert isinstance(failed, Failed)
    assert (failed.kind, failed.detail) == (FaultKind.GENERATION, detail)
    assert "lighthouse" not in repr(logs)
    assert "mat1" not in repr(failed)


async def test_exception_with_words_of_the_prompt_is_not_named(comfy: Comfy) -> None:
    comfy.server.faults.play("execution_error")
    await comfy.accepted()
    await comfy.server.finish_and_wait()

    failed = await comfy.provider.poll(CALL_ID, hide=("a RuntimeError on a poster",))

    assert isinstance(failed, Failed)
    assert "Runtime" not in failed.detail


async def test_success_without_pictures_is_no_pictures(comfy: Comfy) -> None:
    comfy.server.faults.play("nothing")
    await comfy.accepted()
    await comfy.server.finish_and_wait()

    failed = await comfy.provider.poll(CALL_ID)
    assert isinstance(failed, Failed)
    assert failed.kind is FaultKind.NO_PICTURES


async def test_interrupt_by_somebody_else_is_a_cancel(comfy: Comfy) -> None:
    comfy.server.faults.play("interrupted")
    await comfy.accepted()

    assert await comfy.provider.poll(CALL_ID) == Cancelled(handle=CALL_ID)


async def test_forgotten_prompt_is_not_found(comfy: Comfy) -> None:
    await comfy.accepted()
    await comfy.server.restart()

    with pytest.raises(ProviderError) as caught:
        await comfy.provider.poll(CALL_ID)
    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.NOT_FOUND, False)


async def test_long_queue_is_shown_as_a_position(comfy: Comfy) -> None:
    comfy.server.faults.play("long_queue")
    await comfy.accepted()

    queued = await comfy.provider.poll(CALL_ID)
    assert isinstance(queued, Pending)
    assert queued.position == 13


async def test_polls_at_the_same_time_share_a_read_of_the_queue(comfy: Comfy) -> None:
    ids = [new_id() for _ in range(5)]
    for each in ids:
        await comfy.accepted(call_id=each)
    polled = await asyncio.gather(*map(comfy.provider.poll, ids))
    reads = sum(each.path == "/queue" for each in comfy.server.requests)

    assert [each.position for each in polled if isinstance(each, Pending)] == [1, 2, 3, 4, 5]
    assert reads == 1


async def test_read_from_before_the_submit_is_no_lost_job(comfy: Comfy) -> None:
    async def read_earlier() -> Queue:
        return Queue(running=frozenset(), pending={})

    await comfy.accepted()
    comfy.provider._reading = asyncio.create_task(read_earlier())

    assert await comfy.provider.poll(CALL_ID) == Pending(handle=CALL_ID, running=False, position=1)


async def test_failed_read_of_the_queue_is_an_error_of_each_poll(comfy: Comfy) -> None:
    await comfy.accepted()
    comfy.server.faults.add("status", "status", status=503, retry_after="7")
    first, second = await asyncio.gather(
        comfy.provider.poll(CALL_ID), comfy.provider.poll(CALL_ID), return_exceptions=True
    )

    for fault in (first, second):
        assert isinstance(fault, ProviderError)
        assert (fault.kind, fault.status, fault.retry_after) == (FaultKind.UNAVAILABLE, 503, 7.0)
        assert not fault.maybe_accepted
    assert first is not second


async def test_prompt_at_the_front_of_the_queue_is_counted(comfy: Comfy) -> None:
    await comfy.accepted()
    body = {"prompt": text_graph(), "front": True}
    await comfy.client.post(f"{comfy.server.url}/prompt", json=body)

    queued = await comfy.provider.poll(CALL_ID)
    assert isinstance(queued, Pending)
    assert queued.position == 2


async def test_gone_picture_is_not_found(comfy: Comfy) -> None:
    await comfy.accepted()
    await comfy.server.finish_and_wait()
    comfy.server.faults.play("view_gone")

    with pytest.raises(ProviderError) as caught:
        await comfy.provider.poll(CALL_ID)
    assert caught.value.kind is FaultKind.NOT_FOUND
    assert isinstance(await comfy.provider.poll(CALL_ID), Finished)


@pytest.mark.parametrize("case", ["reply_lost", "reply_half"])
async def test_lost_reply_is_found_by_our_id(comfy: Comfy, case: str) -> None:
    comfy.server.faults.play(case)
    fault = await fault_of(comfy)
    found = await comfy.provider.find_lost(comfy.call())
    await comfy.server.finish_and_wait()
    found_later = await comfy.provider.find_lost(comfy.call())

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)
    assert (found, found_later) == (CALL_ID, CALL_ID)
    assert isinstance(await comfy.provider.poll(CALL_ID), Finished)
    assert prompts_sent(comfy) == 1


async def test_unknown_call_was_surely_not_taken(comfy: Comfy) -> None:
    await comfy.accepted(call_id=new_id())

    assert await comfy.provider.find_lost(comfy.call()) is LostCall.NOT_TAKEN
    await comfy.accepted()
    await comfy.server.restart()
    assert await comfy.provider.find_lost(comfy.call()) is LostCall.NOT_TAKEN


@pytest.mark.parametrize("endpoint", ["status", "result"])
async def test_server_that_cannot_answer_leaves_a_call_open(comfy: Comfy, endpoint: str) -> None:
    comfy.server.faults.add(endpoint, "status", status=502)

    assert await comfy.provider.find_lost(comfy.call()) is LostCall.ASK_AGAIN


async def test_server_that_is_down_leaves_a_call_open(comfy: Comfy) -> None:
    await comfy.server.go_down()
    fault = await fault_of(comfy)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.UNAVAILABLE, False)
    assert await comfy.provider.find_lost(comfy.call()) is LostCall.ASK_AGAIN


async def test_queued_job_is_cancelled(comfy: Comfy) -> None:
    await comfy.accepted(call_id=new_id())
    await comfy.accepted()

    assert await comfy.provider.cancel(CALL_ID) is CancelOutcome.CANCELLED
    assert [job.state for job in comfy.server.jobs] == [State.IN_QUEUE, State.CANCELLED]
    assert await comfy.provider.find_lost(comfy.call()) is LostCall.NOT_TAKEN


async def test_running_job_is_interrupted_alone(comfy: Comfy) -> None:
    await comfy.accepted()
    await comfy.start()
    other = new_id()
    await comfy.accepted(call_id=other)

    assert await comfy.provider.cancel(CALL_ID) is CancelOutcome.READ_AGAIN
    assert await comfy.provider.poll(CALL_ID) == Cancelled(handle=CALL_ID)
    assert isinstance(await comfy.provider.poll(other), Pending)
    interrupt = next(each for each in comfy.server.requests if each.path == "/interrupt")
    assert interrupt.body == {"prompt_id": CALL_ID}


async def test_ended_and_unknown_jobs_cannot_be_cancelled(comfy: Comfy) -> None:
    await comfy.accepted()
    await comfy.server.finish_and_wait()

    assert await comfy.provider.cancel(CALL_ID) is CancelOutcome.READ_AGAIN
    assert await comfy.provider.cancel(new_id()) is CancelOutcome.UNKNOWN_JOB
    assert not any(each.path == "/interrupt" for each in comfy.server.requests)


async def test_unsaid_cancel_is_read_again(comfy: Comfy) -> None:
    """The server answers 200 and keeps the prompt."""
    await comfy.accepted()
    async with RawServer(json_reply(json.dumps({"queue_running": [], "queue_pending": [[0, CALL_ID]]}))) as raw:
        provider = comfy.another(url=raw.url)
        assert await provider.cancel(CALL_ID) is CancelOutcome.READ_AGAIN


async def test_model_without_its_workflow_is_unavailable(comfy: Comfy) -> None:
    call = comfy.call(model=MODEL, inputs=(InputFile(data=photo(), media_type="image/png"),))
    (comfy.folder / f"{MODEL}.edit.json").unlink()
    provider = comfy.another()
    with pytest.raises(ProviderError) as caught:
        await provider.submit(call)

    assert call.request.mode is Mode.EDIT
    assert (caught.value.kind, caught.value.maybe_accepted) == (FaultKind.MODEL_UNAVAILABLE, False)
    assert not comfy.server.requests


async def test_submit_is_never_repeated(comfy: Comfy) -> None:
    for status in (429, 500, 503):
        comfy.server.faults.add("submit", "status", status=status)
        await fault_of(comfy)
    comfy.server.faults.add("submit", "reset_after")
    await fault_of(comfy)

    assert prompts_sent(comfy) == 4
    assert len(comfy.server.jobs) == 1


@pytest.mark.parametrize(
    ("status", "kind", "maybe_accepted"),
    [
        ("302 Found", FaultKind.MALFORMED, True),
        ("400 Bad Request", FaultKind.INVALID, False),
        ("402 Payment Required", FaultKind.ACCOUNT_EMPTY, False),
        ("403 Forbidden", FaultKind.KEY_REJECTED, False),
        ("404 Not Found", FaultKind.MODEL_UNAVAILABLE, False),
        ("413 Too Large", FaultKind.INVALID, True),
        ("429 Busy", FaultKind.RATE_LIMITED, False),
        ("500 Error", FaultKind.SERVER_ERROR, False),
        ("502 Bad Gateway", FaultKind.SERVER_ERROR, True),
        ("503 Busy", FaultKind.UNAVAILABLE, False),
        ("504 Late", FaultKind.SERVER_ERROR, True),
    ],
)
async def test_status_of_a_proxy_is_classified(
    comfy: Comfy, status: str, kind: FaultKind, *, maybe_accepted: bool
) -> None:
    async with RawServer(b"") as other:
        reply = json_reply("<html>", status=status, headers=f"Location: {other.url}/prompt\r\n")
        async with RawServer(reply) as server:
            fault = await fault_at(comfy, server.url)

    assert (fault.kind, fault.maybe_accepted) == (kind, maybe_accepted)
    assert sum(each.startswith(b"POST") for each in server.requests) == 1
    assert not other.requests


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Error"])
async def test_quoted_prompts_and_keys_are_in_no_log(comfy: Comfy, status: str) -> None:
    """A node may quote the values that it refuses."""
    quoted = f"'{WORDY_PROMPT}' without {NEGATIVE} for {KEY}"
    error = {"type": "custom_validation_failed", "message": quoted, "details": quoted, "extra_info": {"value": quoted}}
    body = {"error": error, "prompt_id": CALL_ID, "node_errors": {"2": {"errors": [error], "class_type": quoted}}}
    async with RawServer(json_reply(json.dumps(body), status=status)) as server:
        provider = comfy.another(url=server.url, key=KEY)
        with structlog.testing.capture_logs() as logs:
            try:
                answer: object = await provider.submit(comfy.call(prompt=WORDY_PROMPT, negative=NEGATIVE))
            except ProviderError as refused:
                answer = (str(refused), *traceback.format_exception(refused))
        await provider.close()

    texts = repr(logs) + repr(answer)
    assert not [word for word in ("wallet", "vendor", KEY) if word in texts]


async def test_close_without_an_answer_is_a_lost_reply(comfy: Comfy) -> None:
    async with RawServer(b"") as server:
        closed = await fault_at(comfy, server.url)
    async with RawServer(b"", silent=True) as server:
        silent = await fault_at(comfy, server.url, seconds=0.05)

    for fault in (closed, silent):
        assert (fault.kind, fault.maybe_accepted) == (FaultKind.REPLY_LOST, True)


@pytest.mark.parametrize(
    "reply",
    [
        b"hello\r\n\r\n",
        json_reply(""),
        json_reply("null"),
        json_reply("[]"),
        json_reply("{}"),
        json_reply('{"prompt_id": 1.5}'),
        json_reply('{"prompt_id": "\\n"}'),
        json_reply("[" * 20_000),
        json_reply("<html>sign in</html>"),
    ],
)
async def test_malformed_answer_may_be_accepted(comfy: Comfy, reply: bytes) -> None:
    async with RawServer(reply) as server:
        fault = await fault_at(comfy, server.url)

    assert (fault.kind, fault.maybe_accepted) == (FaultKind.MALFORMED, True)


@pytest.mark.parametrize(
    "body", ["[]", "null", "{}", '{"queue_running": 5, "queue_pending": []}', "<html>", '{"queue_running": []}']
)
async def test_malformed_queue_is_no_lost_job(comfy: Comfy, body: str) -> None:
    async with RawServer(json_reply(body)) as server:
        provider = comfy.another(url=server.url)
        with pytest.raises(ProviderError) as caught:
            await provider.poll(CALL_ID)
        lost = await provider.find_lost(comfy.call())

    assert caught.value.kind is FaultKind.MALFORMED
    assert lost is LostCall.ASK_AGAIN


@pytest.mark.parametrize("handle", ["../queue", "a?b=1#c", "..%2F..%2Fqueue"])
async def test_handle_is_escaped_in_the_address(comfy: Comfy, handle: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await comfy.provider.poll(handle)

    assert caught.value.kind is FaultKind.NOT_FOUND
    assert comfy.server.requests[-1].path == f"/history/{handle}"


async def test_key_goes_to_the_proxy_and_into_no_text(comfy: Comfy) -> None:
    async with RawServer(json_reply("no", "401 Unauthorized")) as server:
        provider = comfy.another(url=server.url, key=KEY)
        with pytest.raises(ProviderError) as caught:
            await provider.submit(comfy.call())
        await provider.close()

    prompts = [each for each in server.requests if each.startswith(b"POST /prompt")]
    assert len(prompts) == 1
    assert f"authorization: bearer {KEY}".encode() in prompts[0].lower()
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(provider)
    assert caught.value.kind is FaultKind.KEY_REJECTED


async def test_jobs_with_timers_all_end_with_pictures(comfy: Comfy) -> None:
    comfy.server.latency = Latency(queue=0.0, work=0.01)
    ids = [new_id() for _ in range(3)]
    for each in ids:
        await comfy.accepted(call_id=each, prompt=f"{PROMPT} {each}")
    await comfy.server.wait_for(lambda: len(comfy.server.history) == 3)

    assert all([isinstance(await comfy.provider.poll(each), Finished) for each in ids])
