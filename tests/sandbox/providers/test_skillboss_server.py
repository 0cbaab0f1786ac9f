"""The stand-in for SkillBoss keeps to its page."""

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


async def test_a_submit_is_answered_as_on_the_page(skillboss: SkillBoss) -> None:
    """202 with the request id in the body and in a header, and the record id in another."""
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


async def test_a_job_goes_through_its_lifecycle_and_is_billed_at_its_end(skillboss: SkillBoss) -> None:
    """IN_QUEUE, IN_PROGRESS, COMPLETED; charged only then."""
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


async def test_timers_move_jobs_too(skillboss: SkillBoss) -> None:
    """Without a hand a job takes its latency."""
    skillboss.server.latency = Latency(queue=0.0, work=0.0)
    await skillboss.send("POST", "/v1/run", run())

    await skillboss.server.wait_for(lambda: skillboss.server.jobs[0].state is State.COMPLETED)


async def test_the_synchronous_form_blocks_until_the_result(skillboss: SkillBoss) -> None:
    """Without `async` the answer is the result itself."""
    pending = asyncio.create_task(skillboss.send("POST", "/v1/run", run(asynchronous=None)))
    await skillboss.server.wait_for(lambda: skillboss.server.jobs)
    skillboss.server.finish()

    reply = await pending

    assert reply.status == 200
    assert reply.json["generated_images"] == skillboss.server.picture_urls(skillboss.server.jobs[0])


async def test_a_webhook_implies_the_asynchronous_form(skillboss: SkillBoss) -> None:
    """No need to set `async` as well."""
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
async def test_what_is_not_on_the_page_is_a_400(skillboss: SkillBoss, body: Any) -> None:
    """Invalid model, missing required field, or malformed JSON."""
    reply = await skillboss.send("POST", "/v1/run", body)

    assert reply.status == 400
    assert set(reply.json["error"]) == {"message", "type", "code"}
    assert not skillboss.server.jobs


@pytest.mark.parametrize("key", [None, "wrong"])
async def test_a_wrong_key_is_a_401(skillboss: SkillBoss, key: str | None) -> None:
    """Every endpoint asks for the key."""
    for method, path in (("POST", "/v1/run"), ("GET", "/v1/run/status/x"), ("POST", "/v1/run/cancel/x")):
        assert (await skillboss.send(method, path, run(), key=key)).status == 401


async def test_an_empty_balance_is_a_402(skillboss: SkillBoss) -> None:
    """Nothing is made when the account cannot pay."""
    skillboss.server.store.balance = 19

    assert (await skillboss.send("POST", "/v1/run", run(n=2))).status == 402
    assert (await skillboss.send("POST", "/v1/run", run(n=1))).status == 202


async def test_a_balance_that_ran_out_meanwhile_fails_the_job(skillboss: SkillBoss) -> None:
    """FAILED: "Vendor error or insufficient balance", and not billed."""
    await skillboss.send("POST", "/v1/run", run())
    skillboss.server.store.balance = 0
    job = skillboss.server.finish()

    assert (job.state, job.error) == (State.FAILED, "insufficient balance")
    assert not skillboss.server.billed


async def test_cancel_answers_as_on_the_page(skillboss: SkillBoss) -> None:
    """200 with `cancelled` in the queue, 409 once started, 200 without it at the end, 404 for others' jobs."""
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


async def test_results_expire_after_seven_days(skillboss: SkillBoss) -> None:
    """Then the status knows nothing of the job."""
    now = 0.0
    skillboss.server.store._clock = lambda: now
    await skillboss.send("POST", "/v1/run", run())
    job = skillboss.server.finish()
    now = RETENTION_SECONDS - 1
    before = await skillboss.send("GET", f"/v1/run/status/{job.id}")
    now = RETENTION_SECONDS
    after = await skillboss.send("GET", f"/v1/run/status/{job.id}")

    assert (before.status, after.status) == (200, 404)
