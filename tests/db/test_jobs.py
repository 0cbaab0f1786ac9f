from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from bot.domain.errors import (
    DuplicateInteractionError,
    FaultKind,
    JobNotFoundError,
    JobStateError,
    StaleJobError,
)
from bot.domain.fit import Fit
from bot.domain.images import ImageFile, ImageRef, InputImage
from bot.domain.jobs import Action, Job, Origin, State
from db.database import Database
from db.jobs import JobRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_job, make_request
from tests.support.ledger import adding


async def add(database: Database, *jobs: Job) -> None:
    """Insert jobs in one transaction."""
    await database.write(adding(*jobs))


async def get(database: Database, job: Job) -> Job:
    """Return the job as it is stored."""
    return await database.read(lambda connection: JobRepository(connection).get(job.id))


def on_jobs(step: Callable[[JobRepository], object]) -> Callable[[Connection], None]:
    """Return a transaction of one repository call."""

    def write(connection: Connection) -> None:
        step(JobRepository(connection))

    return write


async def test_job_is_read_back_unchanged(database: Database) -> None:
    later = START + timedelta(seconds=1.5)
    job = make_job(
        place=make_context(message_id=2**62, upload_limit=500 * 1024 * 1024, private=True, locale="pt-BR"),
        request=make_request(
            prompt="灯台 🗼 منارة e\u0301 'quoted'; --\n\ttwo lines",
            model="nano-banana-pro",
            aspect_ratio="9:16",
            images=3,
            format="webp",
            resolution="4K",
            upscale=3,
            remove_background=True,
            fit=Fit(width=1920, height=1080),
            effect="film grain",
            version="latest-fast",
            inputs=(
                InputImage(url="https://cdn.example/fox.png"),
                InputImage(
                    file=ImageFile(sha256="ab" * 32, media_type="image/webp", width=9, height=7, size=2**40),
                    parent=ImageRef(job_id="0f" * 16, position=3),
                ),
            ),
        ),
        origin=Origin(action=Action.EDIT, job_id="0f" * 16, position=3),
        prepared=False,
        deleted_at=later,
        state=State.FAILED,
        fence=7,
        tries=2,
        acknowledged_at=later,
        cancel_requested_at=later,
        cancel_refused=True,
        submitted_at=later,
        finished_at=later,
        delivered_at=later,
        provider="reve2img",
        fault=FaultKind.CONTENT,
        charged=0,
    )
    await add(database, job)
    assert await get(database, job) == job


async def test_get_missing_job_raises(database: Database) -> None:
    with pytest.raises(JobNotFoundError):
        await get(database, make_job())


async def test_add_second_job_of_interaction_raises_and_first_stays(database: Database) -> None:
    job = make_job()
    await add(database, job)
    again = make_job(place=job.place)
    with pytest.raises(DuplicateInteractionError):
        await add(database, again)
    assert await get(database, job) == job
    with pytest.raises(JobNotFoundError):
        await get(database, again)


async def test_add_with_other_conflict_raises_integrity_error(database: Database) -> None:
    job = make_job()
    await add(database, job)
    with pytest.raises(IntegrityError):
        await add(database, make_job(id=job.id))
    with pytest.raises(IntegrityError):
        await add(database, make_job(price=0))


async def test_database_errors_quote_neither_prompt_nor_token(database: Database) -> None:
    job = make_job()
    await add(database, job)
    secret = make_job(
        id=job.id, place=make_context(token="a-secret-token"), request=make_request(prompt="a private prompt")
    )
    with pytest.raises(IntegrityError) as caught:
        await add(database, secret)
    assert "a-secret-token" not in str(caught.value)
    assert "a private prompt" not in str(caught.value)


async def test_advance_writes_state_and_returns_job(database: Database) -> None:
    job = make_job()
    await add(database, job)
    moved = await database.write(
        lambda connection: JobRepository(connection).advance(job, State.SUBMITTING, provider="skillboss")
    )
    assert moved == replace(job, state=State.SUBMITTING, provider="skillboss")
    assert await get(database, job) == moved


async def test_advance_to_illegal_state_raises(database: Database) -> None:
    job = make_job()
    await add(database, job)
    with pytest.raises(JobStateError):
        await database.write(on_jobs(lambda jobs: jobs.advance(job, State.DONE)))
    assert await get(database, job) == job


async def test_advance_of_moved_job_raises_stale_and_writes_nothing(database: Database) -> None:
    job = make_job()
    await add(database, job)
    await database.write(on_jobs(lambda jobs: jobs.advance(job, State.SUBMITTING, provider="skillboss")))
    with pytest.raises(StaleJobError):
        await database.write(on_jobs(lambda jobs: jobs.advance(job, State.CANCELLED)))
    with pytest.raises(StaleJobError):
        await database.write(on_jobs(lambda jobs: jobs.note(job, cancel_refused=True)))
    assert (await get(database, job)).state is State.SUBMITTING


async def test_note_changes_columns_only(database: Database) -> None:
    job = make_job(state=State.RUNNING)
    await add(database, job)
    noted = await database.write(lambda connection: JobRepository(connection).note(job, cancel_refused=True))
    assert noted == replace(job, cancel_refused=True)
    assert await get(database, job) == noted


async def test_request_cancel_ignores_ended_jobs(database: Database) -> None:
    running = make_job(state=State.RUNNING)
    done = make_job(state=State.DONE, finished_at=START, charged=12)
    await add(database, running, done)
    for job in (running, done):
        await database.write(on_jobs(lambda jobs, job=job: jobs.request_cancel(job.id, START)))  # type: ignore[misc]
    assert (await get(database, running)).cancel_requested_at == START
    assert (await get(database, done)).cancel_requested_at is None


async def test_count_waiting_is_per_guild_and_count_live_is_global(database: Database) -> None:
    await add(
        database,
        make_job(),
        make_job(),
        make_job(place=make_context(member_id=MEMBER + 1)),
        make_job(place=make_context(guild_id=GUILD + 1)),
        make_job(state=State.SUBMITTING),
        make_job(state=State.STORING),
        make_job(state=State.DONE, finished_at=START, charged=12),
    )
    accounts = [(GUILD, MEMBER), (GUILD, MEMBER + 2)]
    waits = await database.read(lambda connection: JobRepository(connection).count_waiting(accounts))
    assert waits == {(GUILD, MEMBER): 2}
    assert await database.read(lambda connection: JobRepository(connection).count_live()) == (5, 1)


async def test_recent_durations_are_of_done_jobs_newest_first(database: Database) -> None:
    def ended(minute: int, seconds: float, **changes: Any) -> Job:
        submitted = START + timedelta(minutes=minute)
        values: dict[str, Any] = {"state": State.DONE, "submitted_at": submitted, "charged": 0, **changes}
        return make_job(finished_at=submitted + timedelta(seconds=seconds), **values)

    await add(
        database,
        ended(1, 10),
        ended(2, 20.5),
        ended(3, 30),
        ended(4, 99, state=State.FAILED),
        ended(5, 99, request=make_request(model="seedream-5")),
        ended(6, 99, submitted_at=None),
    )
    durations = await database.read(lambda connection: JobRepository(connection).recent_durations("reve-2.0", 2))
    assert list(durations) == [30.0, 20.5]
