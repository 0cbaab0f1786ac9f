"""Jobs kept between polls, and forgotten whenever anybody touches them."""

from pathlib import Path

import pytest

from bot.domain.jobs import State
from bot.engine.job_memory import JobMemory
from bot.engine.job_store import JobStore
from db.database import Database
from tests.engine.engine_harness import engine_harness
from tests.support.factories import make_attempt, make_job

JOB = make_job(state=State.RUNNING)
KEPT = (JOB, make_attempt(JOB))


def test_unchanged_job_is_kept_for_one_step() -> None:
    memory = JobMemory(is_alone=True)
    assert memory.begin(JOB.id) is None
    memory.end(JOB.id, KEPT)
    assert memory.begin(JOB.id) is KEPT
    memory.end(JOB.id)
    assert memory.begin(JOB.id) is None


def test_touched_job_is_forgotten() -> None:
    memory = JobMemory(is_alone=True)
    memory.begin(JOB.id)
    memory.end(JOB.id, KEPT)
    memory.forget(JOB.id)
    assert memory.begin(JOB.id) is None


def test_job_touched_during_its_step_is_not_kept() -> None:
    memory = JobMemory(is_alone=True)
    memory.begin(JOB.id)
    memory.forget(JOB.id)
    memory.end(JOB.id, KEPT)
    assert memory.begin(JOB.id) is None


def test_beside_other_processes_nothing_is_kept() -> None:
    memory = JobMemory(is_alone=False)
    memory.begin(JOB.id)
    memory.end(JOB.id, KEPT)
    assert memory.begin(JOB.id) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.engine.job_memory._MOST", 2)
    memory = JobMemory(is_alone=True)
    for name in ("1", "2", "3"):
        memory.begin(name)
        memory.end(name, KEPT)
    assert [memory.begin(name) is KEPT for name in ("1", "2", "3")] == [True, True, False]


async def test_waiting_job_is_read_once_and_polled_often(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    get = JobStore.get

    async def counted(store: JobStore, job_id: str) -> object:
        reads.append(job_id)
        return await get(store, job_id)

    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1.0)
        await harness.pass_time(10.0)
        monkeypatch.setattr(JobStore, "get", counted)
        before = len(harness.server.requests)
        await harness.run_rounds(step=10.0, rounds=5)
        assert len(harness.server.requests) >= before + 5
        assert len(reads) <= 1


async def test_cancel_of_a_kept_job_takes_effect(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1.0)
        await harness.run_rounds(step=10.0, rounds=2)
        await harness.cancel(job.id)
        await harness.settle()
        await harness.run_rounds(step=1.0, rounds=4)
        stored = await harness.read_job(job.id)
        assert stored.cancel_refused or stored.state is State.CANCELLED
