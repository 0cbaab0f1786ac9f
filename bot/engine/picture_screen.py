"""Comparison of input and result images with the list of takedowns."""

import structlog
from sqlalchemy import Connection

from bot.domain.images import ImageFile
from bot.domain.jobs import Job
from bot.moderation.hash_list import first_match
from db.age_restriction import is_restricted_file
from db.database import Database
from db.takedowns import TakedownRepository

_log = structlog.get_logger(__name__)


class PictureScreen:
    """Finds images taken down in a job's guild, or everywhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refuses_input(self, job: Job, file: ImageFile, *original: str) -> bool:
        """Return whether an input image was taken down.

        `original` are the hashes of its file before it was sanitized.
        """
        return await self._find(job, file, *original, as_input=True) is not None

    async def is_misplaced(self, job: Job, file: ImageFile, *original: str) -> bool:
        """Return whether an input is age-restricted, unlike its job."""
        if job.age_restricted:
            return False
        hashes = {file.sha256, *original}
        return await self._database.read(lambda connection: is_restricted_file(connection, hashes, file.fingerprint))

    async def refuses_result(self, job: Job, file: ImageFile) -> bool:
        """Return whether a result image was taken down, or its job is."""
        return await self._find(job, file, as_input=False) is not None

    async def _find(self, job: Job, file: ImageFile, *original: str, as_input: bool) -> str | None:
        hashes = {file.sha256, *original}

        def read(connection: Connection) -> str | None:
            takedowns = TakedownRepository(connection)
            listed = takedowns.list_refused(job.place.guild_id, hashes, file.fingerprint)
            return first_match(hashes, file.fingerprint, listed) or takedowns.covering(job.id)

        code = await self._database.read(read)
        if code is not None:
            _log.warning("picture.taken_down", job=job.id, takedown=code, as_input=as_input)
        return code
