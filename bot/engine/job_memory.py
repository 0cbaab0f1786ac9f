"""Jobs as their last step left them, kept until the next one."""

from typing import Final

from bot.domain.jobs import Attempt, Job

_MOST: Final = 1_000
"""Jobs in memory; each takes about 3 kB."""


class JobMemory:
    """Saves polls the reading of a job that nobody has touched.

    Whatever else changes a live job also schedules its next step, and that forgets the job. Another process does not,
    so nothing is kept unless this one `is_alone`.
    """

    def __init__(self, *, is_alone: bool) -> None:
        self._is_alone = is_alone
        self._kept: dict[str, tuple[Job, Attempt]] = {}
        self._touched: dict[str, bool] = {}

    def begin(self, job_id: str) -> tuple[Job, Attempt] | None:
        """Begin a step; return the kept job with its last attempt, or None."""
        self._touched[job_id] = False
        return self._kept.pop(job_id, None)

    def forget(self, job_id: str) -> None:
        """Forget a job; a running step will not keep it either."""
        self._kept.pop(job_id, None)
        if job_id in self._touched:
            self._touched[job_id] = True

    def end(self, job_id: str, unchanged: tuple[Job, Attempt] | None = None) -> None:
        """End a step; keep the job that it left unchanged."""
        if self._touched.pop(job_id, True) or unchanged is None:
            return
        if self._is_alone and len(self._kept) < _MOST:
            self._kept[job_id] = unchanged
