"""Age restriction: set at the hold, inherited, and never cleared."""

from typing import Any

import pytest
from sqlalchemy import Connection

from bot.domain.age_restriction import may_show
from bot.domain.errors import AgeRestrictedError
from bot.domain.images import ImageRef, InputImage, ResultImage
from bot.domain.jobs import Action, Job, Origin, State
from bot.engine.holds import hold_job
from bot.engine.picture_screen import PictureScreen
from bot.engine.settlements import Settlement, settle
from bot.services.comparisons import ComparisonService
from bot.services.jobs import Actor
from bot.services.member_limits import MemberLimits
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from tests.services.conftest import ServiceHarness
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_image_file, make_job, make_request

ME = Actor(member_id=MEMBER, guild_id=GUILD)
FINGERPRINT = "0f" * 32


@pytest.mark.parametrize(("restricted", "flagged", "shown"), [(0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 0, 0)])
def test_restricted_picture_is_shown_in_restricted_channels_alone(restricted: int, flagged: int, shown: int) -> None:
    assert may_show(is_age_restricted=bool(restricted), in_age_restricted=bool(flagged)) is bool(shown)


async def made(services: ServiceHarness, *, restricted: bool = True, **file_changes: Any) -> Job:
    """Store a finished job with a picture."""
    now = services.clock.now()
    job = make_job(state=State.DONE, finished_at=now, delivered_at=now, charged=12, age_restricted=restricted)
    await store(services, job, make_image(job, **file_changes))
    return job


async def store(services: ServiceHarness, job: Job, *pictures: ResultImage) -> None:
    """Store a paid job with its pictures."""
    now = services.clock.now()

    def write(connection: Connection) -> None:
        hold_job(services.ledger, connection, job)
        settle(services.ledger, connection, Settlement(job=job, charge=12, reason="test", at=now))
        if pictures:
            ResultImageRepository(connection).add_all(pictures, now)

    await services.database.write(write)


async def read(services: ServiceHarness, job_id: str) -> Job:
    """Return the stored job."""
    return await services.database.read(lambda connection: JobRepository(connection).get(job_id))


@pytest.mark.parametrize("flagged", [True, False])
async def test_job_takes_the_flag_of_its_channel(services: ServiceHarness, flagged: bool) -> None:
    snapshot = await services.jobs.create(make_context(in_age_restricted=flagged), make_request())
    assert (await read(services, snapshot.job.id)).age_restricted is flagged


@pytest.mark.parametrize("action", Action)
async def test_job_made_from_a_restricted_one_is_refused_elsewhere(services: ServiceHarness, action: Action) -> None:
    parent = await made(services)
    origin = Origin(action=action, job_id=parent.id, position=None if action is Action.AGAIN else 0)
    held = (await services.account()).held
    with pytest.raises(AgeRestrictedError):
        await services.jobs.create(make_context(), make_request(), origin=origin)
    assert (await services.account()).held == held
    inside = await services.jobs.create(make_context(in_age_restricted=True), make_request(), origin=origin)
    assert (await read(services, inside.job.id)).age_restricted


async def test_restricted_inputs_are_refused_by_origin_and_by_file(services: ServiceHarness) -> None:
    file = make_image_file()
    parent = await made(services, sha256=file.sha256)
    by_origin = InputImage(url="https://cdn.discordapp.com/a", parent=ImageRef(job_id=parent.id, position=0))
    copy = InputImage(url="https://cdn.discordapp.com/b", file=file)
    for each in (by_origin, copy):
        with pytest.raises(AgeRestrictedError):
            await services.jobs.create(make_context(), make_request(inputs=(each,)))


async def test_grandchild_of_a_restricted_job_stays_restricted(services: ServiceHarness) -> None:
    parent = await made(services)
    origin = Origin(action=Action.AGAIN, job_id=parent.id)
    child = await services.jobs.create(make_context(in_age_restricted=True), make_request(), origin=origin)
    with pytest.raises(AgeRestrictedError):
        await services.jobs.create(
            make_context(), make_request(), origin=Origin(action=Action.AGAIN, job_id=child.job.id)
        )


async def test_unrestricted_parent_and_channel_make_an_unrestricted_job(services: ServiceHarness) -> None:
    parent = await made(services, restricted=False)
    snapshot = await services.jobs.create(
        make_context(), make_request(), origin=Origin(action=Action.AGAIN, job_id=parent.id)
    )
    assert not (await read(services, snapshot.job.id)).age_restricted


async def test_uploaded_copy_of_a_restricted_picture_is_misplaced(services: ServiceHarness) -> None:
    file = make_image_file(fingerprint=FINGERPRINT)
    await made(services, sha256=file.sha256, fingerprint=FINGERPRINT)
    screen, job = PictureScreen(services.database), make_job()
    alike = make_image_file(fingerprint="1f" + FINGERPRINT[2:])
    other = make_image_file(fingerprint="f0" * 32)
    assert await screen.is_misplaced(job, file)
    assert await screen.is_misplaced(job, alike)
    assert await screen.is_misplaced(job, other, file.sha256)
    assert not await screen.is_misplaced(job, other)
    assert not await screen.is_misplaced(make_job(age_restricted=True), file)


async def test_copy_of_an_unrestricted_picture_is_not_misplaced(services: ServiceHarness) -> None:
    file = make_image_file(fingerprint=FINGERPRINT)
    await made(services, restricted=False, sha256=file.sha256, fingerprint=FINGERPRINT)
    assert not await PictureScreen(services.database).is_misplaced(make_job(), file)


async def test_comparison_of_a_restricted_job_needs_a_restricted_channel(services: ServiceHarness) -> None:
    job = make_job(
        request=make_request(inputs=(InputImage(file=make_image_file()),)),
        state=State.DONE,
        finished_at=services.clock.now(),
        delivered_at=services.clock.now(),
        charged=12,
        age_restricted=True,
    )
    await store(services, job)
    comparisons = ComparisonService(database=services.database, limits=MemberLimits(clock=services.clock))
    with pytest.raises(AgeRestrictedError):
        await comparisons.get(job.id, ME)
    assert (await comparisons.get(job.id, ME, in_age_restricted=True)).after == ()


async def test_picture_of_an_unknown_channel_gets_the_flag_and_takes_no_upload(services: ServiceHarness) -> None:
    unknown = make_context(is_flag_unknown=True)
    made_there = await services.jobs.create(unknown, make_request())
    assert (await read(services, made_there.job.id)).age_restricted
    with pytest.raises(AgeRestrictedError):
        await services.jobs.create(
            make_context(), make_request(), origin=Origin(action=Action.AGAIN, job_id=made_there.job.id)
        )
    upload = InputImage(url="https://cdn.discordapp.com/a")
    with pytest.raises(AgeRestrictedError) as refused:
        await services.jobs.create(make_context(is_flag_unknown=True), make_request(inputs=(upload,)))
    assert refused.value.is_unknown


async def test_restricted_picture_is_refused_in_an_unknown_channel(services: ServiceHarness) -> None:
    origin = Origin(action=Action.AGAIN, job_id=(await made(services)).id)
    with pytest.raises(AgeRestrictedError):
        await services.jobs.create(make_context(is_flag_unknown=True), make_request(), origin=origin)
