from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
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
from bot.domain.jobs import Action, Delivery, Job, Origin, State
from bot.domain.requests import ImageFile, ImageRef, InputImage
from db.database import Database
from db.fair_share import FairShareRepository
from db.jobs import JobRepository
from db.queue import QueueRepository
from db.workers import WorkerRepository
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_job, make_request
from tests.support.ledger import adding

ANNA, BERT, CLEO = 1, 2, 3


async def add(database: Database, *jobs: Job) -> None:
    """Store jobs in one transaction."""
    await database.write(adding(*jobs))


async def get(database: Database, job: Job) -> Job:
    """Return the job as it is stored."""
    return await database.read(lambda connection: JobRepository(connection).get(job.id))


def on_jobs(step: Callable[[JobRepository], object]) -> Callable[[Connection], None]:
    """Return a transaction that makes one call."""

    def write(connection: Connection) -> None:
        step(JobRepository(connection))

    return write


def waiting(member: int, minute: int, *, guild: int = GUILD, **changes: Any) -> Job:
    """Return a job that waits for a slot since `minute`."""
    at = START + timedelta(minutes=minute)
    place = make_context(member_id=member, guild_id=guild)
    return make_job(place=place, created_at=at, due_at=at, acknowledged_at=at, **changes)


async def test_a_job_comes_back_as_it_went_in(database: Database) -> None:
    """Every field of a job survives the database, whatever the prompt is written in."""
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


async def test_a_missing_job_is_an_error(database: Database) -> None:
    """`get` raises rather than giving None."""
    with pytest.raises(JobNotFoundError):
        await get(database, make_job())


async def test_an_interaction_makes_one_job(database: Database) -> None:
    """Discord may deliver an interaction twice: the second job is refused, and the first stays as it is."""
    job = make_job()
    await add(database, job)
    again = make_job(place=job.place)
    with pytest.raises(DuplicateInteractionError):
        await add(database, again)
    assert await get(database, job) == job
    with pytest.raises(JobNotFoundError):
        await get(database, again)


async def test_another_conflict_is_not_taken_for_a_second_delivery(database: Database) -> None:
    """A fault of ours, such as an id used twice or a price of nothing, is reported as what it is."""
    job = make_job()
    await add(database, job)
    with pytest.raises(IntegrityError):
        await add(database, make_job(id=job.id))
    with pytest.raises(IntegrityError):
        await add(database, make_job(price=0))


async def test_errors_tell_no_prompt_and_no_token(database: Database) -> None:
    """An error's text goes to logs, so it does not quote what was to be written."""
    job = make_job()
    await add(database, job)
    secret = make_job(
        id=job.id, place=make_context(token="a-secret-token"), request=make_request(prompt="a private wish")
    )
    with pytest.raises(IntegrityError) as caught:
        await add(database, secret)
    assert "a-secret-token" not in str(caught.value)
    assert "a private wish" not in str(caught.value)


async def test_a_legal_step_is_taken(database: Database) -> None:
    """`advance` writes the state and what came with it, and gives the job back as it is now."""
    job = make_job()
    await add(database, job)
    moved = await database.write(
        lambda connection: JobRepository(connection).advance(job, State.SUBMITTING, provider="skillboss")
    )
    assert moved == replace(job, state=State.SUBMITTING, provider="skillboss")
    assert await get(database, job) == moved


async def test_an_illegal_step_is_refused(database: Database) -> None:
    """A job cannot be done before it was submitted."""
    job = make_job()
    await add(database, job)
    with pytest.raises(JobStateError):
        await database.write(on_jobs(lambda jobs: jobs.advance(job, State.DONE)))
    assert await get(database, job) == job


async def test_only_one_of_two_takes_the_step(database: Database) -> None:
    """Who read the job before somebody else moved it is stale, and writes nothing."""
    job = make_job()
    await add(database, job)
    await database.write(on_jobs(lambda jobs: jobs.advance(job, State.SUBMITTING, provider="skillboss")))
    with pytest.raises(StaleJobError):
        await database.write(on_jobs(lambda jobs: jobs.advance(job, State.CANCELLED)))
    with pytest.raises(StaleJobError):
        await database.write(on_jobs(lambda jobs: jobs.note(job, cancel_refused=True)))
    assert (await get(database, job)).state is State.SUBMITTING


async def test_a_note_stays_in_the_state(database: Database) -> None:
    """`note` changes columns only."""
    job = make_job(state=State.RUNNING)
    await add(database, job)
    noted = await database.write(lambda connection: JobRepository(connection).note(job, cancel_refused=True))
    assert noted == replace(job, cancel_refused=True)
    assert await get(database, job) == noted


