"""Actions on an ended job: permission, sources, deletion and lineage."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text, update
from sqlalchemy.util import await_only

from bot.domain.costs import Cost, CostSource, usd
from bot.domain.errors import (
    AtelierError,
    ImageGoneError,
    JobDeletedError,
    JobNotFoundError,
    JobRunningError,
    JobStateError,
    NotAllowedError,
    PromptError,
    PromptProblem,
)
from bot.domain.images import ImageRef, InputImage, ResultImage
from bot.domain.jobs import Action, Delivery, Job, Origin, State
from bot.domain.requests import KEEP_AS_IT_IS
from bot.engine.holds import hold_job
from bot.engine.settlements import Settlement, settle
from bot.services.deletion_register import DeletionRegister
from bot.services.history import Selection
from bot.services.job_creation import require_files
from bot.services.jobs import Actor
from bot.services.remix import RemixOptions
from db.attempts import AttemptRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.prompts import PromptRepository
from db.reconciliations import ReconciliationRepository
from db.tables import pictures
from tests.services.conftest import ServiceHarness
from tests.support.factories import GUILD, MEMBER, make_attempt, make_context, make_image, make_job, make_request

ME = Actor(member_id=MEMBER, guild_id=GUILD)
STRANGER = Actor(member_id=MEMBER + 1, guild_id=GUILD)
MODERATOR = Actor(member_id=MEMBER + 2, guild_id=GUILD, moderator=True)

COST = usd(Decimal("0.04"), CostSource.TABLE)


async def ended(services: ServiceHarness, *, shown: int = 1, **changes: Any) -> tuple[Job, list[ResultImage]]:
    """Insert a paid, ended job with some images."""
    now = services.clock.now()
    usual: dict[str, Any] = {"state": State.DONE, "finished_at": now, "delivered_at": now, "charged": 12}
    job = make_job(**(usual | changes))
    made = [make_image(job, position=at) for at in range(shown)]

    def write(connection: Connection) -> None:
        hold_job(services.ledger, connection, job)
        if job.charged is not None:
            settle(services.ledger, connection, Settlement(job=job, charge=job.charged, reason="test", at=now))
        if made:
            ResultImageRepository(connection).add_all(made, now)

    await services.database.write(write)
    return job, made


async def remove_images(services: ServiceHarness) -> None:
    """Remove every image, as at the end of its retention."""
    gone = update(pictures).values(removed_at=services.clock.now())
    await services.database.write(lambda connection: connection.execute(gone))


async def test_stranger_may_vary_image_of_public_job(services: ServiceHarness) -> None:
    job, made = await ended(services, shown=2, request=make_request(images=2))
    source = await services.remix.get_source(job.id, STRANGER)
    request, origin = services.remix.build_request(source, Action.VARY, RemixOptions(position=1, url="https://cdn/2"))
    assert origin == Origin(action=Action.VARY, job_id=job.id, position=1)
    assert request.inputs == (
        InputImage(url="https://cdn/2", file=made[1].file, parent=ImageRef(job_id=job.id, position=1)),
    )


REFUSED: list[tuple[type[AtelierError], dict[str, Any]]] = [
    (JobRunningError, {"state": State.RUNNING, "finished_at": None, "delivered_at": None, "charged": None}),
    (NotAllowedError, {"place": make_context(private=True)}),
]


@pytest.mark.parametrize(("error", "job"), REFUSED, ids=[case[0].__name__ for case in REFUSED])
async def test_get_source_of_running_or_private_job_raises(
    services: ServiceHarness, error: type[AtelierError], job: dict[str, Any]
) -> None:
    made, _ = await ended(services, **job)
    with pytest.raises(error):
        await services.remix.get_source(made.id, STRANGER)


async def test_unknown_job_raises_not_found(services: ServiceHarness) -> None:
    for call in (services.remix.get_source, services.remix.delete, services.details.get):
        with pytest.raises(JobNotFoundError):
            await call("f" * 32, ME)


async def test_removed_image_needs_an_address_from_the_message(services: ServiceHarness) -> None:
    job, _ = await ended(services)
    await remove_images(services)
    source = await services.remix.get_source(job.id, ME)
    request, _ = services.remix.build_request(
        source, Action.UPSCALE, RemixOptions(position=0, url="https://cdn/1", factor=2)
    )
    assert request.inputs == (InputImage(url="https://cdn/1", parent=ImageRef(job_id=job.id, position=0)),)
    with pytest.raises(ImageGoneError) as caught:
        services.remix.build_request(source, Action.UPSCALE, RemixOptions(position=0, factor=2))
    assert caught.value.own


async def test_create_with_file_deleted_meanwhile_raises_and_holds_nothing(services: ServiceHarness) -> None:
    job, _ = await ended(services)
    request, origin = services.remix.build_request(
        await services.remix.get_source(job.id, ME), Action.VARY, RemixOptions(position=0)
    )
    await remove_images(services)
    with pytest.raises(ImageGoneError):
        await services.jobs.create(make_context(), request, origin=origin)
    assert (await services.account()).held == 0


async def test_again_uses_parent_image_when_own_input_was_removed(services: ServiceHarness) -> None:
    parent, (picture,) = await ended(services)
    ref = ImageRef(job_id=parent.id, position=0)
    child, _ = await ended(services, request=make_request(inputs=(InputImage(parent=ref),)))
    source = await services.remix.get_source(child.id, ME)
    request, origin = services.remix.build_request(source, Action.AGAIN, RemixOptions())
    assert request.inputs == (InputImage(file=picture.file, parent=ref),)
    assert origin == Origin(action=Action.AGAIN, job_id=child.id)
    await remove_images(services)
    with pytest.raises(ImageGoneError) as caught:
        services.remix.build_request(await services.remix.get_source(child.id, ME), Action.AGAIN, RemixOptions())
    assert not caught.value.own


async def test_vary_of_upscaled_image_uses_original_prompt(services: ServiceHarness) -> None:
    first, _ = await ended(services, request=make_request(prompt="a fox", detail=2))
    second, _ = await ended(
        services,
        request=make_request(prompt=KEEP_AS_IT_IS, upscale=2),
        origin=Origin(action=Action.UPSCALE, job_id=first.id, position=0),
    )
    request, _ = services.remix.build_request(
        await services.remix.get_source(second.id, ME), Action.VARY, RemixOptions(position=0)
    )
    assert (request.prompt, request.detail, request.upscale) == ("a fox", 2, None)
    assert request.inputs[0].parent == ImageRef(job_id=second.id, position=0)


async def test_failed_job_allows_only_again(services: ServiceHarness) -> None:
    job, _ = await ended(services, shown=0, state=State.FAILED, charged=0)
    source = await services.remix.get_source(job.id, ME)
    assert services.remix.build_request(source, Action.AGAIN, RemixOptions())[0] == job.request
    with pytest.raises(JobStateError):
        services.remix.build_request(source, Action.VARY, RemixOptions(position=0))


def stored(services: ServiceHarness, sha256: str) -> Path:
    """Store an old file."""
    path = services.store.path(sha256, "image/png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a picture")
    long_ago = (services.clock.now() - timedelta(hours=1)).timestamp()
    os.utime(path, (long_ago, long_ago))
    return path


async def test_delete_removes_files_without_other_references(services: ServiceHarness) -> None:
    job, (picture,) = await ended(services)
    parent, (used,) = await ended(services)
    start = InputImage(file=used.file, parent=ImageRef(job_id=parent.id, position=0))
    child, _ = await ended(services, request=make_request(inputs=(start,)))
    files = [stored(services, each.file.sha256) for each in (used, picture)]
    for each in (job, parent):
        await services.remix.delete(each.id, ME)
    assert [path.exists() for path in files] == [True, False]
    with pytest.raises(JobDeletedError):
        await services.remix.get_source(job.id, ME)
    overview = await services.history.open(GUILD, MEMBER)
    assert overview is not None
    assert [entry.job.id for entry in overview.entries] == [child.id]
    source = await services.remix.get_source(child.id, ME)
    assert source.inputs == (start,)


async def test_delete_waits_for_concurrent_use_of_its_file(services: ServiceHarness) -> None:
    """Two processes: the job starting from the file commits first."""
    parent, (used,) = await ended(services)
    file = stored(services, used.file.sha256)
    start = InputImage(file=used.file, parent=ImageRef(job_id=parent.id, position=0))
    child = make_job(request=make_request(inputs=(start,)))
    written, go = asyncio.Event(), asyncio.Event()

    def write(connection: Connection) -> None:
        require_files(connection, child.request.inputs)
        hold_job(services.ledger, connection, child)
        written.set()
        if several:
            await_only(go.wait())

    several = services.database.dialect == "postgresql"
    making = asyncio.create_task(services.database.write(write))
    await written.wait()
    deleting = asyncio.create_task(services.remix.delete(parent.id, ME))
    while several and not deleting.done() and not await blocked_transactions(services):
        pass
    go.set()
    await asyncio.gather(making, deleting)
    assert file.exists()


async def blocked_transactions(services: ServiceHarness) -> int:
    """Return the number of blocked transactions."""
    waiters = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return await services.database.read(lambda connection: connection.execute(waiters).scalar_one())


async def test_member_and_moderator_may_delete_ended_job(services: ServiceHarness) -> None:
    job, _ = await ended(services)
    with pytest.raises(NotAllowedError):
        await services.remix.delete(job.id, STRANGER)
    await services.remix.delete(job.id, MODERATOR)
    first = (await stored_job(services, job.id)).deleted_at
    services.clock.advance(60)
    await services.remix.delete(job.id, ME)
    assert (await stored_job(services, job.id)).deleted_at == first
    running, _ = await ended(services, state=State.RUNNING, finished_at=None, delivered_at=None, charged=None)
    with pytest.raises(JobRunningError):
        await services.remix.delete(running.id, ME)


async def test_deletion_is_registered_once_and_before_it(services: ServiceHarness, tmp_path: Path) -> None:
    job, _ = await ended(services)
    register = DeletionRegister(tmp_path / "deletions.txt", "")
    with pytest.raises(NotAllowedError):
        await services.remix.delete(job.id, STRANGER)
    assert not register.path.exists()
    register.path.mkdir()
    with pytest.raises(OSError, match="directory"):
        await services.remix.delete(job.id, ME)
    assert (await stored_job(services, job.id)).deleted_at is None
    register.path.rmdir()
    for _ in range(2):
        await services.remix.delete(job.id, ME)
    assert register.path.read_text().split() == ["job", job.id, services.clock.now().isoformat()]


async def test_private_job_is_its_members_alone(services: ServiceHarness) -> None:
    """A moderator gets no delete question, which shows the prompt."""
    job, _ = await ended(services, place=make_context(private=True))
    for attempt in (services.remix.get_deletable, services.remix.delete, services.remix.get_source):
        with pytest.raises(NotAllowedError) as caught:
            await attempt(job.id, MODERATOR)
        assert caught.value.needs == "its member"
    with pytest.raises(NotAllowedError):
        await services.jobs.cancel(job.id, MODERATOR)
    assert await services.remix.get_deletable(job.id, ME) == job


async def test_deleted_job_is_neither_delivered_nor_reconciled(services: ServiceHarness) -> None:
    now = services.clock.now()
    job, _ = await ended(services, shown=0, state=State.LOST, charged=0, delivered_at=None, reconcile_at=now)
    await services.remix.delete(job.id, ME)
    kept = await stored_job(services, job.id)
    assert (kept.delivered_at, kept.delivery, kept.reconcile_at) == (now, Delivery.NOWHERE, None)
    again = await services.database.write(lambda connection: ReconciliationRepository(connection).schedule(job.id, now))
    assert not again


async def test_details_contain_lineage_and_child_count(services: ServiceHarness) -> None:
    first, _ = await ended(services)
    second, _ = await ended(services, origin=Origin(action=Action.VARY, job_id=first.id, position=0))
    third, _ = await ended(services, origin=Origin(action=Action.UPSCALE, job_id=second.id, position=0))
    await services.remix.delete(second.id, ME)
    details = await services.details.get(third.id, ME)
    assert [(link.origin.action, link.job and link.job.id) for link in details.chain] == [
        (Action.UPSCALE, second.id),
        (Action.VARY, first.id),
    ]
    assert details.chain[0].job is not None
    assert details.chain[0].job.deleted_at is not None
    assert (details.children, details.pictures) == (0, 1)
    assert (await services.details.get(first.id, ME)).children == 0
    with pytest.raises(JobDeletedError):
        await services.details.get(second.id, ME)
    page = await services.history.get(Selection(guild_id=GUILD, member_id=MEMBER), details.job.id)
    assert page.chain == details.chain


async def test_lineage_ends_at_missing_parent(services: ServiceHarness) -> None:
    origin = Origin(action=Action.EDIT, job_id="e" * 32, position=1)
    job, _ = await ended(services, origin=origin)
    (link,) = (await services.details.get(job.id, STRANGER)).chain
    assert (link.origin, link.job) == (origin, None)


@pytest.mark.parametrize(("actor", "own"), [(ME, True), (MODERATOR, True), (STRANGER, False)])
async def test_details_are_own_for_member_and_moderator_only(services: ServiceHarness, actor: Actor, own: bool) -> None:
    job, _ = await ended(services)
    assert (await services.details.get(job.id, actor)).own is own


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        (ME, ()),
        (STRANGER, ()),
        (MODERATOR, (COST,)),
        (replace(MODERATOR, member_id=MEMBER), (COST,)),
        (replace(MODERATOR, guild_id=GUILD + 1), ()),
    ],
)
async def test_costs_are_shown_to_moderators_of_the_server_only(
    services: ServiceHarness, actor: Actor, shown: tuple[Cost, ...]
) -> None:
    job, _ = await ended(services)

    def write(connection: Connection) -> None:
        attempts = AttemptRepository(connection)
        for number, cost in ((1, None), (2, COST)):
            attempts.add_all([make_attempt(job, number=number)])
            attempts.update_latest(job.id, cost=cost)

    await services.database.write(write)
    assert (await services.details.get(job.id, actor)).costs == shown


async def stored_job(services: ServiceHarness, job_id: str) -> Job:
    """Return a job as it is stored."""
    return await services.database.read(lambda connection: JobRepository(connection).get(job_id))


async def erase_words(services: ServiceHarness, job: Job) -> None:
    """Erase the words of a job, as after their term."""
    now = services.clock.now()
    await services.database.write(lambda connection: PromptRepository(connection).erase([job.id], now))


async def test_job_with_erased_prompt_refuses_again_and_vary_for_that_reason(services: ServiceHarness) -> None:
    job, _ = await ended(services)
    await erase_words(services, job)
    source = await services.remix.get_source(job.id, ME)
    before = await services.account()
    request, origin = services.remix.build_request(source, Action.AGAIN, RemixOptions())
    with pytest.raises(PromptError) as again:
        await services.jobs.create(make_context(), request, origin=origin)
    with pytest.raises(PromptError) as vary:
        services.remix.build_request(source, Action.VARY, RemixOptions(position=0))
    with pytest.raises(PromptError) as shown:
        await services.jobs.get_prompt(job.id, ME)
    assert {each.value.problem for each in (again, vary, shown)} == {PromptProblem.ERASED}
    assert await services.account() == before


async def test_picture_of_job_with_erased_prompt_is_processed_and_edited(services: ServiceHarness) -> None:
    job, _ = await ended(services)
    await erase_words(services, job)
    source = await services.remix.get_source(job.id, ME)
    upscale, _ = services.remix.build_request(source, Action.UPSCALE, RemixOptions(position=0, factor=2))
    edit, _ = services.remix.build_request(source, Action.EDIT, RemixOptions(position=0, prompt="make it snow"))
    assert (upscale.prompt, edit.prompt) == (KEEP_AS_IT_IS, "make it snow")
