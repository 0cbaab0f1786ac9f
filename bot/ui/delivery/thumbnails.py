"""Small versions of pictures for lists."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog

from bot.domain.errors import ImageError
from bot.domain.images import ResultImage
from bot.images.decoder_values import Upload
from bot.images.image_service import ImageService

_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


async def prepare_thumbnails(
    images: ImageService, pictures: Mapping[str, ResultImage], *, member: int
) -> dict[str, Upload]:
    """Return the thumbnails ready in time, by the keys of `pictures`."""
    found: dict[str, Upload] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            for key, picture in pictures.items():
                try:
                    found[key] = await images.prepare_thumbnail(picture.file, member=member)
                except (OSError, ImageError) as error:
                    _log.error("thumbnail.not_made", job=picture.job_id, error=type(error).__name__)
    return found
