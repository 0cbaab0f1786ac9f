"""The fake of SkillBoss follows its page."""

import asyncio
from typing import Any

import pytest

from sandbox.providers import Latency, SkillBossServer, State
from sandbox.providers.job_store import RETENTION_SECONDS
from tests.sandbox.providers.support import Api

SkillBoss = Api[SkillBossServer]


def run(*, asynchronous: bool | None = True, **inputs: Any) -> dict[str, Any]:
    """Return the body of a submit."""
    body: dict[str, Any] = {"model": "reve/text-to-image", "inputs": {"prompt": "a fox", **inputs}}
    return body if asynchronous is None else {**body, "async": asynchronous}


async def test_submit_is_202_with_documented_ids(skillboss: SkillBoss) -> None:
    reply = await skillboss.send("POST", "/v1/run", run())

    job = skillboss.server.jobs[0]
    base = f"{skillboss.server.url}/v1/run"
    assert reply.status == 202
    assert reply.json == {
        "request_id": job.id,
        "status": "IN_QUEUE",
        "status_url": f"{base}/status/{job.id}",
        "cancel_url": f"{base}/cancel/{job.id}",
    }
    assert (reply.headers["x-request-id"], reply.headers["x-record-id"]) == (job.id, job.record_id)


async def test_job_passes_states_and_is_charged_when_completed(skillboss: SkillBoss) -> None:
    await skillboss.send("POST", "/v1/run", run(n=2))
    job = skillboss.server.jobs[0]
    seen = []
    for _ in range(3):
        reply = await skillboss.send("GET", f"/v1/run/status/{job.id}")
        seen.append((reply.json["status"], len(skillboss.server.billed)))
        skillboss.server.advance()

    assert seen == [("IN_QUEUE", 0), ("IN_PROGRESS", 0), ("COMPLETED", 1)]
    assert reply.json["result"]["generated_images"] == skillboss.server.picture_urls(job)
    assert skillboss.server.billed[0].cost == 20


async def test_job_with_timers_completes(skillboss: SkillBoss) -> None:
    skillboss.server.latency = Latency(queue=0.0, work=0.0)
    await skillboss.send("POST", "/v1/run", run())

    await skillboss.server.wait_for(lambda: skillboss.server.jobs[0].state is State.COMPLETED)


async def test_synchronous_submit_responds_with_result(skillboss: SkillBoss) -> None:
    pending = asyncio.create_task(skillboss.send("POST", "/v1/run", run(asynchronous=None)))
    await skillboss.server.wait_for(lambda: skillboss.server.jobs)
    skillboss.server.finish()

    reply = await pending

    assert reply.status == 200
    assert reply.json["generated_images"] == skillboss.server.picture_urls(skillboss.server.jobs[0])


async def test_submit_with_webhook_is_asynchronous(skillboss: SkillBoss) -> None:
    body = {**run(asynchronous=None), "webhook_url": "https://bot.example/hook"}

    assert (await skillboss.send("POST", "/v1/run", body)).status == 202
    assert skillboss.server.jobs[0].webhook_url == "https://bot.example/hook"


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"model": "reve/text-to-image"},
        {**run(), "model": "other"},
        {**run(), "async": "yes"},
        {**run(), "webhook_url": "http://bot.example/hook"},
        run(prompt=" "),
        run(n=0),
        run(n=5),
        run(n=True),
        run(size="512x512"),
        run(size="1024x1024", aspect_ratio="1:1"),
        run(aspect_ratio=3),
        run(output_format="gif"),
    ],
)
async def test_undocumented_submit_is_400(skillboss: SkillBoss, body: Any) -> None:
    reply = await skillboss.send("POST", "/v1/run", body)

    assert reply.status == 400
    assert set(reply.json["error"]) == {"message", "type", "code"}
    assert not skillboss.server.jobs


