"""Faults are switched on in Python or over HTTP, hit as often as they were told, and make no nonsense."""

import asyncio
from typing import Any

import aiohttp
import pytest

from sandbox.providers import Endpoint, FaultError, Faults, Kind, SkillBossServer, State
from tests.sandbox.providers.support import Api

SkillBoss = Api[SkillBossServer]
RUN = {"model": "reve/text-to-image", "async": True, "inputs": {"prompt": "a fox"}}


def test_faults_hit_in_order_and_run_out() -> None:
    """The first fits first; one without a number stays."""
    faults = Faults()
    faults.add("submit", "status", status=500, times=2)
    faults.add("submit", "status", status=503, times=None)

    taken = [faults.take(Endpoint.SUBMIT, frozenset({Kind.STATUS})) for _ in range(4)]

    assert [fault.status for fault in taken if fault] == [500, 500, 503, 503]
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
def test_a_fault_that_makes_no_sense_is_refused(endpoint: str, kind: str, options: dict[str, Any]) -> None:
    """A mistake in a test is told at once."""
    with pytest.raises(FaultError):
        Faults().add(endpoint, kind, **options)


async def test_faults_are_switched_from_outside(skillboss: SkillBoss) -> None:
    """PUT of an object adds, PUT of a list replaces, GET lists what is left, DELETE clears."""
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
async def test_nonsense_from_outside_changes_nothing(skillboss: SkillBoss, body: Any) -> None:
    """A list with one mistake is refused as a whole."""
    skillboss.server.faults.add("submit", "delay")

    reply = await skillboss.send("PUT", "/sandbox/faults", body, key=None)

    assert (reply.status, list(reply.json)) == (400, ["error"])
    assert len(skillboss.server.faults.as_json()) == 1


async def test_what_is_no_json_is_refused(skillboss: SkillBoss, session: aiohttp.ClientSession) -> None:
    """The control endpoint says so."""
    async with session.put(f"{skillboss.server.url}/sandbox/faults", data=b"{") as response:
        assert response.status == 400


async def test_jobs_and_the_bill_are_seen_from_outside(skillboss: SkillBoss) -> None:
    """A test in another process can tell what was charged, without any key."""
    await skillboss.send("POST", "/v1/run", RUN)
    job = skillboss.server.finish()

    seen = (await skillboss.send("GET", "/sandbox/jobs", key=None)).json

    assert seen["jobs"] == [{"id": job.id, "state": "COMPLETED", "prompt": "a fox", "images": 1, "inputs": []}]
    assert seen["billed"] == [{"job_id": job.id, "prompt": "a fox", "cost": 10}]
    assert "key-a" not in str(seen)


async def test_a_lost_reply_leaves_the_job_behind(skillboss: SkillBoss) -> None:
    """A reset after processing made the job; one before did not."""
    skillboss.server.faults.add("submit", "reset_before")
    skillboss.server.faults.add("submit", "reset_after")
    made = []
    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectionError):
            await skillboss.send("POST", "/v1/run", RUN)
        made.append(len(skillboss.server.jobs))

    assert made == [0, 1]


@pytest.mark.parametrize("state", ["IN_QUEUE", "IN_PROGRESS"])
async def test_a_job_may_be_stuck(skillboss: SkillBoss, state: str) -> None:
    """No timer moves it from there; a hand can."""
    skillboss.server.latency = type(skillboss.server.latency)(queue=0.0, work=0.0)
    skillboss.server.faults.add("submit", "stuck", state=state)
    await skillboss.send("POST", "/v1/run", RUN)
    job = skillboss.server.jobs[0]

    await skillboss.server.wait_for(lambda: job.state == state)

    assert job.timer is None
    assert skillboss.server.finish(job).state is State.COMPLETED


async def test_a_delay_holds_the_answer_back(skillboss: SkillBoss) -> None:
    """The request is on record at once and answered later."""
    skillboss.server.faults.add("submit", "delay", seconds=0.01)
    asked = asyncio.create_task(skillboss.send("POST", "/v1/run", RUN))
    await skillboss.server.wait_for(lambda: skillboss.server.requests)

    assert not skillboss.server.jobs
    assert (await asked).status == 202


async def test_waiting_for_what_never_comes_ends(skillboss: SkillBoss) -> None:
    """A test does not hang."""
    with pytest.raises(TimeoutError):
        await skillboss.server.wait_for(lambda: False, seconds=0.01)


async def test_a_server_may_be_closed_twice(skillboss: SkillBoss) -> None:
    """The fixture closes it once more."""
    await skillboss.server.close()
