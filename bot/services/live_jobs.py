"""Live jobs, for `/jobs`."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from bot.domain.errors import JobError, NotAllowedError
from bot.domain.jobs import Job, Snapshot
from bot.domain.lazy_text import LazyText
from bot.services.access import AccessService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import Actor, JobService
from db.database import Database
from db.jobs import JobRepository

MOST_LISTED: Final = 100
"""Jobs that are read for a list; more of a guild are left out."""


MOST_SHOWN: Final = 8
"""Jobs in the list of `/jobs`, each with its button."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveJobs:
    """A list of live jobs.

    `more` is how many were left out. `member_id` is None for those of all members. `own` are the actor's among all.
    """

    shown: tuple[Snapshot, ...]
    more: int
    member_id: int | None
    own: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The outcome of cancelling several jobs."""

    requested: int
    too_late: int


class LiveJobService:
    """Lists and cancels live jobs."""

    def __init__(
        self, *, database: Database, jobs: JobService, snapshots: JobSnapshotService, access: AccessService
    ) -> None:
        self._database = database
        self._snapshots = snapshots
        self._jobs = jobs
        self._access = access

    async def list_of(self, actor: Actor, member_id: int | None) -> tuple[Job, ...]:
        """Return a member's jobs in the actor's guild, oldest first.

        None is every member. Of others only public ones are seen, by moderators.

        Raises:
            NotInServerError: the actor is outside servers, which is not allowed.
            NotAdmittedError: the server is not admitted.
            NotAllowedError: only a moderator sees jobs of others.
        """
        if member_id != actor.member_id and not actor.moderator:
            raise NotAllowedError(LazyText("a moderator"))

        def read(connection: Connection) -> tuple[Job, ...]:
            self._access.check(connection, actor.guild_id)
            return JobRepository(connection).list_live(actor.guild_id, member_id, MOST_LISTED)

        return tuple(job for job in await self._database.read(read) if actor.may_manage(job))

    async def show(self, actor: Actor, member_id: int | None) -> LiveJobs:
        """Return the first jobs with their positions; raises as `list_of` does."""
        found = await self.list_of(actor, member_id)
        shown = [await self._snapshots.get(job.id) for job in found[:MOST_SHOWN]]
        return LiveJobs(
            shown=tuple(each for each in shown if not each.job.state.ended),
            more=max(0, len(found) - MOST_SHOWN),
            member_id=member_id,
            own=sum(job.place.member_id == actor.member_id for job in found),
        )

    async def cancellable(self, actor: Actor) -> tuple[Job, ...]:
        """Return the jobs to cancel for an actor here, their own first."""
        found = await self.list_of(actor, actor.member_id)
        if actor.moderator:
            found += tuple(job for job in await self.list_of(actor, None) if job.place.member_id != actor.member_id)
        return tuple(job for job in found if not job.cancel_refused and job.cancel_requested_at is None)

    async def cancel(self, job_id: str, actor: Actor) -> None:
        """Request a job's cancellation; raises as `JobService.cancel` does."""
        await self._jobs.cancel(job_id, actor)

    async def cancel_all(self, actor: Actor) -> Cancelled:
        """Request the cancellation of all of the actor's own jobs here."""
        requested = too_late = 0
        for job in await self.list_of(actor, actor.member_id):
            try:
                await self._jobs.cancel(job.id, actor)
            except JobError:
                too_late += 1  # it has ended meanwhile, or its provider cannot stop it
            else:
                requested += 1
        return Cancelled(requested=requested, too_late=too_late)
