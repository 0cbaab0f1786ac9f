"""Input images served to providers while their job is live."""

from dataclasses import dataclass
from pathlib import Path

from bot.domain.images import ImageFile
from bot.engine.callback_urls import hash_token
from bot.images.image_service import ImageService
from db.database import Database
from db.inputs import InputImageRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    """An image file to serve for a job."""

    job_id: str
    file: ImageFile


class ServedFileService:
    """Look-up of served files by token."""

    def __init__(self, *, database: Database, image_service: ImageService) -> None:
        self._database = database
        self._image_service = image_service

    async def find(self, token: str) -> ServedFile | None:
        """Return the file behind a token until its job ends, else None.

        Every call costs one hash and one look-up, so its duration reveals nothing to a stranger.
        """
        token_hash = hash_token(token)
        served = await self._database.read(lambda connection: InputImageRepository(connection).find_served(token_hash))
        if served is None:
            return None
        job_id, file = served
        return ServedFile(job_id=job_id, file=file)

    async def local_file(self, served: ServedFile) -> Path:
        """Return the file on this machine's disk.

        Raises:
            ImageError: GONE if it is no longer in the store.
            OSError: the store cannot be read.
        """
        return await self._image_service.local_file(served.file)
