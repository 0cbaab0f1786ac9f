"""Actions on an ended job.

Read the job as a source, build the request of an action, or delete the job.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.alternatives import at_model
from bot.domain.catalogue import Catalogue
from bot.domain.errors import (
    AtelierError,
    ImageGoneError,
    JobDeletedError,
    JobRunningError,
    JobStateError,
    NotOfferedError,
)
from bot.domain.images import ImageFile, ImageRef, InputImage
from bot.domain.jobs import Action, Job, Origin
from bot.domain.options import UPSCALES
from bot.domain.remix import (
    RequestChanges,
    make_again,
    make_cut_out,
    make_edit,
    make_reference,
    make_upscale,
    make_variation,
)
from bot.domain.requests import ERASED_PROMPT, KEEP_AS_IT_IS, GenerationRequest, price, require_prompt
from bot.domain.saved_forms import CardForm
from bot.engine.clock import Clock
from bot.images.image_service import ImageService
from bot.services.deletion_register import DeletionRegister
from bot.services.job_sources import check_usable, require_post
from bot.services.jobs import Actor, check_manageable, check_visible
from db.database import Database
from db.job_deletions import JobDeletionRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository

# A row that refers to a file stored just now may not be written yet; the nightly maintenance removes the file then.
_RECENT: Final = timedelta(minutes=2)
_PROCESSED: Final = (Action.UPSCALE, Action.CUT_OUT)
# Bounds the reads for an image that was upscaled again and again.
_MAX_PROCESSING_STEPS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An ended job as the starting point of another.

    `original` is the request with the prompt that generated its images: the job's own, or that of the earlier job
    whose image it only processed. `pictures` maps positions to files, None if no longer kept; `inputs` are the job's
    own inputs with the files that are still kept. `submission_id`: it is a post in the showcase, with the shared images
    only, without inputs, and without words that its member hides.
    """

    job: Job
    original: GenerationRequest
    pictures: Mapping[int, ImageFile | None]
    inputs: tuple[InputImage, ...]
    submission_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemixOptions:
    """A member's options for an action; options it does not take are None.

    `position` is the image, from 0; `url` is an address from which it can be fetched again.
    """

    position: int | None = None
    url: str | None = None
    prompt: str | None = None
    model: str | None = None
    factor: int | None = None
    images: int | None = None
    aspect_ratio: str | None = None
    detail: int | None = None

    @property
    def changes(self) -> RequestChanges:
        """The changes of the job's request."""
        return RequestChanges(
            prompt=self.prompt,
            model=self.model,
            aspect_ratio=self.aspect_ratio,
            images=self.images,
            detail=self.detail,
        )


AT_ONCE: Final = {Action.VARY: RemixOptions(images=1), Action.UPSCALE: RemixOptions(factor=UPSCALES[0])}
"""The options of actions on one picture without a form."""

# What the prices on a card are for.
_PRICED: Final = {Action.AGAIN: RemixOptions(), Action.CUT_OUT: RemixOptions(), **AT_ONCE}


