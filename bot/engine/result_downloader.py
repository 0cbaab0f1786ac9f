"""Fetching a job's finished pictures: what is here is kept between tries, what can never come is not tried again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import Job
from bot.images.image_service import ImageService

_log = structlog.get_logger(__name__)

# Each decodes a picture in memory.
_AT_ONCE: Final = 16
_TRIES_WHEN_SHORT: Final = 3


@dataclass(slots=True)
class ResultDownloadProgress:
    """What has come of a job's addresses so far; losing it in a restart only fetches them again."""

    kept: dict[str, ImageFile] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)
    short: dict[str, int] = field(default_factory=dict)

    def pictures(self, job: Job, urls: Sequence[str]) -> list[ResultImage]:
        """Return the job's pictures that are stored, in the provider's order."""
        return [
            ResultImage(job_id=job.id, position=position, file=file)
            for position, file in enumerate(self.kept[url] for url in urls if url in self.kept)
        ]


class ResultDownloader:
    """Fetches and stores pictures, a bounded number of jobs at a time."""

    def __init__(self, image_service: ImageService) -> None:
        self._image_service = image_service
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, job: Job, provider: str, urls: Sequence[str], fetched: ResultDownloadProgress) -> bool:
        """Fetch what is missing, up to as many as were asked for; return whether another try could bring nothing more.

        An unreachable host and a full disk may be over in a while; a file that is no picture stays none.
        """
        complete = True
        async with self._turn:
            for url in urls:
                if len(fetched.kept) == job.request.images:
                    return True
                if url not in fetched.kept and url not in fetched.unusable:
                    complete &= await self._try(job, provider, url, fetched)
        return complete or len(fetched.kept) == job.request.images

    async def _try(self, job: Job, provider: str, url: str, fetched: ResultDownloadProgress) -> bool:
        try:
            fetched.kept[url] = await self._image_service.store_url(url)
        except ImageError as error:
            _log.warning("picture.unusable", job=job.id, provider=provider, problem=error.problem)
            if error.problem is ImageProblem.UNREACHABLE:
                return False
            if error.problem is ImageProblem.TRUNCATED:
                # The connection may have broken; a file that is short each time is short.
                fetched.short[url] = fetched.short.get(url, 0) + 1
                if fetched.short[url] < _TRIES_WHEN_SHORT:
                    return False
            fetched.unusable.add(url)
        except OSError as error:
            _log.error("picture.not_stored", job=job.id, error=type(error).__name__, errno=error.errno)
            return False
        return True
