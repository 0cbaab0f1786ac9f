"""Working with an ended card: what an action on it would start from, the request that it comes to, and deleting it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.errors import ImageGoneError, JobRunningError, JobStateError, NotAllowedError
from bot.domain.jobs import Action, Job, Origin
from bot.domain.lazy_text import LazyText
from bot.domain.remix import cut_out, edited, referring, upscaled, varied
from bot.domain.requests import GenerationRequest, ImageFile, ImageRef, InputImage
from bot.engine.clock import Clock
from bot.images.image_service import ImageService
from bot.services.jobs import Actor, check_visible
from db.database import Database
from db.file_references import referenced_hashes
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository

# A file that was stored a moment ago may yet be referred to by a row that is not written; the nightly round takes it.
_LATELY: Final = timedelta(minutes=2)
_PROCESSED: Final = (Action.UPSCALE, Action.CUT_OUT)
# Upscaled again and again; who goes further is not asking for what was painted first.
_DEEPEST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An ended job as something to start from.

    `painted` is the request with the words that made its pictures: the job's own, or that of the one before it whose
    picture was only processed since. `pictures` are their files by position, None where no longer kept; `inputs` is
    what the job itself started from, as far as that is kept.
    """

    job: Job
    painted: GenerationRequest
    pictures: Mapping[int, ImageFile | None]
    inputs: tuple[InputImage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemixOptions:
    """What a member said of an action; what it does not take is None.

    `position` is the picture, from 0; `url` is where it can be fetched again.
    """

    position: int | None = None
    url: str | None = None
    prompt: str | None = None
    model: str | None = None
    factor: int | None = None


class RemixService:
    """Makes requests of earlier jobs, and deletes those. `providers` are those that the studio has."""

    def __init__(
        self, *, database: Database, image_service: ImageService, clock: Clock, providers: Sequence[str]
    ) -> None:
        self._database = database
        self._image_service = image_service
        self._clock = clock
        self._providers = providers

    async def source(self, job_id: str, actor: Actor) -> Source:
        """Return an ended job as something to start from: for whoever sees its card, and pays.

        Raises `JobNotFoundError`, `JobDeletedError`, `JobRunningError`, or `NotAllowedError` for another's private one.
        """

        def read(connection: Connection) -> Source:
            job = JobRepository(connection).get(job_id)
            check_visible(job, actor)
            if not job.state.ended:
                raise JobRunningError
            return Source(
                job=job,
                painted=_painted(connection, job),
                pictures=ResultImageRepository(connection).files_by_position(job_id),
                inputs=tuple(_looked_up(connection, each) for each in job.request.inputs),
            )

        return await self._database.read(read)

    def request(self, source: Source, action: Action, wish: RemixOptions) -> tuple[GenerationRequest, Origin]:
        """Return what an action on a job comes to, and where that came from.

        Raises `ImageGoneError` where a picture to start from is not to be had, `JobStateError` for a job without
        pictures, a `RequestError`, or `StudioClosedError`.
        """
        job = source.job
        if action is Action.AGAIN:
            if any(each.file is None and each.url is None for each in source.inputs):
                raise ImageGoneError(own=False)
            return replace(job.request, inputs=source.inputs), Origin(action=action, job_id=job.id)
        position = wish.position or 0
        if position not in source.pictures:
            raise JobStateError(job.state, action)
        origin = Origin(action=action, job_id=job.id, position=position)
        picture = InputImage(
            url=wish.url, file=source.pictures[position], parent=ImageRef(job_id=job.id, position=position)
        )
        if picture.file is None and picture.url is None:
            raise ImageGoneError
        return self._of_picture(source, action, picture, wish), origin

    def quoted(self, source: Source, action: Action, wish: RemixOptions) -> GenerationRequest:
        """Return what an action would come to with whichever picture, to know its price; raises as `request` does."""
        return self._of_picture(source, action, InputImage(), wish)

    def _of_picture(self, source: Source, action: Action, picture: InputImage, wish: RemixOptions) -> GenerationRequest:
        own, painted, prompt = source.job.request, source.painted, wish.prompt or ""
        match action:
            case Action.VARY:
                return varied(painted, picture, self._providers)
            case Action.EDIT:
                return edited(painted, picture, prompt, self._providers, model=wish.model)
            case Action.REFERENCE:
                return referring(painted, picture, prompt, self._providers, model=wish.model)
            case Action.UPSCALE:
                return upscaled(own, picture, wish.factor or 0, self._providers)
            case Action.CUT_OUT:
                return cut_out(own, picture, self._providers)
            case _:
                raise ValueError(f"{action} starts from no picture")

    async def deletable(self, job_id: str, actor: Actor) -> Job:
        """Return a job that may be deleted.

        Raises `JobNotFoundError`, `JobRunningError`, or `NotAllowedError` for others than its member and moderators.
        """
        return await self._database.read(lambda connection: _deletable(connection, job_id, actor))

    async def delete(self, job_id: str, actor: Actor) -> Job:
        """Forget a job's pictures and what it started from, and return it; its card is for the caller to take away.

        What was made from it stays, and so does what was paid for it. Done twice, it is done once. Raises as
        `deletable` does.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Job, list[tuple[str, str]]]:
            job = _deletable(connection, job_id, actor)
            JobRepository(connection).set_deleted(job_id, now)
            files = ResultImageRepository(connection).remove_for(job_id, now)
            files |= InputImageRepository(connection).remove_for(job_id, now)
            needed = referenced_hashes(connection, [sha256 for sha256, _ in files]) if files else set()
            return job, [file for file in files if file[0] not in needed]

        job, unneeded = await self._database.write(write)
        for sha256, media_type in unneeded:
            await self._image_service.discard(sha256, media_type, older_than=now - _LATELY)
        return job


def _deletable(connection: Connection, job_id: str, actor: Actor) -> Job:
    job = JobRepository(connection).get(job_id)
    if not actor.may_manage(job):
        raise NotAllowedError(LazyText("its member or a moderator"))
    if not job.state.ended:
        raise JobRunningError
    return job


def _painted(connection: Connection, job: Job) -> GenerationRequest:
    """Return the request whose words made the pictures of a job that may only have processed them."""
    jobs, found = JobRepository(connection), job
    for _ in range(_DEEPEST):
        if found.origin is None or found.origin.action not in _PROCESSED:
            break
        parent = jobs.find(found.origin.job_id)
        if parent is None:
            break
        found = parent
    return found.request


def _looked_up(connection: Connection, picture: InputImage) -> InputImage:
    """Return an input with its file, which may be kept still as the studio's own picture that it was."""
    if picture.file is not None or picture.parent is None:
        return picture
    files = ResultImageRepository(connection).files_by_position(picture.parent.job_id)
    return replace(picture, file=files.get(picture.parent.position))
