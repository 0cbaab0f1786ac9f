"""Posts in the showcase as sources of others' pictures."""

from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from sqlalchemy import Connection, update

from bot.domain.bans import Ban, BanScope
from bot.domain.confirmations import Confirmation
from bot.domain.errors import (
    AgeRestrictedError,
    BannedError,
    JobDeletedError,
    NotAllowedError,
    SubmissionNotFoundError,
    SubmissionStateError,
)
from bot.domain.images import InputImage, ResultImage
from bot.domain.jobs import Action, Delivery, Job, Origin, State
from bot.domain.sharing.submissions import Submission, SubmissionOptions, SubmissionState
from bot.engine.holds import hold_job
from bot.engine.settlements import Settlement, settle
from bot.images.identity import Identity
from bot.services.details import read_lineage
from bot.services.jobs import Actor
from bot.services.member_limits import MemberLimits
from bot.services.origins import OriginService, _named
from bot.services.remix import RemixOptions
from db.bans import BanRepository
from db.challenges import ChallengeRepository
from db.job_deletions import JobDeletionRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.submissions import SubmissionRepository
from db.tables import jobs
from tests.services.conftest import ServiceHarness
from tests.services.test_remix import ended
from tests.support.factories import (
    GUILD,
    MEMBER,
    make_challenge,
    make_context,
    make_id,
    make_image_file,
    make_job,
    make_request,
)

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


async def asked(services: ServiceHarness, action: Action) -> tuple[Job, Submission, Confirmation]:
    """Ask another member for the price of a picture made from a post."""
    job, submission = await shared(services, show_prompt=False)
    source = await services.remix.get_shared(submission.id, OTHER)
    position = None if action is Action.AGAIN else 1
    options = RemixOptions(position=position, prompt="the same at night")
    request, origin = services.remix.build_request(source, action, options)
    place = make_context(member_id=OTHER.member_id, private=True)
    confirmation = await services.confirmations.add(place, request, origin)
    found, _ = await services.confirmations.get(confirmation.id, OTHER.member_id)
    return job, submission, found


async def answered(services: ServiceHarness, confirmation: Confirmation) -> None:
    """Answer the question with yes."""
    place = make_context(member_id=OTHER.member_id, private=True)
    await services.jobs.create(place, confirmation.request, origin=confirmation.origin, confirmation_id=confirmation.id)


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.AGAIN, SubmissionState.WITHDRAWN),
        (Action.REFERENCE, SubmissionState.HIDDEN),
        (Action.REFERENCE, SubmissionState.TAKEN_DOWN),
    ],
)
async def test_answer_after_the_post_left_the_showcase_makes_nothing(
    services: ServiceHarness, action: Action, state: SubmissionState
) -> None:
    _, submission, confirmation = await asked(services, action)
    held = (await services.account(OTHER.member_id)).held
    now = services.clock.now()
    await services.database.write(lambda connection: SubmissionRepository(connection).move(submission, state, now))
    with pytest.raises(SubmissionStateError):
        await answered(services, confirmation)
    assert (await services.account(OTHER.member_id)).held == held


async def test_answer_after_the_deletion_of_the_source_makes_nothing(services: ServiceHarness) -> None:
    job, _ = await shared(services)
    own = make_request()
    origin = Origin(action=Action.AGAIN, job_id=job.id)
    confirmation = await services.confirmations.add(make_context(private=True), own, origin)
    now = services.clock.now()
    await services.database.write(lambda connection: JobDeletionRepository(connection).delete(job.id, now, now))
    with pytest.raises(JobDeletedError):
        await services.jobs.create(make_context(), own, origin=origin, confirmation_id=confirmation.id)


async def test_answer_while_the_post_is_shown_makes_the_job(services: ServiceHarness) -> None:
    _, submission, confirmation = await asked(services, Action.REFERENCE)
    assert confirmation.origin is not None
    assert confirmation.origin.submission_id == submission.id
    await answered(services, confirmation)


async def test_private_job_of_another_member_is_no_origin(services: ServiceHarness) -> None:
    job, _ = await shared(services)
    origin = Origin(action=Action.AGAIN, job_id=job.id)
    with pytest.raises(NotAllowedError):
        await services.jobs.create(make_context(member_id=OTHER.member_id), make_request(), origin=origin)


async def test_flag_gained_while_the_member_is_asked_refuses_the_answer(services: ServiceHarness) -> None:
    job, _, confirmation = await asked(services, Action.REFERENCE)
    flag = update(jobs).where(jobs.c.id == job.id).values(age_restricted=True)
    await services.database.write(lambda connection: connection.execute(flag))
    with pytest.raises(AgeRestrictedError):
        await answered(services, confirmation)


async def test_ban_while_the_member_is_asked_refuses_the_answer(services: ServiceHarness) -> None:
    _, _, confirmation = await asked(services, Action.AGAIN)
    ban = Ban(guild_id=GUILD, member_id=OTHER.member_id, scope=BanScope.STUDIO, at=services.clock.now(), actor_id=1)
    await services.database.write(lambda connection: BanRepository(connection).set(ban))
    with pytest.raises(BannedError):
        await answered(services, confirmation)


async def test_entry_of_a_challenge_is_no_post(services: ServiceHarness) -> None:
    _, submission = await shared(services)
    challenge = make_challenge()

    def enter(connection: Connection) -> None:
        ChallengeRepository(connection).add(challenge)
        ChallengeRepository(connection).enter(challenge.id, MEMBER, submission.id)

    await services.database.write(enter)
    with pytest.raises(SubmissionNotFoundError):
        await services.remix.get_shared(submission.id, OTHER)


@pytest.mark.parametrize("way", ["named", "anonymous", "entry"])
async def test_search_finds_no_copy_of_a_picture_shown_without_a_name(services: ServiceHarness, way: str) -> None:
    _, submission = await shared(services, is_anonymous=way == "anonymous")
    now, copy = services.clock.now(), make_job(state=State.DONE, delivery=Delivery.CARD, charged=12)
    kept = await services.database.read(
        lambda connection: ResultImageRepository(connection).list_for(submission.job_id)[1]
    )

    def write(connection: Connection) -> None:
        hold_job(services.ledger, connection, copy)
        settle(services.ledger, connection, Settlement(job=copy, charge=12, reason="test", at=now))
        ResultImageRepository(connection).add_all([ResultImage(job_id=copy.id, position=0, file=kept.file)], now)
        if way == "entry":
            challenge = make_challenge()
            ChallengeRepository(connection).add(challenge)
            ChallengeRepository(connection).enter(challenge.id, MEMBER, submission.id)

    await services.database.write(write)
    images = Mock(identify=AsyncMock(return_value=Identity(sha256=kept.file.sha256)))
    origins = OriginService(
        database=services.database,
        image_service=images,
        access=services.access,
        limits=MemberLimits(clock=services.clock),
    )
    found = await origins.find("https://cdn.discordapp.com/a", OTHER, lambda _: True)
    assert (found.job is not None) is (way == "named")
