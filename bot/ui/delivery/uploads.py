"""A job's images as uploads: fitted, named, opened for each try."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import discord
import structlog

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ResultImage
from bot.domain.provenance import Mark
from bot.images.decoder_values import Upload
from bot.images.image_service import ImageService
from bot.ui.render.job_card import Attached

# Discord takes 25 MiB a request; the card itself and the multipart's seams need some of it.
MAX_REQUEST_BYTES: Final = 24 * 1024 * 1024

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Uploads:
    """Images ready to upload. Those too large or missing are left out."""

    ready: tuple[Upload, ...] = ()

    @property
    def attached(self) -> tuple[Attached, ...]:
        """The files as the card needs them."""
        return tuple(
            Attached(filename=f"atelier-{number}.{upload.extension}", reencoded=upload.reencoded)
            for number, upload in enumerate(self.ready, 1)
        )

    def files(self) -> list[discord.File]:
        """Return the files, opened; raises `ImageError` where one cannot be read."""
        try:
            return [open_file(upload, each.filename) for upload, each in zip(self.ready, self.attached, strict=True)]
        except OSError as error:
            raise ImageError(ImageProblem.GONE, "store") from error


def fair_limit(pictures: Sequence[ResultImage], limit: int) -> int:
    """Return the byte limit of each image.

    They fit `limit` each, and one request together.
    """
    largest = max((picture.file.size for picture in pictures), default=0)
    return min(limit, MAX_REQUEST_BYTES // max(1, len(pictures)), max(largest, 1))


async def prepare_uploads(
    image_service: ImageService,
    pictures: Sequence[ResultImage],
    limit: int,
    *,
    member: int,
    mark: Mark | None = None,
) -> Uploads:
    """Fit the pictures to `limit` bytes a file, in the member's turn.

    Re-encoded ones have the mark of their file, else `mark`.

    Raises OSError where the store cannot be read, and `ImageError` (GONE) where it has none of them: then it may be
    the store that is away.
    """
    ready: list[Upload] = []
    gone = 0
    for picture in pictures:
        try:
            ready.append(await image_service.prepare_upload(picture.file, limit, member=member, mark=mark))
        except ImageError as error:
            gone += error.problem is ImageProblem.GONE
            _log.error("picture.not_shown", job=picture.job_id, position=picture.position, problem=error.problem)
    if pictures and gone == len(pictures):
        raise ImageError(ImageProblem.GONE, "store")
    return Uploads(tuple(ready))


def open_file(upload: Upload, filename: str) -> discord.File:
    """Return an upload as a file under a name; raises OSError if it is gone."""
    content = upload.content
    return discord.File(content if isinstance(content, Path) else io.BytesIO(content), filename=filename)
