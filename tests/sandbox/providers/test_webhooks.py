"""Webhooks of the stand-in for SkillBoss, as a receiver on a socket of its own gets them."""

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
    """Takes webhooks at `url`, keeps what came, and answers with `statuses` in turn, then with 200."""

    def __init__(self) -> None:
        self.url = ""
        self.came: list[dict[str, Any]] = []
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
        self.came.append(await request.json())
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Give who is called back."""
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.close()


@pytest.fixture(autouse=True)
def no_second_try_by_itself(skillboss: SkillBoss) -> None:
    """Second tries wait until a test lets them go."""
    skillboss.server.webhooks.retry_seconds = None


def run(url: str, **inputs: Any) -> dict[str, Any]:
    """Return the body of a submit that names a webhook."""
    return {"model": "reve/text-to-image", "inputs": {"prompt": "a fox", **inputs}, "webhook_url": url}


def statuses(skillboss: SkillBoss) -> list[tuple[int, int | None]]:
    """Return which try got which answer, over all jobs."""
    return [(each.attempt, each.status) for each in skillboss.server.webhooks.sent]


async def test_a_completed_job_is_told_as_on_the_page(skillboss: SkillBoss, receiver: Receiver) -> None:
    """Status OK, the pictures as objects, no error; once, as it was taken."""
    await skillboss.send("POST", "/v1/run", run(receiver.url, n=2))
    job = skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    urls = skillboss.server.picture_urls(job)
    told = {
        "request_id": job.id,
        "status": "OK",
        "payload": {"generated_images": [{"url": urls[0]}, {"url": urls[1]}]},
        "error": None,
    }
    assert receiver.came == [told]
    (delivery,) = skillboss.server.webhooks.sent_for(job)
    assert (delivery.url, delivery.body, delivery.attempt, delivery.status) == (receiver.url, told, 1, 200)


async def test_a_failed_job_is_told_as_on_the_page(skillboss: SkillBoss, receiver: Receiver) -> None:
    """Status ERROR, no payload, the reason in words."""
    skillboss.server.faults.add("submit", "fail", reason="the vendor gave up")
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    assert receiver.came == [
        {"request_id": job.id, "status": "ERROR", "payload": None, "error": "the vendor gave up"},
    ]


async def test_a_cancelled_job_is_not_told(skillboss: SkillBoss, receiver: Receiver) -> None:
    """Whoever cancelled knows."""
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.jobs[0]
    await skillboss.send("POST", f"/v1/run/cancel/{job.id}")

    assert job.state is State.CANCELLED
    assert (skillboss.server.webhooks.pending, receiver.came) == (0, [])


@pytest.mark.parametrize(("first", "second"), [(500, 200), (404, 503), (302, 200)])
async def test_what_was_not_taken_is_tried_once_more(
    skillboss: SkillBoss, receiver: Receiver, first: int, second: int
) -> None:
    """Anything but a 2xx counts as not taken; after the second try that is the end of it."""
    receiver.statuses = [first, second]
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)
    assert skillboss.server.webhooks.pending == 1
    skillboss.server.webhooks.release()
    await skillboss.server.wait_for(lambda: len(skillboss.server.webhooks.sent) == 2)

    assert statuses(skillboss) == [(1, first), (2, second)]
    assert len(receiver.came) == 2


async def test_a_second_try_comes_by_itself(skillboss: SkillBoss, receiver: Receiver) -> None:
    """After its seconds, without a hand."""
    skillboss.server.webhooks.retry_seconds = 0.0
    receiver.statuses = [500]
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, 500), (2, 200)])


async def test_nobody_there_is_no_answer(skillboss: SkillBoss, receiver: Receiver) -> None:
    """A receiver that is down leaves no status."""
    await receiver.close()
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, None)])


async def test_nothing_is_posted_to_another_machine(skillboss: SkillBoss) -> None:
    """An address elsewhere is taken, as the contract takes it, and never called."""
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
async def test_which_addresses_are_taken(skillboss: SkillBoss, url: Any, good: bool) -> None:  # noqa: FBT001
    """Https, and http on this machine; the rest is a 400 and makes no job."""
    reply = await skillboss.send("POST", "/v1/run", run(url))

    assert is_acceptable(url) is good
    assert (reply.status, len(skillboss.server.jobs)) == ((202, 1) if good else (400, 0))


async def test_a_webhook_may_be_lost(skillboss: SkillBoss, receiver: Receiver) -> None:
    """The next one comes again."""
    skillboss.server.faults.add("webhook", "lost")
    for _ in range(2):
        await skillboss.send("POST", "/v1/run", run(receiver.url))
        skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    assert [each["request_id"] for each in receiver.came] == [skillboss.server.jobs[1].id]
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.pending == 0)


async def test_a_webhook_may_come_twice_at_once(skillboss: SkillBoss, receiver: Receiver) -> None:
    """Both are there before either is answered."""
    receiver.gate = asyncio.Event()
    skillboss.server.faults.add("webhook", "twice")
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()
    while len(receiver.came) < 2:
        receiver.arrived.clear()
        await receiver.arrived.wait()
    receiver.gate.set()
    await skillboss.server.wait_for(lambda: len(skillboss.server.webhooks.sent) == 2)

    assert receiver.came[0] == receiver.came[1]
    assert sorted(statuses(skillboss)) == [(1, 200), (2, 200)]


async def test_a_webhook_may_come_before_the_answer_to_its_submit(skillboss: SkillBoss, receiver: Receiver) -> None:
    """The receiver has it while the submit still waits for a reply, which then knows nothing of the end."""
    receiver.gate = asyncio.Event()
    skillboss.server.faults.add("webhook", "early")
    submitting = asyncio.create_task(skillboss.send("POST", "/v1/run", run(receiver.url)))
    await receiver.arrived.wait()
    assert not submitting.done()
    receiver.gate.set()
    reply = await submitting

    assert (reply.status, reply.json["status"]) == (202, "IN_QUEUE")
    assert [each["request_id"] for each in receiver.came] == [reply.json["request_id"]]


async def test_a_webhook_may_be_late(skillboss: SkillBoss, receiver: Receiver) -> None:
    """Held back until it is released, from outside too."""
    skillboss.server.faults.add("webhook", "late")
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.finish()
    status = await skillboss.send("GET", f"/v1/run/status/{job.id}")
    assert (status.json["status"], skillboss.server.webhooks.pending, receiver.came) == ("COMPLETED", 1, [])

    released = await skillboss.send("POST", "/sandbox/webhooks/release", key=None)
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    assert released.status == 204
    assert len(receiver.came) == 1


async def test_a_late_webhook_comes_by_itself(skillboss: SkillBoss, receiver: Receiver) -> None:
    """After its seconds."""
    skillboss.server.faults.add("webhook", "late", seconds=0.01)
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, 200)])


async def test_deliveries_are_seen_from_outside(
    skillboss: SkillBoss, receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    """A test in another process can read them; another site's page cannot."""
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    job = skillboss.server.finish()
    await skillboss.server.wait_for(lambda: skillboss.server.webhooks.sent)

    (seen,) = (await skillboss.send("GET", "/sandbox/webhooks", key=None)).json
    assert (seen["job_id"], seen["url"], seen["attempt"], seen["status"]) == (job.id, receiver.url, 1, 200)
    async with session.get(
        f"{skillboss.server.url}/sandbox/webhooks", headers={"Origin": "http://elsewhere.example"}
    ) as answer:
        assert answer.status == 403


async def test_mending_lets_go_what_is_held(skillboss: SkillBoss, receiver: Receiver) -> None:
    """Late webhooks are delivered, and nothing is broken any more."""
    skillboss.server.faults.add("webhook", "late", times=None)
    await skillboss.send("POST", "/v1/run", run(receiver.url))
    skillboss.server.finish()
    skillboss.server.clear_faults()

    await skillboss.server.wait_for(lambda: statuses(skillboss) == [(1, 200)])
    assert skillboss.server.faults.as_json() == []


async def test_closing_ends_what_is_under_way(skillboss: SkillBoss, receiver: Receiver) -> None:
    """A webhook that nobody answers, and one that is held back, do not keep the server."""
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