@pytest.mark.parametrize("key", [None, "wrong"])
async def test_wrong_key_is_401_on_every_endpoint(skillboss: SkillBoss, key: str | None) -> None:
    for method, path in (("POST", "/v1/run"), ("GET", "/v1/run/status/x"), ("POST", "/v1/run/cancel/x")):
        assert (await skillboss.send(method, path, run(), key=key)).status == 401


async def test_submit_above_balance_is_402(skillboss: SkillBoss) -> None:
    skillboss.server.store.balance = 19

    assert (await skillboss.send("POST", "/v1/run", run(n=2))).status == 402
    assert (await skillboss.send("POST", "/v1/run", run(n=1))).status == 202


async def test_balance_used_up_meanwhile_fails_job_uncharged(skillboss: SkillBoss) -> None:
    await skillboss.send("POST", "/v1/run", run())
    skillboss.server.store.balance = 0
    job = skillboss.server.finish()

    assert (job.state, job.error) == (State.FAILED, "insufficient balance")
    assert not skillboss.server.billed


async def test_cancel_responds_by_job_state_and_owner(skillboss: SkillBoss) -> None:
    for _ in range(2):
        await skillboss.send("POST", "/v1/run", run())
    pending, started = skillboss.server.jobs
    skillboss.server.advance(started)

    foreign = await skillboss.send("POST", f"/v1/run/cancel/{pending.id}", key="key-b")
    cancelled = await skillboss.send("POST", f"/v1/run/cancel/{pending.id}")
    again = await skillboss.send("POST", f"/v1/run/cancel/{pending.id}")
    late = await skillboss.send("POST", f"/v1/run/cancel/{started.id}")

    assert (foreign.status, cancelled.status, again.status, late.status) == (404, 200, 200, 409)
    assert cancelled.json["cancelled"] is True
    assert "cancelled" not in again.json
    assert (pending.state, started.state) == (State.CANCELLED, State.IN_PROGRESS)


async def test_status_after_seven_days_is_404(skillboss: SkillBoss) -> None:
    now = 0.0
    skillboss.server.store._clock = lambda: now
    await skillboss.send("POST", "/v1/run", run())
    job = skillboss.server.finish()
    now = RETENTION_SECONDS - 1
    before = await skillboss.send("GET", f"/v1/run/status/{job.id}")
    now = RETENTION_SECONDS
    after = await skillboss.send("GET", f"/v1/run/status/{job.id}")

    assert (before.status, after.status) == (200, 404)


def run_gemini(**inputs: Any) -> dict[str, Any]:
    """Return the body of a submit of Google's model."""
    inputs = {"prompt": "a fox"} | inputs
    return {"model": "google/gemini-3-pro-image", "async": True, "inputs": inputs}


async def test_model_of_google_draws_one_picture_of_its_size(skillboss: SkillBoss) -> None:
    reply = await skillboss.send("POST", "/v1/run", run_gemini(image_size="2K", aspect_ratio="1:1", image_urls=[]))

    drawn = skillboss.server.jobs[0].request
    assert reply.status == 202
    assert (drawn.images, drawn.width, drawn.height) == (1, 2048, 2048)


@pytest.mark.parametrize(
    "inputs",
    [
        {"n": 2},
        {"size": "1024x1024"},
        {"output_format": "png"},
        {"image_size": "2k"},
        {"image_size": ["2K"]},
        {"aspect_ratio": "auto"},
        {"aspect_ratio": ["1:1"]},
        {"image_urls": "https://cdn.example/a.png"},
        {"image_urls": ["data:image/png;base64,AA=="]},
        {"image_urls": ["https://cdn.example/a.png"] * 15},
        {"prompt": " "},
    ],
)
async def test_model_of_google_refuses_other_inputs(skillboss: SkillBoss, inputs: dict[str, Any]) -> None:
    reply = await skillboss.send("POST", "/v1/run", run_gemini(**inputs))

    assert reply.status == 400
    assert not skillboss.server.jobs
