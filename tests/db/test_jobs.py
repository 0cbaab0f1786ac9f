from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from operator import methodcaller
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
from bot.domain.jobs import Action, Delivery, Job, Origin, State
from db.database import Database
from db.jobs import DeliveredJob, JobRepository, PostedCard
from db.workers import WorkerRepository
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


async def test_take_over_raises_fence_and_old_owner_is_rejected(database: Database) -> None:
    await database.write(lambda connection: WorkerRepository(connection).renew("alive", START, START))
    held, running = make_job(), make_job(state=State.RUNNING, created_at=START + timedelta(seconds=1), owner="gone")
    ended = make_job(state=State.DONE, finished_at=START, charged=12, created_at=START + timedelta(seconds=2))
    delivered = replace(make_job(), state=State.DONE, finished_at=START, charged=12, delivered_at=START)
    others = make_job(owner="alive")
    await add(database, ended, running, held, delivered, others)

    taken = await database.write(lambda connection: JobRepository(connection).take_over("new", 9))
    assert taken == tuple(replace(job, fence=2, owner="new") for job in (held, running, ended))
    assert await get(database, delivered) == delivered
    assert await get(database, others) == others

    with pytest.raises(StaleJobError):
        await database.write(on_jobs(lambda jobs: jobs.advance(running, State.STORING)))
    await database.write(on_jobs(lambda jobs: jobs.advance(taken[1], State.STORING)))
    assert await get(database, running) == replace(taken[1], state=State.STORING)


@pytest.mark.parametrize("state", State)
async def test_adopt_takes_only_jobs_in_repeatable_states(database: Database, state: State) -> None:
    job = make_job(state=state, owner="first")
    await add(database, job)
    adoptable = state in (State.HELD, State.UNKNOWN, State.QUEUED, State.RUNNING)
    for expected in (adoptable, False):  # by the second time it is adopted, or still cannot be
        assert await database.write(lambda connection: JobRepository(connection).adopt(job.id, "second")) is expected
    assert await get(database, job) == (replace(job, owner="second", fence=2) if adoptable else job)


async def test_second_acknowledgement_keeps_first_time_and_message(database: Database) -> None:
    job = make_job()
    await add(database, job)
    later = START + timedelta(seconds=2)
    await database.write(
        on_jobs(lambda jobs: jobs.set_acknowledged([PostedCard(job_id=job.id, message_id=5, at=START)]))
    )
    await database.write(
        on_jobs(lambda jobs: jobs.set_acknowledged([PostedCard(job_id=job.id, message_id=6, at=later)]))
    )
    assert await get(database, job) == replace(job, acknowledged_at=START, place=replace(job.place, message_id=5))


async def test_second_delivery_keeps_first_time_and_channel(database: Database) -> None:
    live = make_job(state=State.RUNNING, owner="me")
    first, second = (make_job(state=State.FAILED, finished_at=START, charged=0, owner="me") for _ in range(2))
    await add(database, second, live, first, make_job(owner="another"))

    async def owned() -> tuple[tuple[str, ...], set[str]]:
        live, undelivered = await database.read(lambda connection: JobRepository(connection).list_owned("me"))
        return live, set(undelivered)

    assert await owned() == ((live.id,), {first.id, second.id})
    early = DeliveredJob(job_id=first.id, at=START, delivery=Delivery.DIRECT)
    await database.write(on_jobs(methodcaller("set_delivered", [early])))
    late = DeliveredJob(job_id=first.id, at=START + timedelta(hours=1))
    await database.write(on_jobs(methodcaller("set_delivered", [late])))
    assert await owned() == ((live.id,), {second.id})
    assert await get(database, first) == replace(first, delivered_at=START, delivery=Delivery.DIRECT)


async def test_request_cancel_ignores_ended_jobs(database: Database) -> None:
    running = make_job(state=State.RUNNING)
    done = make_job(state=State.DONE, finished_at=START, charged=12)
    await add(database, running, done)
    for job in (running, done):
        await database.write(on_jobs(lambda jobs, job=job: jobs.request_cancel(job.id, START)))  # type: ignore[misc]
    assert (await get(database, running)).cancel_requested_at == START
    assert (await get(database, done)).cancel_requested_at is None


async def test_take_over_respects_its_limit(database: Database) -> None:
    await database.write(lambda connection: WorkerRepository(connection).renew("new", START, START))
    await add(database, *(make_job() for _ in range(5)))
    counts = [
        len(await database.write(lambda connection: JobRepository(connection).take_over("new", 2))) for _ in range(4)
    ]
    assert counts == [2, 2, 1, 0]


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


async def test_erase_tokens_erases_old_tokens_only(database: Database) -> None:
    old = make_job(created_at=START - timedelta(minutes=16))
    young = make_job(created_at=START - timedelta(minutes=14))
    await add(database, old, young)
    await database.write(on_jobs(lambda jobs: jobs.erase_tokens(START - timedelta(minutes=15))))
    assert (await get(database, old)).place.token is None
    assert (await get(database, young)).place.token == young.place.token


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
