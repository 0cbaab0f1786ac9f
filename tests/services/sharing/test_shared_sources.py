"""Posts in the showcase as sources of others' pictures."""

from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.errors import JobDeletedError, SubmissionNotFoundError, SubmissionStateError
from bot.domain.images import InputImage
from bot.domain.jobs import Action, Job, Origin
from bot.domain.sharing.submissions import Submission, SubmissionOptions, SubmissionState
from bot.services.details import read_lineage
from bot.services.jobs import Actor
from bot.services.origins import _named
from bot.services.remix import RemixOptions
from db.job_deletions import JobDeletionRepository
from db.jobs import JobRepository
from db.submissions import SubmissionRepository
from tests.services.conftest import ServiceHarness
from tests.services.test_remix import ended
from tests.support.factories import GUILD, MEMBER, make_context, make_id, make_image_file, make_request

OTHER = Actor(member_id=MEMBER + 1, guild_id=GUILD)


async def shared(
    services: ServiceHarness, *, state: SubmissionState = SubmissionState.APPROVED, **options: Any
) -> tuple[Job, Submission]:
    """Insert a private job with two images, of which the second is shared."""
    photo = InputImage(file=make_image_file())
    request = make_request(prompt="a secret", preset="Own", images=2, negative="fog", seed=7, inputs=(photo,))
    job, _ = await ended(services, shown=2, place=make_context(private=True), request=request)
    now = services.clock.now()
    submission = Submission(
        id=make_id(),
        guild_id=GUILD,
        member_id=MEMBER,
        job_id=job.id,
        positions=(1,),
        options=SubmissionOptions(**options),
        is_age_restricted=False,
        flags=(),
        state=state,
        revision=1,
        created_at=now,
        waiting_since=now,
        at=now,
    )
    await services.database.write(lambda connection: SubmissionRepository(connection).add(submission))
    return job, submission


async def test_others_start_from_the_shared_picture_alone(services: ServiceHarness) -> None:
    job, submission = await shared(services)
    source = await services.remix.get_shared(submission.id, OTHER)
    assert list(source.pictures) == [1]
    assert source.inputs == source.original.inputs == source.job.request.inputs == ()
    assert (source.original.prompt, source.original.seed, source.original.preset) == ("a secret", None, "")
    options = RemixOptions(position=1, prompt="the same at night")
    request, origin = services.remix.build_request(source, Action.REFERENCE, options)
    assert [each.file for each in request.inputs] == [source.pictures[1]]
    assert origin == Origin(action=Action.REFERENCE, job_id=job.id, position=1)


async def test_hidden_words_stay_hidden(services: ServiceHarness) -> None:
    _, submission = await shared(services, show_prompt=False)
    source = await services.remix.get_shared(submission.id, OTHER)
    request, _ = services.remix.build_request(source, Action.AGAIN, RemixOptions(prompt="a garden"))
    assert (request.prompt, request.negative, request.inputs) == ("a garden", "", ())
    assert "secret" not in repr(source)


@pytest.mark.parametrize("state", [each for each in SubmissionState if each is not SubmissionState.APPROVED])
async def test_only_approved_pictures_are_sources(services: ServiceHarness, state: SubmissionState) -> None:
    _, submission = await shared(services, state=state)
    with pytest.raises(SubmissionStateError):
        await services.remix.get_shared(submission.id, OTHER)


async def test_other_servers_and_deleted_jobs_are_no_sources(services: ServiceHarness) -> None:
    job, submission = await shared(services)
    with pytest.raises(SubmissionNotFoundError):
        await services.remix.get_shared(submission.id, Actor(member_id=1, guild_id=GUILD + 1))
    now = services.clock.now()
    await services.database.write(lambda connection: JobDeletionRepository(connection).delete(job.id, now, now))
    with pytest.raises((JobDeletedError, SubmissionStateError)):
        await services.remix.get_shared(submission.id, OTHER)


@pytest.mark.parametrize("is_anonymous", [True, False])
async def test_details_lead_to_no_anonymous_member(services: ServiceHarness, is_anonymous: bool) -> None:
    job, _ = await shared(services, is_anonymous=is_anonymous)
    origin = Origin(action=Action.REFERENCE, job_id=job.id, position=1)
    child, _ = await ended(services, place=make_context(member_id=OTHER.member_id), origin=origin)

    def read(connection: Connection) -> tuple[bool, bool]:
        (link,) = read_lineage(connection, JobRepository(connection).get(child.id))
        return link.job is None, link.is_shared

    assert await services.database.read(read) == (is_anonymous, is_anonymous)


@pytest.mark.parametrize("is_anonymous", [True, False])
async def test_search_by_picture_leads_to_no_anonymous_member(services: ServiceHarness, is_anonymous: bool) -> None:
    job, _ = await shared(services, is_anonymous=is_anonymous)

    def read(connection: Connection) -> tuple[int, int]:
        own = Actor(member_id=MEMBER, guild_id=GUILD)
        found = JobRepository(connection).list_by_id([job.id])
        return len(_named(connection, found, OTHER)), len(_named(connection, found, own))

    assert await services.database.read(read) == (not is_anonymous, 1)
