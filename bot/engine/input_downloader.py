"""Download of input images before a job is queued.

Finished downloads are kept between tries.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.domain.images import InputImage
from bot.domain.jobs import Job
from bot.engine.decode_guard import DecodeGuard
from bot.engine.picture_screen import PictureScreen
from bot.engine.storage_gate import StorageGate
from bot.images.decoder_values import SanitizedImage
from bot.images.disk_space import DiskFullError
from bot.images.file_types import UNKNOWN_FORMAT
from bot.images.image_service import ImageService
from bot.images.url_policy import RESOLVED

_log = structlog.get_logger(__name__)

# Jobs with running downloads; other jobs try again with their next step.
_CONCURRENT_JOBS: Final = 32
_CONCURRENT_JOBS_OF_MEMBER: Final = 3
_BUSY_SECONDS: Final = 1.0
_TRIES_WHEN_SHORT: Final = 3
# Longer than a short outage of Discord, shorter than a member's patience with an unchanged card.
_DOWNLOAD_SECONDS: Final = 120.0
_LONGEST_PAUSE_SECONDS: Final = 30.0

_FAULTS: Final = {
    ImageProblem.GONE: FaultKind.INPUT_GONE,
    ImageProblem.FORBIDDEN_ADDRESS: FaultKind.INPUT_GONE,
    ImageProblem.TOO_LARGE: FaultKind.INPUT_TOO_LARGE,
    ImageProblem.TOO_SMALL: FaultKind.INPUT_TOO_SMALL,
    ImageProblem.NOT_A_PICTURE: FaultKind.INPUT_UNUSABLE,
    ImageProblem.OVER_QUOTA: FaultKind.QUOTA,
    ImageProblem.TRUNCATED: FaultKind.INPUT_BROKEN,
    ImageProblem.DECODER_DIED: FaultKind.INPUT_UNDECODABLE,
}


@dataclass(slots=True)
class InputDownloadProgress:
    """Downloaded inputs and faults of a job, by position.

    A restart loses it and downloads again. `room` is the space that the member's recorded images leave in bytes (None:
    unlimited), `claims` are the bytes of the job's own images by position.
    """

    files: dict[int, SanitizedImage] = field(default_factory=dict)
    faults: dict[int, FaultKind] = field(default_factory=dict)
    short: dict[int, int] = field(default_factory=dict)
    undecoded: set[int] = field(default_factory=set)
    tries: int = 0
    since: float = 0.0
    member_id: int = 0
    room: int | None = None
    claims: dict[int, int] = field(default_factory=dict)
    not_stored: bool = False

    @property
    def fault(self) -> FaultKind | None:
        """Fault of the first unusable input; None if all may be usable."""
        return self.faults[min(self.faults)] if self.faults else None


class InputDownloader:
    """Downloads inputs for a bounded number of jobs at a time.

    `is_allowed` tells whether a URL is one of Discord's file hosts: no other is downloaded. `screen` finds images that
    were taken down.
    """

    def __init__(
        self,
        image_service: ImageService,
        storage_gate: StorageGate,
        *,
        decode_guard: DecodeGuard,
        is_allowed: Callable[[str], bool],
        screen: PictureScreen | None = None,
    ) -> None:
        self._image_service = image_service
        self._storage_gate = storage_gate
        self._decode_guard = decode_guard
        self._is_allowed = is_allowed
        self._screen = screen
        self._progress: dict[str, InputDownloadProgress] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._members: dict[str, int] = {}

    async def prepare(self, job: Job, now: float, room: int | None = None) -> InputDownloadProgress | float:
        """Return the progress once complete, else the seconds to the next try.

        `now` is the monotonic time in seconds. `room` is the space in bytes left by the member's recorded images; None:
        unlimited.
        """
        member = job.place.member_id
        of_member = sum(each == member for each in self._members.values())
        if job.id in self._running or len(self._running) >= _CONCURRENT_JOBS or of_member >= _CONCURRENT_JOBS_OF_MEMBER:
            return _BUSY_SECONDS
        progress = self._progress.setdefault(job.id, InputDownloadProgress(since=now, member_id=job.place.member_id))
        progress.room = room
        work = asyncio.create_task(self._download(job, progress))
        self._running[job.id] = work
        self._members[job.id] = member
        try:
            await asyncio.wait({work})
        finally:
            del self._running[job.id], self._members[job.id]
            work.cancel()
        if work.cancelled():
            return 0.0  # the member cancelled the job
        work.result()
        await self._drop_gone(progress)
        if progress.fault is not None or not _missing(job, progress):
            return progress
        if now - progress.since >= _DOWNLOAD_SECONDS:
            position, _ = _missing(job, progress)[0]
            progress.faults[position] = _fault_when_late(position, progress)
            return progress
        progress.tries += 1
        return min(2.0**progress.tries, _LONGEST_PAUSE_SECONDS)

    def interrupt(self, job_id: str) -> None:
        """Stop the download of a job, so that its next step comes at once."""
        if work := self._running.get(job_id):
            work.cancel()

    def interrupt_all(self) -> None:
        """Stop all downloads: the next process begins them again."""
        for work in self._running.values():
            work.cancel()

    def forget(self, job_id: str) -> None:
        """Drop a job's progress: it is stored, or another worker owns the job."""
        progress = self._progress.pop(job_id, None)
        if progress is not None:
            # The job may have ended before its inputs were recorded.
            self._image_service.note_unrecorded(kept.file for kept in progress.files.values())
        self._decode_guard.forget(job_id)

    async def _drop_gone(self, progress: InputDownloadProgress) -> None:
        """Drop files deleted meanwhile.

        Deleting the same image elsewhere removes its file: no row refers to this job's copy yet.
        """
        for at, kept in list(progress.files.items()):
            try:
                is_kept = await self._image_service.keep(kept.file)
            except OSError as error:
                self._storage_gate.record_write_failure(error)
                progress.not_stored, is_kept = True, False
            if not is_kept:
                del progress.files[at]

    async def _download(self, job: Job, progress: InputDownloadProgress) -> None:
        progress.not_stored = False
        if self._decode_guard.is_given_up(job):
            position, _ = _missing(job, progress)[0]
            progress.faults[position] = FaultKind.INPUT_UNDECODABLE
            return
        async with self._decode_guard.turn(job), asyncio.TaskGroup() as group:
            for at, image in _missing(job, progress):
                group.create_task(self._try(job, at, image, progress))

    async def _try(self, job: Job, at: int, image: InputImage, progress: InputDownloadProgress) -> None:
        if image.url is None or not self._is_allowed(image.url):
            progress.faults[at] = FaultKind.INPUT_GONE
            return
        try:
            kept = await self._image_service.store_input(
                image.url,
                member=job.place.member_id,
                before_decoding=self._decode_guard.before_decoding(job),
                claim=partial(self._claim, progress, at),
            )
        except ImageError as error:
            progress.claims.pop(at, None)
            _log.warning("input.unusable", job=job.id, position=at, problem=error.problem, detail=error.detail)
            if error.problem is ImageProblem.UNREACHABLE or error.detail == RESOLVED:
                return  # the network or the name server of this machine may be at fault
            if error.problem is ImageProblem.TRUNCATED:
                # The connection may have broken; a file truncated every time is truncated.
                progress.short[at] = progress.short.get(at, 0) + 1
                if progress.short[at] < _TRIES_WHEN_SHORT:
                    return
            if error.problem is ImageProblem.DECODER_DIED:
                progress.undecoded.add(at)
                if not await self._decode_guard.record_failure(job):
                    return
            progress.faults[at] = _fault(error)
        except OSError as error:
            progress.claims.pop(at, None)
            progress.not_stored = True
            if not isinstance(error, DiskFullError):
                # Else this image alone has no room: smaller ones, and those that are paid for, may have.
                self._storage_gate.record_write_failure(error)
            _log.error("input.not_stored", job=job.id, position=at, error=type(error).__name__, errno=error.errno)
        else:
            try:
                fault = await self._screened(job, kept)
            except BaseException:
                self._image_service.note_unrecorded([kept.file])
                raise
            if fault is not None:
                progress.claims.pop(at, None)
                self._image_service.note_unrecorded([kept.file])
                progress.faults[at] = fault
                return
            progress.files[at] = kept
            progress.claims[at] = kept.file.size

    async def _screened(self, job: Job, kept: SanitizedImage) -> FaultKind | None:
        """Return the fault of an image that may not be used here, or None."""
        if self._screen is None:
            return None
        if await self._screen.refuses_input(job, kept.file, kept.original_sha256):
            return FaultKind.INPUT_TAKEN_DOWN
        if await self._screen.is_misplaced(job, kept.file, kept.original_sha256):
            return FaultKind.INPUT_AGE_RESTRICTED
        return None

    def _claim(self, progress: InputDownloadProgress, at: int, size: int) -> None:
        """Reserve a part of the member's space for an input.

        All downloads of the member count, so that several jobs at a time cannot exceed it.
        """
        progress.claims[at] = size
        claimed = [each.claims for each in self._progress.values() if each.member_id == progress.member_id]
        if progress.room is not None and sum(sum(claims.values()) for claims in claimed) > progress.room:
            raise ImageError(ImageProblem.OVER_QUOTA)


def _fault(error: ImageError) -> FaultKind:
    if error.problem is ImageProblem.NOT_A_PICTURE and error.detail != UNKNOWN_FORMAT:
        return FaultKind.INPUT_BROKEN
    return _FAULTS[error.problem]


def _fault_when_late(position: int, progress: InputDownloadProgress) -> FaultKind:
    if position in progress.undecoded:
        return FaultKind.INPUT_UNDECODABLE
    return FaultKind.STORAGE if progress.not_stored else FaultKind.INPUT_UNREACHABLE


def _missing(job: Job, progress: InputDownloadProgress) -> list[tuple[int, InputImage]]:
    return [
        (at, image)
        for at, image in enumerate(job.request.inputs)
        if image.file is None and at not in progress.files and at not in progress.faults
    ]
