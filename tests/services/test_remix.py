"""Working with a card: who may, what an action starts from, what deleting takes away, and where a job came from."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text, update
from sqlalchemy.util import await_only

from bot.domain.errors import (
    AtelierError,
    ImageGoneError,
    JobDeletedError,
    JobNotFoundError,
    JobRunningError,
    JobStateError,
    NotAllowedError,
)
from bot.domain.jobs import Action, Delivery, Job, Origin, Picture, State
from bot.domain.remix import KEEP_AS_IT_IS
from bot.domain.requests import ImageFile, ImageRef, InputImage
from bot.services.history import HistoryService
from bot.services.jobs import Actor, require_files
from bot.services.remix import RemixOptions
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.tables import pictures
from tests.services.conftest import ServiceHarness
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request

ME = Actor(member_id=MEMBER, guild_id=GUILD)
STRANGER = Actor(member_id=MEMBER + 1, guild_id=GUILD)
MODERATOR = Actor(member_id=MEMBER + 2, guild_id=GUILD, moderator=True)


async def ended(desk: ServiceHarness, *, shown: int = 1, **changes: Any) -> tuple[Job, list[Picture]]:
    """Put an ended job with so many pictures into the database, paid as the books have it."""
    now = desk.clock.now()
    usual: dict[str, Any] = {"state": State.DONE, "finished_at": now, "delivered_at": now, "charged": 12}
    job = make_job(**(usual | changes))
    made = [make_image(job, position=at) for at in range(shown)]

    def write(connection: Connection) -> None:
        desk.ledger.hold(connection, job, lambda: JobRepository(connection).add(job), now)
        if job.charged is not None:
            desk.ledger.settle(connection, job, job.charged, "test", now)
        if made:
            ResultImageRepository(connection).add_all(made, now)

    await desk.database.write(write)
    return job, made


async def forget(desk: ServiceHarness) -> None:
    """Do as the end of the retention does with every picture."""
    gone = update(pictures).values(removed_at=desk.clock.now())
    await desk.database.write(lambda connection: connection.execute(gone))


def file_of(picture: Picture) -> ImageFile:
    """Return a picture as something to start from."""
    return ImageFile(
        sha256=picture.sha256,
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        size=picture.size,
    )


async def test_anybody_starts_from_a_public_card(desk: ServiceHarness) -> None:
    """A stranger's variation starts from the second picture, as the studio keeps it, and knows where it came from."""
    job, made = await ended(desk, shown=2, request=make_request(images=2))
    source = await desk.remix.get_source(job.id, STRANGER)
    request, origin = desk.remix.build_request(source, Action.VARY, RemixOptions(position=1, url="https://cdn/2"))
    assert origin == Origin(action=Action.VARY, job_id=job.id, position=1)
    assert request.inputs == (
        InputImage(url="https://cdn/2", file=file_of(made[1]), parent=ImageRef(job_id=job.id, position=1)),
    )


REFUSED: list[tuple[type[AtelierError], dict[str, Any]]] = [
    (JobRunningError, {"state": State.RUNNING, "finished_at": None, "delivered_at": None, "charged": None}),
    (NotAllowedError, {"place": make_context(private=True)}),
]


@pytest.mark.parametrize(("error", "job"), REFUSED, ids=[case[0].__name__ for case in REFUSED])
async def test_what_cannot_be_started_from(
    desk: ServiceHarness, error: type[AtelierError], job: dict[str, Any]
) -> None:
    """A job that is still being made, and another's private one."""
    made, _ = await ended(desk, **job)
    with pytest.raises(error):
        await desk.remix.get_source(made.id, STRANGER)


async def test_a_job_that_nobody_knows(desk: ServiceHarness) -> None:
    """Neither to start from, nor to delete, nor to tell of."""
    for call in (desk.remix.get_source, desk.remix.delete, desk.details.get):
        with pytest.raises(JobNotFoundError):
            await call("f" * 32, ME)


async def test_after_the_retention_the_message_has_the_picture(desk: ServiceHarness) -> None:
    """With the address that the message gives it can be fetched again; without one, that is said before all else."""
    job, _ = await ended(desk)
    await forget(desk)
    source = await desk.remix.get_source(job.id, ME)
    request, _ = desk.remix.build_request(
        source, Action.UPSCALE, RemixOptions(position=0, url="https://cdn/1", factor=2)
    )
    assert request.inputs == (InputImage(url="https://cdn/1", parent=ImageRef(job_id=job.id, position=0)),)
    with pytest.raises(ImageGoneError) as caught:
        desk.remix.build_request(source, Action.UPSCALE, RemixOptions(position=0, factor=2))
    assert caught.value.own


