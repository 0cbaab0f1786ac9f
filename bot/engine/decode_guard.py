"""Counts of fatal decodings, kept over restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from bot.domain.jobs import Job
from bot.engine.input_store import InputStore
from bot.images.decoder_pool import BeforeDecoding

_log = structlog.get_logger(__name__)

MOST_DECODE_TRIES: Final = 3
"""Fatal decodings of a job's images until the images are given up."""

# A decoding that takes less cannot end the bot. It is counted once it has ended its process.
_COUNTED_BYTES: Final = 64 * 1024 * 1024


class DecodeGuard:
    """Counts a job's decoding before it begins if it could end the bot.

    A job whose decoding did not end is decoded alone from then on, and given up after `MOST_DECODE_TRIES`.
    """

    def __init__(self, input_store: InputStore) -> None:
        self._input_store = input_store
        # Jobs with a decoding that is counted in the database, and has not failed since.
        self._counted: set[str] = set()
        self._alone = asyncio.Lock()

    def is_given_up(self, job: Job) -> bool:
        """Return whether the job's images may not be decoded any more."""
        return self._failures(job) >= MOST_DECODE_TRIES

    @asynccontextmanager
    async def turn(self, job: Job) -> AsyncIterator[None]:
        """Decode a job alone if an earlier decoding of its images failed."""
        if not self._failures(job):
            yield
            return
        async with self._alone:
            yield

    def before_decoding(self, job: Job) -> BeforeDecoding:
        """Return a callback to count a decoding before it begins."""

        async def count(cost: int) -> None:
            if cost >= _COUNTED_BYTES and job.id not in self._counted:
                await self._input_store.add_decode_tries(job.id)
                self._counted.add(job.id)

        return count

    async def record_failure(self, job: Job) -> bool:
        """Count a fatal decoding; return whether to give up."""
        if job.id in self._counted:
            self._counted.discard(job.id)
            failures = await self._input_store.add_decode_tries(job.id, number=0)
        else:
            failures = await self._input_store.add_decode_tries(job.id)
        _log.warning("job.decoder_died", job=job.id, tries=failures)
        return failures >= MOST_DECODE_TRIES

    def forget(self, job_id: str) -> None:
        """Forget an ended, prepared or foreign job."""
        self._counted.discard(job_id)

    async def release(self) -> None:
        """Take back the counts of decodings interrupted by a stop."""
        counted, self._counted = tuple(self._counted), set()
        if counted:
            await self._input_store.add_decode_tries(*counted, number=-1)

    def _failures(self, job: Job) -> int:
        return job.decode_tries - (job.id in self._counted)
