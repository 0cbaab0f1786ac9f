"""Progress of jobs at their providers, for their cards.

It is kept in memory: a restart forgets it until the next status.
"""

from dataclasses import dataclass

from bot.providers.base import Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderProgress:
    """A job's progress at its provider.

    `position` is its place in the provider's queue, from 1; `percent` is from 0 to 100. None if unknown.
    """

    is_running: bool = False
    position: int | None = None
    percent: int | None = None


class ProgressRegistry:
    """The last known progress of each running job."""

    def __init__(self) -> None:
        self._known: dict[str, ProviderProgress] = {}

    def record(self, job_id: str, status: Pending) -> bool:
        """Record a status; return whether it has news for the card."""
        progress = ProviderProgress(
            is_running=status.running,
            position=None if status.running else status.position,
            percent=status.percent if status.running else None,
        )
        before = self._known.get(job_id, ProviderProgress(is_running=status.running))
        self._known[job_id] = progress
        return progress != before

    def get(self, job_id: str) -> ProviderProgress:
        """Return a job's progress; empty if nothing is known."""
        return self._known.get(job_id, ProviderProgress())

    def forget(self, job_id: str) -> None:
        """Forget an ended job, or a job of another worker."""
        self._known.pop(job_id, None)