async def test_taking_over_shuts_the_earlier_process_out(database: Database) -> None:
    """The fence of each job of a worker that is gone is raised: the new owner may go on, the old one is rejected."""
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
async def test_a_living_worker_gives_up_only_what_may_be_done_twice(database: Database, state: State) -> None:
    """A job may be adopted while it waits or is only asked about; not while money or pictures are under way."""
    job = make_job(state=state, owner="first")
    await add(database, job)
    adoptable = state in (State.HELD, State.UNKNOWN, State.QUEUED, State.RUNNING)
    for expected in (adoptable, False):  # by the second time it is adopted, or still cannot be
        assert await database.write(lambda connection: JobRepository(connection).adopt(job.id, "second")) is expected
    assert await get(database, job) == (replace(job, owner="second", fence=2) if adoptable else job)


async def test_who_was_served_longest_ago_comes_first(database: Database) -> None:
    """With fewer slots than members, one who asked for much early does not keep the others waiting."""
    anna = [waiting(ANNA, minute) for minute in (0, 1)]
    bert, cleo = waiting(BERT, 2), waiting(CLEO, 3)
    await add(database, *anna, bert, cleo)
    for served, expected in ((anna[0], (bert, cleo, anna[0])), (bert, (cleo, anna[0], bert))):
        at = START + timedelta(minutes=served.created_at.minute)

        def serve(connection: Connection, job: Job = served, at: datetime = at) -> None:
            FairShareRepository(connection).record_served([job], at)

        await database.write(serve)
        assert (await line_of(database))[:3] == tuple(job.id for job in expected)


async def test_communities_take_turns(database: Database) -> None:
    """A community of many does not keep a small one waiting."""
    many = [waiting(member, 0) for member in (ANNA, BERT, CLEO)]
    small = waiting(ANNA, 1, guild=GUILD + 1)
    await add(database, *many, small)
    assert await line_of(database) == tuple(job.id for job in (many[0], small, many[1], many[2]))


async def test_an_acknowledgement_is_noted_once(database: Database) -> None:
    """The first acknowledgement counts; a repeated one does not move the message."""
    job = make_job()
    await add(database, job)
    later = START + timedelta(seconds=2)
    await database.write(on_jobs(lambda jobs: jobs.set_acknowledged(job.id, 5, START)))
    await database.write(on_jobs(lambda jobs: jobs.set_acknowledged(job.id, 6, later)))
    assert await get(database, job) == replace(job, acknowledged_at=START, place=replace(job.place, message_id=5))


async def test_a_delivery_is_noted_once(database: Database) -> None:
    """A job is its owner's to deliver from its end to its delivery, whose first time and place stay."""
    live = make_job(state=State.RUNNING, owner="me")
    first, second = (make_job(state=State.FAILED, finished_at=START, charged=0, owner="me") for _ in range(2))
    await add(database, second, live, first, make_job(owner="another"))

    async def owned() -> tuple[tuple[str, ...], set[str]]:
        live, undelivered = await database.read(lambda connection: JobRepository(connection).list_owned("me"))
        return live, set(undelivered)

    assert await owned() == ((live.id,), {first.id, second.id})
    await database.write(on_jobs(lambda jobs: jobs.set_delivered(first.id, START, Delivery.DIRECT)))
    await database.write(on_jobs(lambda jobs: jobs.set_delivered(first.id, START + timedelta(hours=1))))
    assert await owned() == ((live.id,), {second.id})
    assert await get(database, first) == replace(first, delivered_at=START, delivery=Delivery.DIRECT)


async def test_only_live_jobs_can_be_asked_to_stop(database: Database) -> None:
    """A wish to cancel is noted on a job under way and ignored on one that has ended."""
    running = make_job(state=State.RUNNING)
    done = make_job(state=State.DONE, finished_at=START, charged=12)
    await add(database, running, done)
    for job in (running, done):
        await database.write(on_jobs(lambda jobs, job=job: jobs.request_cancel(job.id, START)))  # type: ignore[misc]
    assert (await get(database, running)).cancel_requested_at == START
    assert (await get(database, done)).cancel_requested_at is None


async def line_of(database: Database) -> tuple[str, ...]:
    """Return the ids of those that wait, in order."""
    line = await database.read(lambda connection: QueueRepository(connection).list_first(9))
    places = [
        await database.read(lambda connection, job_id=job_id: QueueRepository(connection).position_of(job_id))  # type: ignore[misc]
        for job_id, _ in line
    ]
    assert places == list(range(1, len(line) + 1))
    return tuple(job_id for job_id, _ in line)


async def test_members_take_turns(database: Database) -> None:
    """Each member's oldest job comes before anybody's second one, however many one of them has sent."""
    anna = [waiting(ANNA, minute) for minute in (0, 1, 2)]
    bert = [waiting(BERT, minute) for minute in (3, 4)]
    cleo = waiting(CLEO, 5)
    await add(database, *anna, *bert, cleo)
    expected = (anna[0], bert[0], cleo, anna[1], bert[1], anna[2])
    line = await line_of(database)
    assert line == tuple(job.id for job in expected)
    now = START + timedelta(hours=1)
    claimable = await database.read(lambda connection: QueueRepository(connection).list_claimable(now, 9, 9))
    assert claimable == expected


