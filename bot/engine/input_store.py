"""Input images of jobs in the database, and counts of fatal decodings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.aspect_ratios import with_input_ratio
from bot.domain.catalogue import Catalogue
from bot.domain.errors import FaultKind
from bot.domain.jobs import Job, State
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.job_endings import JobEndings
from bot.engine.ledger import Ledger
from bot.images.decoder_values import SanitizedImage
from db.database import Database
from db.file_references import stored_bytes
from db.inputs import InputImageRepository
from db.jobs import JobRepository


class InputStore:
    """Records the inputs of jobs before their submit.

    Raises:
        StaleJobError: from every method that changes a job, if the job moved on meanwhile.
    """

    def __init__(
        self, *, database: Database, ledger: Ledger, clock: Clock, config: EngineConfig, catalogue: Catalogue
    ) -> None:
        self._database = database
        self._clock = clock
        self._catalogue = catalogue
        self._endings = JobEndings(ledger=ledger, catalogue=catalogue, config=config)

    async def comes_from_photo(self, job_id: str) -> bool:
        """Return whether a job's images go back to a member's own picture."""
        return await self._database.read(lambda connection: InputImageRepository(connection).comes_from_photo(job_id))

    async def stored_bytes(self, member_id: int) -> int:
        """Return the bytes of a member's kept images."""
        return await self._database.read(lambda connection: stored_bytes(connection, member_id))

    async def add_decode_tries(self, *job_ids: str, number: int = 1) -> int:
        """Add to the jobs' counts of fatal decodings.

        Return the count of the last job.
        """

        def write(connection: Connection) -> int:
            counts = [JobRepository(connection).add_decode_tries(job_id, number) for job_id in job_ids]
            return counts[-1]

        return await self._database.write(write)

    async def mark_prepared(self, job: Job, files: Mapping[int, SanitizedImage], *, queued: bool = True) -> Job:
        """Store a job's inputs, by position, and queue it.

        `queued` is False if the inputs must be published first. The job's aspect ratio follows the stored images. The
        price stays as held: no price depends on a ratio.
        """
        now = self._clock.now()
        inputs = tuple(
            replace(each, file=files[at].file, changes=files[at].changes) if at in files else each
            for at, each in enumerate(job.request.inputs)
        )
        request = with_input_ratio(replace(job.request, inputs=inputs), self._catalogue)

        def write(connection: Connection) -> Job:
            noted = JobRepository(connection).set_prepared(job, request, queued=queued)
            self._store_inputs(connection, job, files, now)
            return noted

        return await self._database.write(write)

    async def mark_published(self, job: Job, urls: Sequence[str]) -> Job:
        """Queue a job with the addresses of its published inputs."""
        pairs = zip(job.request.inputs, urls, strict=True)
        request = replace(job.request, inputs=tuple(replace(each, provider_url=url) for each, url in pairs))

        def write(connection: Connection) -> Job:
            noted = JobRepository(connection).set_prepared(job, request)
            InputImageRepository(connection).set_provider_urls(job.id, urls)
            return noted

        return await self._database.write(write)

    async def mark_inputs_failed(self, job: Job, fault: FaultKind, files: Mapping[int, SanitizedImage]) -> Job:
        """Fail a job with an unusable input and release its hold.

        `files` are the inputs that were downloaded.
        """
        now = self._clock.now()

        def write(connection: Connection) -> Job:
            ended = self._endings.end(connection, job, State.FAILED, now, fault=fault)
            self._store_inputs(connection, job, files, now)
            return ended

        return await self._database.write(write)

    def _store_inputs(
        self, connection: Connection, job: Job, files: Mapping[int, SanitizedImage], now: datetime
    ) -> None:
        inputs = InputImageRepository(connection)
        for position, kept in files.items():
            inputs.set_stored(job.id, position, kept.file, now, changes=kept.changes)