class RemixService:
    """Requests built from earlier jobs, and deletion of jobs.

    `current` returns the catalogue with the present default model.
    """

    def __init__(
        self,
        *,
        database: Database,
        image_service: ImageService,
        clock: Clock,
        catalogue: Catalogue,
        register: DeletionRegister,
        current: Callable[[], Catalogue] | None = None,
    ) -> None:
        self._database = database
        self._register = register
        self._image_service = image_service
        self._clock = clock
        self._catalogue = catalogue
        self._current = current or (lambda: catalogue)

    async def get_source(self, job_id: str, actor: Actor) -> Source:
        """Return an ended job as a source.

        Every member who can see its card may use it, and pays for the new job.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            JobRunningError: the job has not ended.
            NotAllowedError: the job is another member's private one.
            PicturesHiddenError: its pictures are hidden after reports.
            DuelOpenError: the job is in a duel before its end.
        """

        def read(connection: Connection) -> Source:
            job = JobRepository(connection).get(job_id)
            check_visible(job, actor)
            if not job.state.ended:
                raise JobRunningError
            check_usable(connection, job)
            return Source(
                job=job,
                original=_original(connection, job),
                pictures=ResultImageRepository(connection).files_by_position(job_id),
                inputs=tuple(_with_file(connection, each) for each in job.request.inputs),
            )

        return await self._database.read(read)

    async def get_shared(self, submission_id: str, actor: Actor) -> Source:
        """Return a post in the showcase as a source.

        Its member shared it, so others may start from it while it is there: also from a private job.

        Raises:
            SubmissionNotFoundError: the actor's server has no such submission.
            SubmissionStateError: it is not in the showcase.
            JobDeletedError: the job was deleted.
            PicturesHiddenError: its pictures are hidden after reports.
        """

        def read(connection: Connection) -> Source:
            submission = require_post(connection, submission_id, actor.guild_id)
            job = JobRepository(connection).get(submission.job_id)
            if job.deleted_at is not None:
                raise JobDeletedError
            check_usable(connection, job)
            files = ResultImageRepository(connection).files_by_position(job.id)
            request = _shared(_original(connection, job), shows_prompt=submission.options.show_prompt)
            return Source(
                job=replace(job, request=request),
                original=request,
                pictures={position: files.get(position) for position in submission.positions},
                inputs=(),
                submission_id=submission_id,
            )

        return await self._database.read(read)

    async def get_form_source(self, form: CardForm, actor: Actor) -> Source:
        """Return the source of a form; raises as `get_source` or `get_shared`."""
        if form.submission_id is not None:
            return await self.get_shared(form.submission_id, actor)
        return await self.get_source(form.job_id, actor)

    def build_request(self, source: Source, action: Action, options: RemixOptions) -> tuple[GenerationRequest, Origin]:
        """Return the request of an action on a job, and its origin.

        Raises:
            ImageGoneError: an input image is neither kept nor fetchable.
            JobStateError: the job has no such image.
            RequestError: an option is not possible.
            PromptError: its prompt is no longer kept.
            StudioClosedError: no provider offers a model for it.
        """
        job = source.job
        if action is Action.AGAIN:
            if any(each.file is None and each.url is None for each in source.inputs):
                raise ImageGoneError(own=False)
            same = replace(job.request, inputs=source.inputs)
            origin = Origin(action=action, job_id=job.id, submission_id=source.submission_id)
            return make_again(same, options.changes, self._catalogue), origin
        position = options.position or 0
        if position not in source.pictures:
            raise JobStateError(job.state, action)
        origin = Origin(action=action, job_id=job.id, position=position, submission_id=source.submission_id)
        picture = InputImage(
            url=options.url, file=source.pictures[position], parent=ImageRef(job_id=job.id, position=position)
        )
        if picture.file is None and picture.url is None:
            raise ImageGoneError
        return self._of_picture(source, action, picture, options), origin

    def build_again_at(self, source: Source, model_id: str) -> tuple[GenerationRequest, Origin]:
        """Return the same request at another model, with all of its options.

        Raises:
            ImageGoneError: an input image is neither kept nor fetchable.
            NotOfferedError: the model cannot do the request any more.
        """
        if any(each.file is None and each.url is None for each in source.inputs):
            raise ImageGoneError(own=False)
        request = at_model(replace(source.job.request, inputs=source.inputs), model_id, self._catalogue)
        if request is None:
            raise NotOfferedError
        return request, Origin(action=Action.AGAIN, job_id=source.job.id, submission_id=source.submission_id)

    def build_quote(self, source: Source, action: Action, options: RemixOptions) -> GenerationRequest:
        """Return an action's request without its image, to know its price.

        Raises as `build_request` does.
        """
        if action is Action.AGAIN:
            return make_again(source.job.request, options.changes, self._catalogue)
        return self._of_picture(source, action, InputImage(), options)

    async def get_prices(self, job: Job) -> dict[Action, int]:
        """Return the prices on a job's card; impossible actions have none."""
        original = job.request
        if _is_processed(job):
            original = await self._database.read(lambda connection: _original(connection, job))
        source = Source(job=job, original=original, pictures={}, inputs=job.request.inputs)
        prices = {}
        for action, options in _PRICED.items():
            try:
                prices[action] = price(self.build_quote(source, action, options), self._catalogue)
            except AtelierError:
                continue
        return prices

    def _of_picture(
        self, source: Source, action: Action, picture: InputImage, options: RemixOptions
    ) -> GenerationRequest:
        original, prompt = source.original, options.prompt or ""
        # An image is processed without its prompt too.
        own = replace(source.job.request, prompt=original.prompt or KEEP_AS_IT_IS)
        catalogue = self._current()
        match action:
            case Action.VARY:
                if options.prompt is None:
                    require_prompt(original)
                one = replace(original, images=1)
                return make_variation(one, picture, catalogue, changes=options.changes)
            case Action.EDIT:
                return make_edit(original, picture, prompt, catalogue, model=options.model)
            case Action.REFERENCE:
                return make_reference(original, picture, prompt, catalogue, model=options.model)
            case Action.UPSCALE:
                return make_upscale(own, picture, options.factor or 0, catalogue)
            case Action.CUT_OUT:
                return make_cut_out(own, picture, catalogue)
            case _:
                raise ValueError(f"{action} starts from no picture")

    async def get_deletable(self, job_id: str, actor: Actor) -> Job:
        """Return a job after checking the actor's permission to delete it.

        Raises:
            JobNotFoundError: there is no such job.
            JobRunningError: the job has not ended.
            NotAllowedError: see `check_manageable`.
        """
        return await self._database.read(lambda connection: _deletable(connection, job_id, actor))

    async def delete(self, job_id: str, actor: Actor) -> Job:
        """Delete a job's images and inputs, and return the job.

        The caller deletes its card. Jobs made from it stay, and so does its charge. Idempotent. Raises as
        `get_deletable` does.

        Raises:
            OSError: the deletion cannot be registered; nothing was deleted.
        """
        now = self._clock.now()
        if (await self.get_deletable(job_id, actor)).deleted_at is None:
            # First: once something is deleted here, no restored backup may bring it back.
            await asyncio.to_thread(self._register.add_job, job_id, now)

        def write(connection: Connection) -> tuple[Job, list[tuple[str, str]]]:
            job = _deletable(connection, job_id, actor)
            return job, JobDeletionRepository(connection).delete(job_id, now, now)

        job, unneeded = await self._database.write(write)
        for sha256, media_type in unneeded:
            await self._image_service.discard(sha256, media_type, older_than=now - _RECENT)
        return job


