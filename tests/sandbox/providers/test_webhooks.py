"""Webhooks of the SkillBoss fake, received on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sandbox.providers import SkillBossServer, State
from sandbox.providers.webhooks import is_acceptable
from tests.sandbox.providers.support import Api

SkillBoss = Api[SkillBossServer]


class Receiver:
    """Receives webhooks at `url` and keeps their bodies.

    It responds with `statuses` in turn, then with 200.
    """

    def __init__(self) -> None:
        self.url = ""
        self.received: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.gate: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)

    async def start(self) -> None:
        """Listen."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhooks/skillboss/a-token"

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/webhooks/skillboss/{token}", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self.received.append(await request.json())
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Yield a webhook receiver."""
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.close()


@pytest.fixture(autouse=True)
def hold_retries(skillboss: SkillBoss) -> None:
    """Hold retries until a test releases them."""
    skillboss.server.webhooks.retry_seconds = None


def run(url: str, **inputs: Any) -> dict[str, Any]:
    """Return a submit body with a webhook."""
    return {"model": "reve/text-to-image", "inputs": {"prompt": "a fox", **inputs}, "webhook_url": url}


def statuses(skillboss: SkillBoss) -> list[tuple[int, int | None]]:
    """Return attempt and status of all deliveries."""
    return [(each.attempt, each.status) for each in skillboss.server.webhooks.sent]


async def test_completed_job_posts_documented_webhook_once(skillboss: SkillBoss, receiver: Receiver) -> None:
    await skillboss.send("POST", "/v1/run", run(receiver.url, n=2))
    job = skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    urls = skillboss.server.picture_urls(job)
    expected = {
        "request_id": job.id,
        "status": "OK",
        "payload": {"generated_images": [{"url": urls[0]}, {"url": urls[1]}]},
        "error": None,
    }
    assert receiver.received == [expected]
    (delivery,) = skillboss.server.webhooks.sent_for(job)
    assert (delivery.url, delivery.body, delivery.attempt, delivery.status) == (receiver.url, expected, 1, 200)


async def test_failed_job_posts_documented_webhook(skillboss: SkillBoss, receiver: Receiver) -> None:
    skillboss.server.faults.add("submit", "fail", reason="the vendor gave up")
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    assert receiver.received == [
        {"request_id": job.id, "status": "ERROR", "payload": None, "error": "the vendor gave up"},
    ]


async def test_cancelled_job_posts_no_webhook(skillboss: SkillBoss, receiver: Receiver) -> None:
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.jobs[0]
    await skillboss.send("POST", f"/v1/run/cancel/{job.id}")

    assert job.state is State.CANCELLED
    assert (skillboss.server.webhooks.pending, receiver.received) == (0, [])


@pytest.mark.parametrize(("first", "second"), [(500, 200), (404, 503), (302, 200)])
async def test_refused_webhook_is_retried_once(
    skillboss: SkillBoss, receiver: Receiver, first: int, second: int
) -> None:
    receiver.statuses = [first, second]
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)
    assert skillboss.server.webhooks.pending == 1
    skillboss.server.webhooks.release()
    await skillboss.server.wait_for(lambda: len(skillboss.server.webhooks.sent) == 2)

    assert statuses(skillboss) == [(1, first), (2, second)]
    assert len(receiver.received) == 2


async def test_retry_follows_after_its_seconds(skillboss: SkillBoss, receiver: Receiver) -> None:
    skillboss.server.webhooks.retry_seconds = 0.0
    receiver.statuses = [500]
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, 500), (2, 200)])


async def test_unreachable_receiver_has_no_status(skillboss: SkillBoss, receiver: Receiver) -> None:
    await receiver.close()
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, None)])


async def test_remote_webhook_is_accepted_but_never_posted(skillboss: SkillBoss) -> None:
    reply = await skillboss.send("POST", "/v1/run", run("https://bot.example/hook"))
    skillboss.server.finish()

    assert reply.status == 202
    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, None)])
    assert skillboss.server.webhooks._session is None


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://bot.example/hook", True),
        ("https://127.0.0.1:8443/hook", True),
        ("http://127.0.0.1:8080/hook", True),
        ("http://localhost/hook", True),
        ("http://[::1]:8080/hook", True),
        ("http://bot.example/hook", False),
        ("http://10.0.0.1/hook", False),
        ("http://127.0.0.1@bot.example/hook", False),
        ("http://127.0.0.1:port/hook", False),
        ("https://", False),
        ("http://[::1/hook", False),
        ("ftp://127.0.0.1/hook", False),
        ("/hook", False),
        ("", False),
        (5, False),
    ],
)
async def test_webhook_url_must_be_https_or_local(skillboss: SkillBoss, url: Any, good: bool) -> None:
    reply = await skillboss.send("POST", "/v1/run", run(url))

    assert is_acceptable(url) is good
    assert (reply.status, len(skillboss.server.jobs)) == ((202, 1) if good else (400, 0))


async def test_lost_fault_drops_one_webhook(skillboss: SkillBoss, receiver: Receiver) -> None:
    skillboss.server.faults.add("webhook", "lost")
    for _ in range(2):
        await skillboss.send("POST", "/v1/run", run(receiver.url))
        skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    assert [each["request_id"] for each in receiver.received] == [skillboss.server.jobs[1].id]
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.pending == 0)


async def test_twice_fault_posts_concurrently(skillboss: SkillBoss, receiver: Receiver) -> None:
    receiver.gate = asyncio.Event()
    skillboss.server.faults.add("webhook", "twice")
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()
    while len(receiver.received) < 2:
        receiver.arrived.clear()
        await receiver.arrived.wait()
    receiver.gate.set()
    await skillboss.server.wait_for(lambda: len(skillboss.server.webhooks.sent) == 2)

    assert receiver.received[0] == receiver.received[1]
    assert sorted(statuses(skillboss)) == [(1, 200), (2, 200)]


async def test_early_fault_posts_before_submit_response(skillboss: SkillBoss, receiver: Receiver) -> None:
    receiver.gate = asyncio.Event()
    skillboss.server.faults.add("webhook", "early")
    submitting = asyncio.create_task(skillboss.send("POST", "/v1/run", run(receiver.url)))
    await receiver.arrived.wait()
    assert not submitting.done()
    receiver.gate.set()
    reply = await submitting

    assert (reply.status, reply.json["status"]) == (202, "IN_QUEUE")
    assert [each["request_id"] for each in receiver.received] == [reply.json["request_id"]]


async def test_late_fault_waits_for_release(skillboss: SkillBoss, receiver: Receiver) -> None:
    skillboss.server.faults.add("webhook", "late")
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.finish()
    status = await skillboss.send("GET", f"/v1/run/status/{job.id}")
    assert (status.json["status"], skillboss.server.webhooks.pending, receiver.received) == ("COMPLETED", 1, [])

    released = await skillboss.send("POST", "/sandbox/webhooks/release", key=None)
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    assert released.status == 204
    assert len(receiver.received) == 1


async def test_late_fault_posts_after_its_seconds(skillboss: SkillBoss, receiver: Receiver) -> None:
    skillboss.server.faults.add("webhook", "late", seconds=0.01)
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, 200)])


async def test_control_endpoint_lists_deliveries_for_own_origin(
    skillboss: SkillBoss, receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    (seen,) = (await skillboss.send("GET", "/sandbox/webhooks", key=None)).json
    assert (seen["job_id"], seen["url"], seen["attempt"], seen["status"]) == (job.id, receiver.url, 1, 200)
    async with session.get(
        f"{skillboss.server.url}/sandbox/webhooks", headers={"Origin": "http://elsewhere.example"}
    ) as answer:
        assert answer.status == 403


async def test_clear_faults_releases_late_webhooks(skillboss: SkillBoss, receiver: Receiver) -> None:
    skillboss.server.faults.add("webhook", "late", times=None)
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()
    skillboss.server.clear_faults()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, 200)])
    assert skillboss.server.faults.as_json() == []


async def test_close_cancels_deliveries(skillboss: SkillBoss, receiver: Receiver) -> None:
    receiver.gate = asyncio.Event()
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()
    await receiver.arrived.wait()
    skillboss.server.faults.add("webhook", "late")
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()

    await skillboss.server.close()

    assert (skillboss.server.webhooks.pending, list(skillboss.server.webhooks.sent)) == (0, [])
    receiver.gate.set()
