"""What the engine tells the world outside, and the one thing that it asks of it."""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.jobs import Job


@dataclass(frozen=True, slots=True)
class CardLookup:
    """Whether a job's card is on Discord, and its message where that is known."""

    there: bool
    message_id: int | None = None


class JobObserver(Protocol):
    """Whoever shows jobs to people."""

    def on_job_changed(self, job_id: str) -> None:
        """Hear that a job (or its place in line) changed. Returns at once; whatever it leads to happens later."""
        ...

    async def find_card(self, job: Job) -> CardLookup | None:
        """Return what is known of the job's card; None where that cannot be known now."""
        ...
