"""Faults of the API fakes, in Python and over HTTP."""

import asyncio
from typing import Any

import aiohttp
import pytest

from sandbox.providers import Endpoint, FaultError, Faults, Kind, SkillBossServer, State
from sandbox.providers.control import key_label
from tests.sandbox.providers.support import Api

SkillBoss = Api[SkillBossServer]
RUN = {"model": "reve/text-to-image", "async": True, "inputs": {"prompt": "a fox"}}


def test_faults_hit_in_order_until_used_up() -> None:
    faults = Faults()
    faults.add("submit", "status", status=500, times=2)
    faults.add("submit", "status", status=503, times=None)

    requested = [faults.take(Endpoint.SUBMIT, frozenset({Kind.STATUS})) for _ in range(4)]

    assert [fault.status for fault in requested if fault] == [500, 500, 503, 503]
    assert faults.take(Endpoint.STATUS, frozenset({Kind.STATUS})) is None
    faults.clear()
    assert faults.as_json() == []


@pytest.mark.parametrize(
    ("endpoint", "kind", "options"),
    [
        ("submit", "html", {}),
        ("nowhere", "status", {}),
        ("status", "fail", {}),
        ("submit", "nothing", {}),
        ("submit", "shape", {"shape": "round"}),
        ("submit", "stuck", {"state": "COMPLETED"}),
        ("submit", "delay", {"times": 0}),
        ("submit", "delay", {"colour": "red"}),
    ],
)
def test_invalid_fault_is_refused(endpoint: str, kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(FaultError):
        Faults().add(endpoint, kind, **options)


async def test_control_endpoint_adds_replaces_lists_and_clears_faults(skillboss: SkillBoss) -> None:
    fault = {"endpoint": "submit", "kind": "status", "status": 503, "times": 2, "retry_after": "3"}
    await skillboss.send("PUT", "/sandbox/faults", {"endpoint": "picture", "kind": "html"}, key=None)
    await skillboss.send("PUT", "/sandbox/faults", [fault], key=None)

    refused = await skillboss.send("POST", "/v1/run", RUN)
    left = await skillboss.send("GET", "/sandbox/faults", key=None)
    await skillboss.send("DELETE", "/sandbox/faults", key=None)
    accepted = await skillboss.send("POST", "/v1/run", RUN)

    assert (refused.status, refused.headers["retry-after"], accepted.status) == (503, "3", 202)
    assert [(each["kind"], each["times"]) for each in left.json] == [("status", 1)]


@pytest.mark.parametrize("body", [[{"endpoint": "submit"}], 5, [{"endpoint": "submit", "kind": "html"}], [1]])
async def test_invalid_fault_list_changes_nothing(skillboss: SkillBoss, body: Any) -> None:
    skillboss.server.faults.add("submit", "delay")

    reply = await skillboss.send("PUT", "/sandbox/faults", body, key=None)

    assert (reply.status, list(reply.json)) == (400, ["error"])
    assert len(skillboss.server.faults.as_json()) == 1


async def test_malformed_fault_json_is_refused(skillboss: SkillBoss, session: aiohttp.ClientSession) -> None:
    async with session.put(f"{skillboss.server.url}/sandbox/faults", data=b"{") as response:
        assert response.status == 400


async def test_control_endpoint_lists_jobs_and_charges_without_key(skillboss: SkillBoss) -> None:
    await skillboss.send("POST", "/v1/run", RUN)
    job = skillboss.server.finish()

    seen = (await skillboss.send("GET", "/sandbox/jobs", key=None)).json

    (label,) = {each.pop("key") for each in seen["jobs"]}
    assert seen["jobs"] == [{"id": job.id, "state": "COMPLETED", "prompt": "a fox", "images": 1, "inputs": []}]
    assert label == key_label("key-a")
    assert seen["billed"] == [{"job_id": job.id, "prompt": "a fox", "cost": 10}]
    assert "key-a" not in str(seen)


async def test_reset_after_keeps_job_and_reset_before_does_not(skillboss: SkillBoss) -> None:
    skillboss.server.faults.add("submit", "reset_before")
    skillboss.server.faults.add("submit", "reset_after")
    made = []
    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectionError):
            await skillboss.send("POST", "/v1/run", RUN)
        made.append(len(skillboss.server.jobs))

    assert made == [0, 1]


@pytest.mark.parametrize("state", ["IN_QUEUE", "IN_PROGRESS"])
async def test_stuck_job_ignores_timers_but_can_be_completed(skillboss: SkillBoss, state: str) -> None:
    skillboss.server.latency = type(skillboss.server.latency)(queue=0.0, work=0.0)
    skillboss.server.faults.add("submit", "stuck", state=state)
    await skillboss.send("POST", "/v1/run", RUN)
    job = skillboss.server.jobs[0]

    await skillboss.server.wait_for(lambda: job.state == state)

    assert job.timer is None
    assert skillboss.server.finish(job).state is State.COMPLETED


async def test_delay_fault_records_request_at_once(skillboss: SkillBoss) -> None:
    skillboss.server.faults.add("submit", "delay", seconds=0.01)
    asked = asyncio.create_task(skillboss.send("POST", "/v1/run", RUN))
    await skillboss.server.wait_for(lambda: skillboss.server.requests)

    assert not skillboss.server.jobs
    assert (await asked).status == 202


async def test_wait_for_false_condition_times_out(skillboss: SkillBoss) -> None:
    with pytest.raises(TimeoutError):
        await skillboss.server.wait_for(lambda: False, seconds=0.01)


async def test_server_can_be_closed_twice(skillboss: SkillBoss) -> None:
    await skillboss.server.close()
