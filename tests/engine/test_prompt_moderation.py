"""Moderation of prompts by OpenAI, before a job is queued."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import FaultKind
from bot.domain.jobs import State
from db.database import Database
from sandbox.providers import OpenAiImagesServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.test_inputs import read_held
from tests.support.factories import make_request

KEY = "sk-moderation-0123456789"


@pytest.fixture
async def openai() -> AsyncIterator[OpenAiImagesServer]:
    """Return the fake of OpenAI."""
    server = OpenAiImagesServer(key=KEY)
    await server.start()
    yield server
    await server.close()


@asynccontextmanager
async def moderated(
    database: Database, folder: Path, server: OpenAiImagesServer, *, key: str = KEY, categories: tuple[str, ...]
) -> AsyncIterator[EngineHarness]:
    """Run an engine with moderation by some categories."""
    keys: dict[str, Any] = {
        "openai_api_key": key,
        "openai_api_url": f"{server.url}/v1",
        "prompt_moderation": categories,
    }
    async with engine_harness(database, folder, keys=keys) as harness:
        yield harness


async def test_prompt_of_a_chosen_category_fails_before_any_submit(
    sqlite_database: Database, tmp_path: Path, openai: OpenAiImagesServer
) -> None:
    async with moderated(sqlite_database, tmp_path, openai, categories=("violence", "sexual/minors")) as harness:
        job = await harness.create_job(request=make_request(prompt="a battle [violence]"))
        failed = await harness.wait_for_state(job.id, State.FAILED)
        assert (failed.fault, await read_held(harness), harness.count_submits()) == (FaultKind.MODERATION, 0, 0)
        (asked,) = openai.requests
        assert asked.body == {"model": "omni-moderation-latest", "input": "a battle [violence]"}
        assert await harness.run_audit() == []


@pytest.mark.parametrize("prompt", ["a lighthouse", "a battle [violence]"])
async def test_prompt_of_no_chosen_category_is_submitted(
    sqlite_database: Database, tmp_path: Path, openai: OpenAiImagesServer, prompt: str
) -> None:
    async with moderated(sqlite_database, tmp_path, openai, categories=("sexual",)) as harness:
        job = await harness.create_job(request=make_request(prompt=prompt))
        running = await harness.wait_for_state(job.id, State.QUEUED)
        assert running.prepared
        assert (len(openai.requests), harness.count_submits()) == (1, 1)


async def test_service_that_is_away_refuses_nothing(
    sqlite_database: Database, tmp_path: Path, openai: OpenAiImagesServer
) -> None:
    async with moderated(sqlite_database, tmp_path, openai, key="sk-wrong", categories=("violence",)) as harness:
        job = await harness.create_job(request=make_request(prompt="a battle [violence]"))
        await harness.wait_for_state(job.id, State.QUEUED)
        assert harness.count_submits() == 1


async def test_without_moderation_no_prompt_leaves(
    sqlite_database: Database, tmp_path: Path, openai: OpenAiImagesServer
) -> None:
    async with moderated(sqlite_database, tmp_path, openai, categories=()) as harness:
        job = await harness.create_job(request=make_request(prompt="a battle [violence]"))
        assert job.prepared
        await harness.wait_for_state(job.id, State.QUEUED)
        assert not openai.requests
