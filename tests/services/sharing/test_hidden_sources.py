"""Pictures hidden after reports, and pictures of open duels, as sources."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import DuelOpenError, PicturesHiddenError
from bot.domain.images import ImageRef, InputImage
from bot.domain.jobs import Action, Job, Origin
from bot.domain.reports import ReportCase, ReportOutcome
from bot.services.comparisons import ComparisonService
from bot.services.jobs import Actor
from bot.services.member_limits import MemberLimits
from bot.services.publications import PublicationService
from bot.services.remix import RemixOptions
from db.reports import ReportRepository
from db.submissions import SubmissionRepository
from tests.services.conftest import ServiceHarness
from tests.services.sharing.conftest import SharingHarness, Woken, sharer
from tests.services.test_duels import ORGANIZER, open_vote
from tests.services.test_remix import ME, MODERATOR, STRANGER, ended
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_image_file, make_request


async def hide(services: ServiceHarness | SharingHarness, job: Job) -> str:
    """Hide a job's pictures after reports; return the case."""
    now = services.clock.now()

    def write(connection: Connection) -> str:
        new = ReportCase(id=make_id(), guild_id=GUILD, job_id=job.id, at=now)
        case = ReportRepository(connection).open_case(new)
        ReportRepository(connection).set_hidden(case.id, now)
        return case.id

    return await services.database.write(write)


async def dismiss(services: ServiceHarness | SharingHarness, case_id: str) -> None:
    """Show the pictures again."""
    outcome, now = ReportOutcome.DISMISSED, services.clock.now()
    await services.database.write(lambda connection: ReportRepository(connection).close(case_id, outcome, now, 9))


def comparisons_of(services: ServiceHarness) -> ComparisonService:
    """Return the comparisons."""
    return ComparisonService(database=services.database, limits=MemberLimits(clock=services.clock))


@pytest.mark.parametrize("actor", [ME, STRANGER, MODERATOR], ids=["member", "stranger", "moderator"])
async def test_old_copy_of_a_hidden_card_reaches_no_picture(services: ServiceHarness, actor: Actor) -> None:
    job, _ = await ended(services, request=make_request(inputs=(InputImage(file=make_image_file()),)))
    case_id = await hide(services, job)
    uses: list[Callable[..., Awaitable[Any]]] = [services.remix.get_source, comparisons_of(services).get]
    for use in uses:
        with pytest.raises(PicturesHiddenError):
            await use(job.id, actor)
    await dismiss(services, case_id)
    for use in uses:
        assert await use(job.id, actor)


async def test_answer_after_the_source_was_hidden_makes_nothing(services: ServiceHarness) -> None:
    job, _ = await ended(services)
    source = await services.remix.get_source(job.id, ME)
    request, origin = services.remix.build_request(source, Action.VARY, RemixOptions(position=0))
    confirmation = await services.confirmations.add(make_context(), request, origin)
    held = (await services.account()).held
    await hide(services, job)
    with pytest.raises(PicturesHiddenError):
        await services.jobs.create(make_context(), request, origin=origin, confirmation_id=confirmation.id)
    assert (await services.account()).held == held


async def test_comparison_shows_no_hidden_picture_before_an_edit(services: ServiceHarness) -> None:
    parent, _ = await ended(services)
    reference = ImageRef(job_id=parent.id, position=0)
    edit, _ = await ended(
        services, request=make_request(inputs=(InputImage(file=make_image_file(), parent=reference),))
    )
    await hide(services, parent)
    for actor in (ME, STRANGER):
        comparison = await comparisons_of(services).get(edit.id, actor)
        assert (len(comparison.before), comparison.hidden, len(comparison.after)) == (0, 1, 1)


async def test_again_on_an_edit_uses_no_hidden_picture_before_it(services: ServiceHarness) -> None:
    parent, _ = await ended(services)
    reference = ImageRef(job_id=parent.id, position=0)
    edit, _ = await ended(
        services, request=make_request(inputs=(InputImage(url="https://cdn.discordapp.com/a.png", parent=reference),))
    )
    source = await services.remix.get_source(edit.id, ME)
    request, origin = services.remix.build_request(source, Action.AGAIN, RemixOptions())
    case_id = await hide(services, parent)
    with pytest.raises(PicturesHiddenError):
        await services.jobs.create(make_context(), request, origin=origin)
    await dismiss(services, case_id)
    assert (await services.jobs.create(make_context(), request, origin=origin)).job.origin == origin


async def test_hidden_picture_of_a_private_job_stays_private(services: ServiceHarness) -> None:
    job, _ = await ended(services, place=make_context(private=True))
    publications = PublicationService(
        database=services.database, access=services.access, clock=services.clock, new_id=make_id, waker=Woken()
    )
    assert (await publications.get(job.id, ME)).id == job.id
    await hide(services, job)
    with pytest.raises(PicturesHiddenError):
        await publications.get(job.id, ME)


async def test_hidden_pictures_are_not_offered_for_sharing(sharing: SharingHarness) -> None:
    job = await sharing.finished_job()

    async def listed() -> int:
        return await sharing.database.read(
            lambda c: len(SubmissionRepository(c).list_shareable(GUILD, MEMBER, limit=9, restricted=True))
        )

    case_id = await hide(sharing, job)
    assert await listed() == 0
    with pytest.raises(PicturesHiddenError):
        await sharing.submissions.offer(job.id, sharer())
    await dismiss(sharing, case_id)
    assert await listed() == 2
    assert len((await sharing.submissions.offer(job.id, sharer())).pictures) == 2


@pytest.mark.parametrize("actor", [ORGANIZER, STRANGER], ids=["organizer", "stranger"])
async def test_picture_of_an_open_duel_is_no_source(services: ServiceHarness, actor: Actor) -> None:
    view = await open_vote(services)
    job = view.jobs[0]
    with pytest.raises(DuelOpenError) as refused:
        await services.remix.get_source(job.id, actor)
    assert refused.value.ends_at == view.duel.ends_at
    origin = Origin(action=Action.UPSCALE, job_id=job.id, position=0)
    with pytest.raises(DuelOpenError):
        await services.jobs.create(make_context(member_id=actor.member_id), make_request(), origin=origin)
    await services.duels.end(view.duel.id, ORGANIZER)
    assert (await services.remix.get_source(job.id, actor)).pictures