def _deletable(connection: Connection, job_id: str, actor: Actor) -> Job:
    job = JobRepository(connection).get(job_id)
    check_manageable(job, actor)
    if not job.state.ended:
        raise JobRunningError
    return job


def _original(connection: Connection, job: Job) -> GenerationRequest:
    """Return the request behind a job's images.

    The job itself may only have processed them.
    """
    jobs, found = JobRepository(connection), job
    for _ in range(_MAX_PROCESSING_STEPS):
        if found.origin is None or not _is_processed(found):
            break
        parent = jobs.find(found.origin.job_id)
        if parent is None:
            break
        found = parent
    return found.request


def _is_processed(job: Job) -> bool:
    """Return whether a job only processed the image of another."""
    return job.origin is not None and job.origin.action in _PROCESSED


def _shared(request: GenerationRequest, *, shows_prompt: bool) -> GenerationRequest:
    """Return a shared request without inputs, seed, preset and hidden words."""
    bare = replace(request, inputs=(), keeps_picture=False, keep_aspect_ratio=False, seed=None, preset="")
    return bare if shows_prompt else replace(bare, prompt=ERASED_PROMPT, negative="")


def _with_file(connection: Connection, picture: InputImage) -> InputImage:
    """Return an input with its file.

    If the input was a result image of ours, that image's file may still be kept.
    """
    if picture.file is not None or picture.parent is None:
        return picture
    files = ResultImageRepository(connection).files_by_position(picture.parent.job_id)
    return replace(picture, file=files.get(picture.parent.position))