async def test_a_picture_given_up_between_press_and_hold(desk: ServiceHarness) -> None:
    """What the store has no more when the credits would be held is refused then; nothing is held."""
    job, _ = await ended(desk)
    request, origin = desk.remix.build_request(
        await desk.remix.get_source(job.id, ME), Action.VARY, RemixOptions(position=0)
    )
    await forget(desk)
    with pytest.raises(ImageGoneError):
        await desk.generation.create(make_context(), request, origin=origin)
    assert (await desk.account()).held == 0


async def test_the_same_again_finds_its_picture_as_the_studios_own(desk: ServiceHarness) -> None:
    """What an edit started from is gone from its inputs, but the job that had made it keeps it."""
    parent, (picture,) = await ended(desk)
    ref = ImageRef(job_id=parent.id, position=0)
    child, _ = await ended(desk, request=make_request(inputs=(InputImage(parent=ref),)))
    source = await desk.remix.get_source(child.id, ME)
    request, origin = desk.remix.build_request(source, Action.AGAIN, RemixOptions())
    assert request.inputs == (InputImage(file=file_of(picture), parent=ref),)
    assert origin == Origin(action=Action.AGAIN, job_id=child.id)
    await forget(desk)
    with pytest.raises(ImageGoneError) as caught:
        desk.remix.build_request(await desk.remix.get_source(child.id, ME), Action.AGAIN, RemixOptions())
    assert not caught.value.own


async def test_an_enlarged_picture_is_varied_by_the_words_that_painted_it(desk: ServiceHarness) -> None:
    """The instruction that keeps a picture as it is would make no variation."""
    first, _ = await ended(desk, request=make_request(prompt="a fox", detail=2))
    second, _ = await ended(
        desk,
        request=make_request(prompt=KEEP_AS_IT_IS, upscale=2),
        origin=Origin(action=Action.UPSCALE, job_id=first.id, position=0),
    )
    request, _ = desk.remix.build_request(
        await desk.remix.get_source(second.id, ME), Action.VARY, RemixOptions(position=0)
    )
    assert (request.prompt, request.detail, request.upscale) == ("a fox", 2, None)
    assert request.inputs[0].parent == ImageRef(job_id=second.id, position=0)


async def test_a_failed_job_is_only_made_again(desk: ServiceHarness) -> None:
    """It has no picture to start from."""
    job, _ = await ended(desk, shown=0, state=State.FAILED, charged=0)
    source = await desk.remix.get_source(job.id, ME)
    assert desk.remix.build_request(source, Action.AGAIN, RemixOptions())[0] == job.request
    with pytest.raises(JobStateError):
        desk.remix.build_request(source, Action.VARY, RemixOptions(position=0))


def stored(desk: ServiceHarness, sha256: str) -> Path:
    """Put a file into the store that has been there for a while."""
    path = desk.store.path(sha256, "image/png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a picture")
    long_ago = (desk.clock.now() - timedelta(hours=1)).timestamp()
    os.utime(path, (long_ago, long_ago))
    return path


async def test_deleting_takes_the_files_that_nothing_else_needs(desk: ServiceHarness) -> None:
    """Of two deleted pictures, one is what another job started from: that file stays, the other is gone at once."""
    job, (picture,) = await ended(desk)
    parent, (used,) = await ended(desk)
    start = InputImage(file=file_of(used), parent=ImageRef(job_id=parent.id, position=0))
    child, _ = await ended(desk, request=make_request(inputs=(start,)))
    files = [stored(desk, each.sha256) for each in (used, picture)]
    for each in (job, parent):
        await desk.remix.delete(each.id, ME)
    assert [path.exists() for path in files] == [True, False]
    with pytest.raises(JobDeletedError):
        await desk.remix.get_source(job.id, ME)
    page = await HistoryService(database=desk.database).latest(GUILD, MEMBER)
    assert page is not None
    assert (page.job.id, page.older) == (child.id, False)
    source = await desk.remix.get_source(child.id, ME)
    assert source.inputs == (start,)


