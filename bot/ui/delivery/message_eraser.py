"""Deletion of all messages of a job."""

import discord

from bot.domain.jobs import Job
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import RETRYABLE, UNKNOWN_MESSAGE, DiscordErrorKind, classify
from bot.ui.delivery.job_messages import CardGoneError, JobMessages


class JobMessageEraser:
    """Deletes a job's card, its public card and its direct messages."""

    def __init__(self, *, messages: JobMessages) -> None:
        self._messages = messages

    async def erase_direct(self, job: Job) -> None:
        """Delete the direct messages of a job.

        Raises errors worth another try; messages out of reach are left.
        """
        try:
            await self._messages.delete_direct(job)
        except Exception as error:  # noqa: BLE001 - sorted by its kind
            _require_final(error)

    async def erase_cards(self, job: Job) -> bool:
        """Delete the cards of a job; return False if their channel is closed.

        Raises as `erase_direct` does.
        """
        try:
            await self._delete_cards(job)
        except CardGoneError:
            return False
        except Exception as error:  # noqa: BLE001 - sorted by its kind
            _require_final(error)
            return isinstance(error, discord.HTTPException) and error.code == UNKNOWN_MESSAGE
        return True

    async def erase_private(self, job: Job) -> None:
        """Delete the private card of a job, while its token lives.

        Raises as `erase_direct` does.
        """
        try:
            async with bounded(REQUEST_SECONDS):
                await self._messages.delete(job)
        except CardGoneError:
            return
        except Exception as error:  # noqa: BLE001 - sorted by its kind
            _require_final(error)

    async def _delete_cards(self, job: Job) -> None:
        try:
            await self._delete_both(job)
        except discord.HTTPException as error:
            if classify(error) is not DiscordErrorKind.ARCHIVED:
                raise
            async with bounded(REQUEST_SECONDS):
                await self._messages.open_thread(job)
            await self._delete_both(job)

    async def _delete_both(self, job: Job) -> None:
        # The public card first: it is the one that others see.
        await self._messages.delete_public(job)
        async with bounded(REQUEST_SECONDS):
            await self._messages.delete(job)


def _require_final(error: Exception) -> None:
    """Raise an error worth another try, and every error of ours."""
    kind = classify(error)
    if kind is None or kind in RETRYABLE:
        raise error
