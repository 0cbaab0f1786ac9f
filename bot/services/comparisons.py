"""A job's pictures before and after it."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.age_restriction import may_show
from bot.domain.errors import AgeRestrictedError, AtelierError, JobRunningError, NotOfferedError
from bot.domain.images import ImageFile, ImageRef, InputImage, ResultImage
from bot.domain.jobs import Job
from bot.services.job_sources import check_usable, is_hidden
from bot.services.jobs import Actor, check_visible
from bot.services.member_limits import FreeAction, MemberLimits
from db.database import Database
from db.jobs import JobRepository
from db.pictures import ResultImageRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A job's kept pictures before and after it, in order.

    `hidden` counts the pictures before that the reader may not see, `gone` those that are no longer kept.
    """

    before: tuple[ResultImage, ...]
    after: tuple[ResultImage, ...]
    hidden: int = 0
    gone: int = 0


class ComparisonService:
    """Read access to comparisons, each from one state of the database."""

    def __init__(self, *, database: Database, limits: MemberLimits) -> None:
        self._database = database
        self._limits = limits

    async def get(self, job_id: str, actor: Actor, *, in_age_restricted: bool = False) -> Comparison:
        """Return a job's pictures before and after, for an answer in a channel.

        Uploads are shown to the job's member only: a public card does not make them public.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            JobRunningError: the job has not ended.
            NotAllowedError: the job is another member's private one.
            PicturesHiddenError: its pictures are hidden after reports.
            NotOfferedError: the job started from no picture.
            AgeRestrictedError: the pictures may not be shown in the channel.
            TooManyRequestsError: the member asked very often within a minute.
        """
        self._limits.count(FreeAction.COMPARISON, actor.member_id)

        def read(connection: Connection) -> Comparison:
            job = JobRepository(connection).get(job_id)
            check_visible(job, actor)
            if not job.state.ended:
                raise JobRunningError
            check_usable(connection, job)
            if not job.request.inputs:
                raise NotOfferedError
            if not may_show(is_age_restricted=job.age_restricted, in_age_restricted=in_age_restricted):
                raise AgeRestrictedError
            visible = [each for each in job.request.inputs if _may_see(connection, job, each, actor)]
            before = tuple(_kept(connection, job, visible))
            return Comparison(
                before=before,
                after=ResultImageRepository(connection).list_for(job_id),
                hidden=len(job.request.inputs) - len(visible),
                gone=len(visible) - len(before),
            )

        return await self._database.read(read)


def _may_see(connection: Connection, job: Job, picture: InputImage, actor: Actor) -> bool:
    """Return whether an actor may see a picture before a job.

    Others may see a result of ours whose card they could see in the same channel. Nobody sees one hidden after reports.
    """
    if picture.parent is not None and is_hidden(connection, picture.parent.job_id):
        return False
    if actor.member_id == job.place.member_id:
        return True
    parent = None if picture.parent is None else JobRepository(connection).find(picture.parent.job_id)
    if parent is None or parent.place.channel_id != job.place.channel_id:
        return False
    try:
        check_visible(parent, actor)
    except AtelierError:
        return False
    return True


def _kept(connection: Connection, job: Job, pictures: list[InputImage]) -> Iterator[ResultImage]:
    """Yield the kept files of a job's inputs, as images of that job."""
    for position, picture in enumerate(pictures):
        file = _file(connection, picture)
        if file is not None:
            yield ResultImage(job_id=job.id, position=position, file=file)


def _file(connection: Connection, picture: InputImage) -> ImageFile | None:
    """Return an input's kept file, or that of the result that it was.

    A result that was deleted is gone, also where a copy is kept for Again.
    """
    if picture.parent is None:
        return picture.file
    source = JobRepository(connection).find(picture.parent.job_id)
    if source is not None and source.deleted_at is not None:
        return None
    return picture.file or _result(connection, picture.parent)


def _result(connection: Connection, reference: ImageRef) -> ImageFile | None:
    return ResultImageRepository(connection).files_by_position(reference.job_id).get(reference.position)
