"""Transitions of several jobs in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bot.domain.errors import StaleJobError
from bot.domain.jobs import Job, State, check_transition
from db.jobs import JobRepository


class JobBatch:
    """Locked jobs and their next states, written at once."""

    def __init__(self, connection: Connection, jobs: Sequence[Job]) -> None:
        self._repository = JobRepository(connection)
        self._current = self._repository.lock_all(jobs) if jobs else {}
        self._changes: dict[str, tuple[Job, dict[str, Any]]] = {}  # of each job, as it was first

    def require_current(self, job: Job) -> None:
        """Raise `StaleJobError` if a job was moved concurrently."""
        if self._current.get(job.id) != (job.state, job.fence):
            raise StaleJobError

    def advance(self, job: Job, to: State, **changes: Any) -> Job:
        """Move a job one legal step and return it; `write` writes it.

        Raises:
            StaleJobError: the job was moved concurrently.
        """
        self.require_current(job)
        check_transition(job.state, to)
        changes["state"] = to
        moved = replace(job, **changes)
        self._current[job.id] = moved.state, moved.fence
        first, earlier = self._changes.get(job.id, (job, {}))
        self._changes[job.id] = first, earlier | changes
        return moved

    def write(self) -> None:
        """Write the new states."""
        if self._changes:
            self._repository.change_all(list(self._changes.values()))
