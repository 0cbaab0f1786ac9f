"""Calls as providers get them, described from a job and an attempt."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.jobs import Attempt, Job
from bot.domain.models import Offer
from bot.images.image_service import ImageService
from bot.providers.base import MAX_SEED, InputFile, InputForm, Provider, Submission

_SEED_BYTES: Final = 4


class SubmissionBuilder:
    """Describes the calls of attempts.

    `member_tag` returns the tag that stands for a member at providers.
    """

    def __init__(self, image_service: ImageService, member_tag: Callable[[int], str]) -> None:
        self._image_service = image_service
        self._member_tag = member_tag

    async def build(
        self, job: Job, attempt: Attempt, offer: Offer, provider: Provider, *, webhook_url: str | None
    ) -> Submission:
        """Return the call of an attempt, with the files of its inputs.

        Raises:
            ImageError: GONE if an input is no longer in the store.
            OSError: an input cannot be read.
        """
        submission = self.describe(job, attempt, offer)
        inputs = await self._read(job) if provider.input_form is InputForm.FILE else ()
        return replace(submission, inputs=inputs, webhook_url=webhook_url)

    def describe(self, job: Job, attempt: Attempt, offer: Offer) -> Submission:
        """Return the call of an attempt again, without files and webhook."""
        images = attempt.images or job.request.images
        own = f"{job.id}/{attempt.number}"
        digest = hashlib.sha256(own.encode()).digest()
        return Submission(
            request=replace(job.request, images=images, seed=_seed(job.request.seed, attempt.part)),
            offer=offer,
            call_id=str(uuid5(NAMESPACE_OID, own)),
            seed=int.from_bytes(digest[:_SEED_BYTES]) & MAX_SEED,
            sent_at=attempt.started_at,
            member_tag=self._member_tag(job.place.member_id),
        )

    async def _read(self, job: Job) -> tuple[InputFile, ...]:
        files = []
        for each in job.request.inputs:
            if each.file is None:
                raise ImageError(ImageProblem.GONE, "not stored")
            files.append(InputFile(data=await self._image_service.read(each.file), media_type=each.file.media_type))
        return tuple(files)


def _seed(chosen: int | None, part: int) -> int | None:
    """Return the chosen seed of a part.

    Each part of a job has another one, else all would make the same image.
    """
    return None if chosen is None else (chosen + part) % (MAX_SEED + 1)
