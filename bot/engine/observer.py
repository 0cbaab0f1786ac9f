"""What the engine tells the world outside, and the one thing that it asks of it."""

from typing import Protocol

from bot.domain.jobs import Job


class JobObserver(Protocol):
    """Whoever shows jobs to people."""

    def changed(self, job_id: str) -> None:
        """Hear that a job (or its place in line) changed. Returns at once; whatever it leads to happens later."""
        ...

    async def find_card(self, job: Job) -> bool | None:
        """Return whether the job's card is on Discord; None where that cannot be known now."""
        ...
