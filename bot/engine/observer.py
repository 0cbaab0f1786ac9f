"""The engine's view of Discord: where jobs are shown."""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.jobs import Job


@dataclass(frozen=True, slots=True)
class CardLookup:
    """True if a job's card exists on Discord, and its message id if known.

    `is_private`: only its member sees the card; None if unknown.

    `is_foreign`: the interaction has another answer, perhaps of another process. `other_job_id` is the job of that
    answer if it is a card.
    """

    exists: bool
    message_id: int | None = None
    is_foreign: bool = False
    other_job_id: str | None = None
    is_private: bool | None = None


class JobObserver(Protocol):
    """Shows jobs to members."""

    def on_job_changed(self, job_id: str) -> None:
        """Note a change of a job or of its queue position.

        Returns at once; the work happens later.
        """
        ...

    async def find_card(self, job: Job) -> CardLookup | None:
        """Return whether the job's card exists; None if unknown now."""
        ...
