"""A check of prompts by a service, before a job is queued."""

from typing import Protocol

from bot.domain.jobs import Job


class PromptModerator(Protocol):
    """A service for the moderation of texts."""

    async def refuses(self, text: str) -> bool:
        """Return whether a text is refused; False if the service is away."""
        ...


class PromptModeration:
    """Checks each job's prompt once in this process.

    Without a `moderator` every prompt passes.
    """

    def __init__(self, moderator: PromptModerator | None) -> None:
        self._moderator = moderator
        self._passed: set[str] = set()

    @property
    def is_on(self) -> bool:
        """True if prompts are checked."""
        return self._moderator is not None

    def has_passed(self, job: Job) -> bool:
        """Return whether a job needs no check, or had it."""
        return self._moderator is None or job.id in self._passed

    async def refuses(self, job: Job) -> bool:
        """Return whether a job's prompt is refused."""
        if self._moderator is not None and await self._moderator.refuses(job.request.prompt):
            return True
        self._passed.add(job.id)
        return False

    def forget(self, job_id: str) -> None:
        """Forget an ended, queued or foreign job."""
        self._passed.discard(job_id)
