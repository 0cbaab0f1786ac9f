"""Fetching what jobs start from, before they stand in line: what is here is kept between tries."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.domain.images import ImageFile, InputImage
from bot.domain.jobs import Job
from bot.images.image_service import ImageService

_log = structlog.get_logger(__name__)

# Jobs whose inputs are fetched at the same time; the others' turn comes with their next look.
_AT_ONCE: Final = 32
_TURN_SECONDS: Final = 1.0
_TRIES_WHEN_SHORT: Final = 3
# Longer than a hiccup of Discord's, shorter than anybody waits for a card that says nothing new.
_FETCH_SECONDS: Final = 120.0
_LONGEST_PAUSE: Final = 30.0

_FAULTS: Final = {
    ImageProblem.GONE: FaultKind.INPUT_GONE,
    ImageProblem.FORBIDDEN_ADDRESS: FaultKind.INPUT_GONE,
    ImageProblem.TOO_LARGE: FaultKind.INPUT_TOO_LARGE,
    ImageProblem.TOO_SMALL: FaultKind.INPUT_TOO_SMALL,
    ImageProblem.NOT_A_PICTURE: FaultKind.INPUT_UNUSABLE,
    ImageProblem.TRUNCATED: FaultKind.INPUT_UNUSABLE,
}


@dataclass(slots=True)
class InputDownloadProgress:
    """What has come of a job's inputs so far, by position; losing it in a restart only fetches them again."""

    files: dict[int, ImageFile] = field(default_factory=dict)
    faults: dict[int, FaultKind] = field(default_factory=dict)
    short: dict[int, int] = field(default_factory=dict)
    tries: int = 0
    since: float = 0.0
    not_stored: bool = False

    @property
    def fault(self) -> FaultKind | None:
        """Why the first of those that can never be used cannot; None while each may."""
        return self.faults[min(self.faults)] if self.faults else None


class InputDownloader:
    """Fetches inputs, a bounded number of jobs at a time.

    `knows` tells whether an address is one where Discord keeps files: no other is fetched. `served` tells whether
    providers get what is stored; else they fetch the address themselves, and what had to be converted here would still
    be there as it came.
    """

    def __init__(self, image_service: ImageService, *, knows: Callable[[str], bool], served: bool) -> None:
        self._image_service = image_service
        self._knows = knows
        self._served = served
        self._jobs: dict[str, InputDownloadProgress] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def prepare(self, job: Job, now: float) -> InputDownloadProgress | float:
        """Return what came of it once there is nothing more to fetch, else the seconds to the next try.

        `now` is the monotonic time in seconds.
        """
        if len(self._under_way) >= _AT_ONCE or job.id in self._under_way:
            return _TURN_SECONDS
        preparation = self._jobs.setdefault(job.id, InputDownloadProgress(since=now))
        work = asyncio.create_task(self._fetch(job, preparation))
        self._under_way[job.id] = work
        try:
            await asyncio.wait({work})
        finally:
            del self._under_way[job.id]
            work.cancel()
        if work.cancelled():
            return 0.0  # its member wants something else
        work.result()
        await self._drop_gone(preparation)
        if preparation.fault is not None or not _missing(job, preparation):
            return preparation
        if now - preparation.since >= _FETCH_SECONDS:
            missing, _ = _missing(job, preparation)[0]
            faulty = FaultKind.INTERNAL if preparation.not_stored else FaultKind.INPUT_UNREACHABLE
            preparation.faults[missing] = faulty
            return preparation
        preparation.tries += 1
        return min(2.0**preparation.tries, _LONGEST_PAUSE)

    def interrupt(self, job_id: str) -> None:
        """Stop fetching for a job, so that it is looked at."""
        if work := self._under_way.get(job_id):
            work.cancel()

    def forget(self, job_id: str) -> None:
        """Forget what is known of a job's inputs: they are written down, or another worker has it."""
        self._jobs.pop(job_id, None)

    async def _drop_gone(self, preparation: InputDownloadProgress) -> None:
        """Forget files that are gone: whoever deletes the same picture knows of none that is not written down yet."""
        for at, file in list(preparation.files.items()):
            if not await self._image_service.exists(file.sha256, file.media_type):
                del preparation.files[at]

    async def _fetch(self, job: Job, preparation: InputDownloadProgress) -> None:
        preparation.not_stored = False
        async with asyncio.TaskGroup() as group:
            for at, picture in _missing(job, preparation):
                group.create_task(self._try(job, at, picture, preparation))

    async def _try(self, job: Job, at: int, picture: InputImage, preparation: InputDownloadProgress) -> None:
        if picture.url is None or not self._knows(picture.url):
            preparation.faults[at] = FaultKind.INPUT_GONE
            return
        try:
            kept = await self._image_service.store_input(picture.url)
        except ImageError as error:
            _log.warning("input.unusable", job=job.id, position=at, problem=error.problem, detail=error.detail)
            if error.problem is ImageProblem.UNREACHABLE:
                return
            if error.problem is ImageProblem.TRUNCATED:
                # The connection may have broken; a file that is short each time is short.
                preparation.short[at] = preparation.short.get(at, 0) + 1
                if preparation.short[at] < _TRIES_WHEN_SHORT:
                    return
            preparation.faults[at] = _FAULTS[error.problem]
        except OSError as error:
            preparation.not_stored = True
            _log.error("input.not_stored", job=job.id, position=at, error=type(error).__name__, errno=error.errno)
        else:
            if kept.converted and not self._served:
                preparation.faults[at] = FaultKind.INPUT_UNUSABLE
                return
            preparation.files[at] = kept.file


def _missing(job: Job, preparation: InputDownloadProgress) -> list[tuple[int, InputImage]]:
    return [
        (at, picture)
        for at, picture in enumerate(job.request.inputs)
        if picture.file is None and at not in preparation.files and at not in preparation.faults
    ]
