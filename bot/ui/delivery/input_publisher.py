"""Publication of input images on their job's own card."""

from typing import Final

import discord
import structlog

from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.domain.jobs import Job
from bot.engine.input_publisher import PublishError
from bot.images.decoder_values import Upload
from bot.images.fair_queue import FairQueue
from bot.images.image_service import ImageService
from bot.services.job_snapshots import JobSnapshotService
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.discord_errors import RETRYABLE, DiscordErrorKind, classify
from bot.ui.delivery.job_messages import CardGoneError, JobMessages
from bot.ui.delivery.result_delivery import ResultDelivery
from bot.ui.delivery.uploads import MAX_REQUEST_BYTES, open_file

_log = structlog.get_logger(__name__)

# Uploads at a time, of up to 24 MiB each; answers share the line with them.
_PUBLICATIONS_AT_ONCE: Final = 8
_PUBLICATIONS_OF_MEMBER: Final = 2
_MOST_HALVINGS: Final = 4


class CardInputPublisher:
    """An `InputPublisher` that attaches the sanitized images to the card.

    Discord serves attachments at signed addresses, which its answer contains. The card keeps them while the job is
    live. An edit replaces all attachments of the message, so a repetition leaves no second copy.
    """

    def __init__(
        self,
        *,
        snapshots: JobSnapshotService,
        image_service: ImageService,
        messages: JobMessages,
        delivery: ResultDelivery,
        card_updater: CardUpdater,
    ) -> None:
        self._snapshots = snapshots
        self._image_service = image_service
        self._messages = messages
        self._delivery = delivery
        self._card_updater = card_updater
        self._queue = FairQueue(slots=_PUBLICATIONS_AT_ONCE, budget=0, per_member=_PUBLICATIONS_OF_MEMBER)

    async def publish(self, job: Job) -> tuple[str, ...]:
        """Attach the stored inputs to the card and return their addresses.

        Raises:
            PublishError: an input is not in the store, or Discord does not take it.
        """
        files = [image.file for image in job.request.inputs if image.file is not None]
        limit = min(self._messages.upload_limit(job), MAX_REQUEST_BYTES // max(1, len(files)))
        async with self._queue.turn(job.place.member_id):
            for halvings in range(_MOST_HALVINGS + 1):
                uploads = [await self._prepare(file, limit >> halvings, job.place.member_id) for file in files]
                urls = await self._attach(job, uploads)
                if urls is not None:
                    return urls
        raise PublishError(FaultKind.INPUT_TOO_LARGE)

    async def _check_channel(self, job: Job) -> None:
        """Check the channel's flag: it may have lost it since the hold.

        Where the flag is unknown, the hold took no uploaded inputs.
        """
        if job.age_restricted and not await self._messages.is_age_restricted(job):
            raise PublishError(FaultKind.INPUT_AGE_RESTRICTED)

    async def _prepare(self, file: ImageFile, limit_bytes: int, member: int) -> Upload:
        try:
            return await self._image_service.prepare_upload(file, limit_bytes, member=member)
        except ImageError as error:
            gone = error.problem is ImageProblem.GONE
            raise PublishError(FaultKind.INPUT_GONE if gone else FaultKind.INPUT_TOO_LARGE) from error
        except OSError as error:
            raise PublishError from error

    async def _attach(self, job: Job, uploads: list[Upload]) -> tuple[str, ...] | None:
        """Attach images and return their addresses; None if too large."""
        names = [f"atelier-input-{number}.{upload.extension}" for number, upload in enumerate(uploads, 1)]

        def opened() -> list[discord.File]:
            return [open_file(upload, name) for upload, name in zip(uploads, names, strict=True)]

        view = self._delivery.card(await self._snapshots.get(job.id), inputs=names)
        try:
            await self._check_channel(job)
            async with self._card_updater.publishing(job):
                urls = await self._messages.attach(job, view, opened)
        except CardGoneError as error:
            raise PublishError(FaultKind.INPUT_UNPUBLISHED) from error
        except FileNotFoundError as error:
            raise PublishError(FaultKind.INPUT_GONE) from error
        except Exception as error:
            match classify(error):
                case None:
                    raise
                case kind if kind in RETRYABLE:
                    retry_after = error.retry_after if isinstance(error, RateLimitError) else 0.0
                    raise PublishError(retry_after=retry_after) from error
                case DiscordErrorKind.TOO_LARGE:
                    return None
                case _:
                    _log.exception("input.not_attached", job=job.id)
                    raise PublishError(FaultKind.INPUT_UNPUBLISHED) from error
        if len(urls) != len(uploads):
            _log.error("input.without_address", job=job.id, attached=len(uploads), addresses=len(urls))
            raise PublishError(FaultKind.INPUT_UNPUBLISHED)
        return urls
