"""Download of finished images.

Stored images are kept between tries; unusable ones are not tried again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import Job
from bot.domain.provenance import Mark, mark_for
from bot.engine.decode_guard import DecodeGuard
from bot.engine.input_store import InputStore
from bot.engine.picture_screen import PictureScreen
from bot.engine.storage_gate import StorageGate
from bot.images.download import NO_CONNECTION
from bot.images.fair_queue import FairQueue
from bot.images.image_service import ImageService, is_inline
from bot.images.url_policy import RESOLVED
from bot.providers.base import Finished

_log = structlog.get_logger(__name__)

_CONCURRENT_JOBS: Final = 16
_CONCURRENT_JOBS_OF_MEMBER: Final = 2
_TRIES_WHEN_SHORT: Final = 3


@dataclass(slots=True)
class ResultDownloadProgress:
    """Stored and unusable URLs of a job.

    `taken_down` are those of images that were taken down before: they are not kept. A restart loses the progress and
    downloads again.
    """

    stored: dict[str, ImageFile] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)
    short: dict[str, int] = field(default_factory=dict)
    taken_down: set[str] = field(default_factory=set)

    def images(self, job: Job, urls: Sequence[str]) -> list[ResultImage]:
        """Return the stored images in the provider's order."""
        return [
            ResultImage(job_id=job.id, position=position, file=file)
            for position, file in enumerate(self.stored[url] for url in urls if url in self.stored)
        ]


class ResultDownloader:
    """Downloads and stores images, a bounded number of jobs at a time.

    `screen` finds images that were taken down.
    """

    def __init__(
        self,
        image_service: ImageService,
        storage_gate: StorageGate,
        decode_guard: DecodeGuard,
        input_store: InputStore,
        screen: PictureScreen | None = None,
    ) -> None:
        self._screen = screen
        self._image_service = image_service
        self._input_store = input_store
        self._storage_gate = storage_gate
        self._decode_guard = decode_guard
        self._queue = FairQueue(slots=_CONCURRENT_JOBS, budget=0, per_member=_CONCURRENT_JOBS_OF_MEMBER)

    async def download(self, job: Job, provider: str, urls: Sequence[str], progress: ResultDownloadProgress) -> bool:
        """Download missing images; return whether another try is useless.

        No more images are downloaded than were requested. An unreachable host, a host that resolves to a forbidden
        address and a full disk may recover; a file that is no image stays unusable. If no image could be fetched or
        stored for such a reason, the storage gate closes.
        """
        complete = True
        before = len(progress.stored)
        unfetched: list[tuple[str, ImageError]] = []
        if self._decode_guard.is_given_up(job):
            _log.error("picture.undecodable", job=job.id, provider=provider)
            return True
        mark = await self._mark(job)
        async with self._queue.turn(job.place.member_id), self._decode_guard.turn(job):
            for url in urls:
                if len(progress.stored) == job.request.images:
                    break
                if url not in progress.stored and url not in progress.unusable:
                    complete &= await self._try(job, provider, url, progress, unfetched, mark)
            if unfetched and len(progress.stored) == before:
                self._storage_gate.record_download_failure(provider, *unfetched[0])
            complete |= len(progress.stored) == job.request.images
            return await self._keep_stored(progress) and complete

    async def keep(self, answer: Finished) -> Finished:
        """Write the images of an answer to the disk, and return it with addresses.

        An address in the answer that names such a file is left out.

        Raises:
            OSError: they cannot be written.
        """
        urls: list[str] = []
        try:
            for data in answer.image_files:
                url = await self._image_service.keep_inline(data)
                urls.append(url)
        except OSError as error:
            self._storage_gate.record_write_failure(error)
            await self.drop(urls)
            raise
        addresses = (url for url in answer.image_urls if not is_inline(url))
        return replace(answer, image_urls=(*addresses, *urls), image_files=())

    async def drop(self, urls: Iterable[str]) -> None:
        """Delete the files of `keep`: the images are recorded or given up."""
        try:
            await self._image_service.drop_inline(urls)
        except OSError as error:
            _log.warning("picture.not_dropped", error=type(error).__name__, errno=error.errno)  # swept in a day

    def forget(self, progress: ResultDownloadProgress) -> None:
        """Note the images of a job, recorded or not."""
        self._image_service.note_unrecorded(progress.stored.values())

    async def _keep_stored(self, progress: ResultDownloadProgress) -> bool:
        """Keep the stored images until they are recorded.

        Return False if the store cannot be reached, or if one is gone: deleting the same image elsewhere removes its
        file while no row refers to this job's copy.
        """
        for url, file in list(progress.stored.items()):
            try:
                is_kept = await self._image_service.keep(file)
            except OSError as error:
                self._storage_gate.record_write_failure(error)
                return False
            if not is_kept:
                del progress.stored[url]
                return False
        return True

    async def _mark(self, job: Job) -> Mark:
        """Return the mark of the job's images."""
        inputs = job.request.inputs
        from_photo = bool(inputs) and await self._input_store.comes_from_photo(job.id)
        return mark_for(job.request.model, inputs, from_photo=from_photo)

    async def _try(
        self,
        job: Job,
        provider: str,
        url: str,
        progress: ResultDownloadProgress,
        unfetched: list[tuple[str, ImageError]],
        mark: Mark,
    ) -> bool:
        try:
            file = await self._image_service.store_url(
                url,
                member=job.place.member_id,
                before_decoding=self._decode_guard.before_decoding(job),
                mark=mark,
            )
        except ImageError as error:
            _log.warning("picture.unusable", job=job.id, provider=provider, problem=error.problem, detail=error.detail)
            if _is_not_fetched(error):
                unfetched.append((url, error))
                return False
            if error.problem is ImageProblem.UNREACHABLE:
                return False
            if error.problem is ImageProblem.TRUNCATED:
                # The connection may have broken; a file truncated every time is truncated.
                progress.short[url] = progress.short.get(url, 0) + 1
                if progress.short[url] < _TRIES_WHEN_SHORT:
                    return False
            if error.problem is ImageProblem.DECODER_DIED and not await self._decode_guard.record_failure(job):
                return False
            progress.unusable.add(url)
            if error.problem is ImageProblem.FORBIDDEN_ADDRESS:
                return True  # not fetched: no word on the provider's other images
        except OSError as error:
            _log.error("picture.not_stored", job=job.id, error=type(error).__name__, errno=error.errno)
            self._storage_gate.record_write_failure(error)
            return False
        else:
            await self._screen_stored(job, url, file, progress)
        self._storage_gate.record_success(provider, None if is_inline(url) else url)
        return True

    async def _screen_stored(self, job: Job, url: str, file: ImageFile, progress: ResultDownloadProgress) -> None:
        """Keep a stored image, unless it was taken down."""
        if self._screen is not None and await self._screen.refuses_result(job, file):
            self._image_service.note_unrecorded([file])
            progress.unusable.add(url)
            progress.taken_down.add(url)
        else:
            progress.stored[url] = file


def _is_not_fetched(error: ImageError) -> bool:
    """Return whether the host was not even asked.

    The network or the name server of this machine may be at fault, not the image.
    """
    if error.problem is ImageProblem.FORBIDDEN_ADDRESS:
        return error.detail == RESOLVED
    return error.problem is ImageProblem.UNREACHABLE and error.detail.startswith(NO_CONNECTION)
