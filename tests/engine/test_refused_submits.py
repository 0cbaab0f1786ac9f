"""Submits refused with 400, 404, 410 or 422."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import FaultKind, StudioClosedError
from bot.domain.jobs import State
from bot.engine.callback_urls import hash_token, new_token, webhook_url_for
from bot.engine.circuit_breaker import FIRST_PAUSE_SECONDS
from bot.engine.claimer import CallbackUrl
from bot.engine.config import EngineConfig
from bot.engine.offer_breakers import MEMBERS_TO_OPEN
from bot.ui.render.error_messages import failure
from db.database import Database
from sandbox.providers import Reve2ImgServer
from tests.engine.edit_requests import edit_harness, edit_request
from tests.engine.engine_harness import engine_harness
from tests.engine.test_flow import queue_job, two_providers
from tests.support.factories import make_request
from tests.support.image_server import ImageServer, drawn


@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_refused_job_goes_to_next_offer(database: Database, tmp_path: Path, status: int) -> None:
    async with two_providers(database, tmp_path) as (harness, second):
        harness.server.faults.add("submit", "status", status=status, times=None)
        job = await harness.create_job()
        running = await harness.wait_for_state(job.id, State.RUNNING)  # no time passes
        assert (running.provider, running.tries, harness.count_submits()) == ("reve2img", 1, 1)
        second.finish()
        assert (await harness.wait_for_state(job.id, State.DONE, step=1)).charged == 12
        assert await harness.run_audit() == []


async def test_refusal_by_all_offers_ends_the_job_with_the_last_one(database: Database, tmp_path: Path) -> None:
    async with two_providers(database, tmp_path) as (harness, second):
        harness.server.faults.add("submit", "status", status=404)
        second.faults.add("submit", "status", status=400)
        failed = await harness.wait_for_state((await harness.create_job()).id, State.FAILED)
        assert (failed.fault, failed.charged) == (FaultKind.INVALID, 0)
        assert (harness.count_submits(), len(second.requests)) == (1, 1)
        assert await harness.run_audit() == []


async def test_content_refusal_is_not_passed_to_next_offer(database: Database, tmp_path: Path) -> None:
    async with two_providers(database, tmp_path) as (harness, second):
        harness.server.faults.add("submit", "status", status=400, message="violates our content policy")
        failed = await harness.wait_for_state((await harness.create_job()).id, State.FAILED)
        assert (failed.fault, list(second.requests)) == (FaultKind.CONTENT, [])


async def test_withdrawn_model_gets_no_more_submits_at_that_provider(database: Database, tmp_path: Path) -> None:
    # Its other models go on, and so does the model at the other provider.
    async with two_providers(database, tmp_path) as (harness, second):
        second.faults.add("submit", "status", status=400, message="This model has been discontinued")
        with capture_logs() as logs:
            failed = await harness.wait_for_state(
                (await harness.create_job(request=make_request(model="nano-banana"))).id, State.FAILED
            )
        assert (failed.fault, failed.charged) == (FaultKind.MODEL_UNAVAILABLE, 0)
        (told,) = [entry for entry in logs if entry["event"] == "model.left_alone"]
        assert (told["log_level"], told["provider"], told["model"]) == ("error", "reve2img", "nano-banana")
        assert (told["status"], [each.closed_models for each in harness.health.list()]) == (
            400,
            [(), ("nano-banana",)],
        )

        with pytest.raises(StudioClosedError):  # nothing is held for it
            await queue_job(harness, 2, model="nano-banana")
        other = await harness.create_job(request=make_request(model="seedream-5"))
        await harness.wait_for_state(other.id, State.RUNNING)
        harness.clock.advance(FIRST_PAUSE_SECONDS)
        probe = await harness.create_job(request=make_request(model="nano-banana"))
        await harness.wait_for_state(probe.id, State.RUNNING)
        assert [each.closed_models for each in harness.health.list()] == [(), ()]


async def test_refusals_of_several_members_are_the_providers_fault(database: Database, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path, config=EngineConfig(active_per_provider=1)) as harness:
        harness.server.faults.add("submit", "status", status=400, times=None)
        jobs = [await queue_job(harness, member) for member in range(MEMBERS_TO_OPEN + 1)]
        harness.engine.wake()
        for failed in jobs[:-1]:
            await harness.wait_for_state(failed.id, State.FAILED, step=1)
        waiting = jobs[-1]
        assert ((await harness.read_job(waiting.id)).state, harness.count_submits()) == (State.HELD, MEMBERS_TO_OPEN)
        harness.server.clear_faults()
        await harness.wait_for_state(waiting.id, State.QUEUED, step=1)
        assert await harness.run_audit() == []


async def test_job_left_with_an_open_offer_fails_after_soft_deadline(database: Database, tmp_path: Path) -> None:
    # The first provider refused the job for good, so its working circuit is no reason to wait.
    async with two_providers(database, tmp_path) as (harness, second):
        second.faults.add("submit", "status", status=401, times=None)
        first = await harness.create_job(request=make_request(model="nano-banana"))
        await harness.wait_for_state(first.id, State.FAILED)
        harness.server.faults.add("submit", "status", status=400, times=None)
        job = await harness.create_job()
        failed = await harness.wait_for_state(job.id, State.FAILED, step=5)
        assert failed.fault is FaultKind.KEY_REJECTED
        assert (harness.clock.now() - job.created_at).total_seconds() < 1_000


async def test_refused_webhook_is_left_out_of_next_try(database: Database, tmp_path: Path) -> None:
    def new_callback_url(provider: str) -> CallbackUrl:
        token = new_token()
        return CallbackUrl(url=webhook_url_for("https://studio.example", provider, token), hash=hash_token(token))

    async with engine_harness(database, tmp_path, new_callback_url=new_callback_url) as harness:
        harness.server.faults.add("submit", "status", status=400, message="webhook_url is not reachable")
        with capture_logs() as logs:
            job = await harness.create_job()
            queued = await harness.wait_for_state(job.id, State.QUEUED)  # no time passes
        bodies = [each.body for each in harness.server.requests if each.path == "/v1/run"]
        assert ["webhook_url" in body for body in bodies] == [True, False]
        assert queued.tries == 1
        assert [entry["log_level"] for entry in logs if entry["event"] == "webhook.refused"] == ["error"]
        assert "studio.example" not in str(logs)


@pytest.mark.parametrize("later", [False, True], ids=["refused", "failed"])
async def test_unreachable_input_is_the_operators_fault(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer, *, later: bool
) -> None:
    if later:
        reve2img.faults.add("submit", "fail", reason="input")
    else:
        reve2img.faults.add("submit", "status", status=400, message="Could not download image")
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        with capture_logs() as logs:
            job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
            if later:
                await harness.wait_for_state(job.id, State.RUNNING)
                reve2img.finish()
            failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged) == (FaultKind.INPUT_NOT_FETCHED, 0)
        assert "not your fault" in failure(failed.fault)[0]
        faults = [(entry["log_level"], entry["fault"]) for entry in logs if entry["log_level"] == "error"]
        assert faults == [("error", FaultKind.INPUT_NOT_FETCHED)]


async def test_ignored_aspect_ratio_is_logged_and_counted(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.server.faults.add("submit", "square")
        with capture_logs() as logs:
            for _ in range(2):  # the second one is as asked
                job = await harness.create_job(request=make_request(aspect_ratio="16:9"))
                await harness.wait_for_state(job.id, State.QUEUED)
                harness.server.finish()
                assert (await harness.wait_for_state(job.id, State.DONE, step=1)).charged == 12
        (entry,) = [entry for entry in logs if entry["event"] == "picture.other_ratio"]
        assert (entry["provider"], entry["wanted"], entry["width"] == entry["height"]) == ("skillboss", "16:9", True)
        assert [each.other_ratios for each in harness.health.list()] == [1]


async def test_refused_submit_is_logged_with_its_status(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.server.faults.add("submit", "status", status=422)
        with capture_logs() as logs:
            await harness.wait_for_state((await harness.create_job()).id, State.FAILED)
        (entry,) = [entry for entry in logs if entry["event"] == "submit.refused"]
        assert (entry["status"], entry["fault"]) == (422, FaultKind.INVALID)