async def test_a_file_that_somebody_begins_to_use_is_not_taken(desk: ServiceHarness) -> None:
    """A picture is deleted while a job that starts from it is being written: of two processes, the later one waits."""
    parent, (used,) = await ended(desk)
    file = stored(desk, used.sha256)
    start = InputImage(file=file_of(used), parent=ImageRef(job_id=parent.id, position=0))
    child = make_job(request=make_request(inputs=(start,)))
    written, go = asyncio.Event(), asyncio.Event()

    def write(connection: Connection) -> None:
        require_files(connection, child.request.inputs)
        desk.ledger.hold(connection, child, lambda: JobRepository(connection).add(child), desk.clock.now())
        written.set()
        if several:
            await_only(go.wait())

    several = desk.database.dialect == "postgresql"
    making = asyncio.create_task(desk.database.write(write))
    await written.wait()
    deleting = asyncio.create_task(desk.remix.delete(parent.id, ME))
    while several and not deleting.done() and not await waiting(desk):
        pass
    go.set()
    await asyncio.gather(making, deleting)
    assert file.exists()


async def waiting(desk: ServiceHarness) -> int:
    """Return how many transactions wait for another one."""
    waiters = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return await desk.database.read(lambda connection: connection.execute(waiters).scalar_one())


async def test_who_may_delete(desk: ServiceHarness) -> None:
    """Its member and moderators, once it has ended; a second time changes nothing."""
    job, _ = await ended(desk)
    with pytest.raises(NotAllowedError):
        await desk.remix.delete(job.id, STRANGER)
    await desk.remix.delete(job.id, MODERATOR)
    first = (await held(desk, job.id)).deleted_at
    desk.clock.advance(60)
    await desk.remix.delete(job.id, ME)
    assert (await held(desk, job.id)).deleted_at == first
    running, _ = await ended(desk, state=State.RUNNING, finished_at=None, delivered_at=None, charged=None)
    with pytest.raises(JobRunningError):
        await desk.remix.delete(running.id, ME)


async def test_a_deleted_job_has_nothing_to_deliver(desk: ServiceHarness) -> None:
    """Deleted before its end was shown, it is never shown; and its provider is not asked any more."""
    now = desk.clock.now()
    job, _ = await ended(desk, shown=0, state=State.LOST, charged=0, delivered_at=None, reconcile_at=now)
    await desk.remix.delete(job.id, ME)
    kept = await held(desk, job.id)
    assert (kept.delivered_at, kept.delivery, kept.reconcile_at) == (now, Delivery.NOWHERE, None)
    again = await desk.database.write(lambda connection: JobRepository(connection).schedule_reconciliation(job.id, now))
    assert not again


async def test_details_tell_where_a_job_came_from(desk: ServiceHarness) -> None:
    """The steps back, the latest first, past a job that was deleted; and how many were made from it."""
    first, _ = await ended(desk)
    second, _ = await ended(desk, origin=Origin(action=Action.VARY, job_id=first.id, position=0))
    third, _ = await ended(desk, origin=Origin(action=Action.UPSCALE, job_id=second.id, position=0))
    await desk.remix.delete(second.id, ME)
    details = await desk.details.get(third.id, ME)
    assert [(link.origin.action, link.job and link.job.id) for link in details.chain] == [
        (Action.UPSCALE, second.id),
        (Action.VARY, first.id),
    ]
    assert details.chain[0].job is not None
    assert details.chain[0].job.deleted_at is not None
    assert (details.children, details.pictures) == (0, 1)
    assert (await desk.details.get(first.id, ME)).children == 0
    with pytest.raises(JobDeletedError):
        await desk.details.get(second.id, ME)
    page = await HistoryService(database=desk.database).latest(GUILD, MEMBER)
    assert page is not None
    assert page.chain == details.chain


async def test_a_parent_whose_records_are_gone(desk: ServiceHarness) -> None:
    """The chain ends there, and says that there was one."""
    origin = Origin(action=Action.EDIT, job_id="e" * 32, position=1)
    job, _ = await ended(desk, origin=origin)
    (link,) = (await desk.details.get(job.id, STRANGER)).chain
    assert (link.origin, link.job) == (origin, None)


@pytest.mark.parametrize(("actor", "own"), [(ME, True), (MODERATOR, True), (STRANGER, False)])
async def test_price_and_ids_are_for_member_and_moderators(desk: ServiceHarness, actor: Actor, own: bool) -> None:  # noqa: FBT001
    """Everybody who sees a card may know how it was made; what it cost is not everybody's."""
    job, _ = await ended(desk)
    assert (await desk.details.get(job.id, actor)).own is own


async def held(desk: ServiceHarness, job_id: str) -> Job:
    """Return a job as the database has it."""
    return await desk.database.read(lambda connection: JobRepository(connection).get(job_id))