async def test_who_has_jobs_at_a_provider_waits_longer(database: Database) -> None:
    """Jobs that take a slot count as turns already had, and the limit a member counts them too."""
    at_provider = waiting(ANNA, 0, state=State.RUNNING)
    unknown = waiting(ANNA, 0, state=State.UNKNOWN)
    anna, bert, bert_again = waiting(ANNA, 1), waiting(BERT, 2), waiting(BERT, 3)
    await add(database, at_provider, unknown, anna, bert, bert_again)
    line = await line_of(database)
    assert line == (bert.id, bert_again.id, anna.id)
    now = START + timedelta(hours=1)
    of_two = await database.read(lambda connection: QueueRepository(connection).list_claimable(now, 2, 9))
    assert of_two == (bert, bert_again)
    of_one = await database.read(lambda connection: QueueRepository(connection).list_claimable(now, 1, 9))
    assert of_one == (bert,)


async def test_a_member_of_two_communities_has_a_turn_in_each(database: Database) -> None:
    """Turns are counted within a community."""
    here = waiting(ANNA, 0)
    here_again = waiting(ANNA, 1)
    there = waiting(ANNA, 2, guild=GUILD + 1)
    await add(database, here, here_again, there)
    line = await line_of(database)
    assert line == (here.id, there.id, here_again.id)


async def test_the_line_holds_only_who_can_go(database: Database) -> None:
    """Not in line: no card yet, asked to stop, already under way, ended. Not claimable either: not due yet."""
    unseen = make_job(place=make_context(member_id=ANNA))
    stopping = waiting(BERT, 0, cancel_requested_at=START)
    failed = waiting(CLEO, 0, state=State.FAILED, finished_at=START, charged=0)
    backing_off = replace(waiting(4, 0), due_at=START + timedelta(minutes=9))
    due = waiting(5, 1)
    await add(database, unseen, stopping, failed, backing_off, due)

    def read(connection: Connection) -> tuple[tuple[str, ...], tuple[Job, ...], tuple[Job, ...]]:
        line = QueueRepository(connection)
        now = START + timedelta(minutes=5)
        return (
            tuple(job_id for job_id, _ in line.list_first(9)),
            line.list_claimable(now, 3, 9),
            line.list_claimable(now + timedelta(minutes=4), 3, 1),
        )

    line, now_claimable, later_first = await database.read(read)
    assert line == (backing_off.id, due.id)
    assert now_claimable == (due,)
    assert later_first == (backing_off,)


async def test_so_many_are_taken_over_at_a_time(database: Database) -> None:
    """The next call takes the next ones, until there are none."""
    await database.write(lambda connection: WorkerRepository(connection).renew("new", START, START))
    await add(database, *(make_job() for _ in range(5)))
    counts = [
        len(await database.write(lambda connection: JobRepository(connection).take_over("new", 2))) for _ in range(4)
    ]
    assert counts == [2, 2, 1, 0]


async def test_the_next_due_time_is_that_of_who_waits(database: Database) -> None:
    """It is after the moment asked about, of a job that waits for a slot, and aware."""
    soon, later = START + timedelta(seconds=4), START + timedelta(seconds=8)
    await add(
        database,
        waiting(ANNA, 0),
        make_job(due_at=later),
        make_job(due_at=soon),
        make_job(state=State.RUNNING, due_at=START + timedelta(seconds=1)),
    )
    assert await database.read(lambda connection: QueueRepository(connection).next_due(START)) == soon
    assert await database.read(lambda connection: QueueRepository(connection).next_due(soon)) == later
    assert await database.read(lambda connection: QueueRepository(connection).next_due(later)) is None


async def test_waiting_and_live_jobs_are_counted(database: Database) -> None:
    """A member's line counts in this community only; the studio's counts tell waiting from under way."""
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
    waits = await database.read(lambda connection: JobRepository(connection).count_waiting(GUILD, MEMBER))
    assert waits == 2
    assert await database.read(lambda connection: JobRepository(connection).count_live()) == (4, 2)


async def test_tokens_of_old_jobs_are_erased(database: Database) -> None:
    """Interaction tokens are secrets: once dead, they leave the database, and younger ones stay."""
    old = make_job(created_at=START - timedelta(minutes=16))
    young = make_job(created_at=START - timedelta(minutes=14))
    await add(database, old, young)
    await database.write(on_jobs(lambda jobs: jobs.erase_tokens(START - timedelta(minutes=15))))
    assert (await get(database, old)).place.token is None
    assert (await get(database, young)).place.token == young.place.token


async def test_recent_durations_are_those_of_finished_jobs(database: Database) -> None:
    """Seconds from submit to end, newest first, of this model and of jobs that were done."""

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
