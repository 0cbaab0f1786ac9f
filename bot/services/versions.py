"""Earlier versions of a job's pictures."""

from sqlalchemy import Connection

from bot.domain.errors import JobNotFoundError, NotOfferedError
from bot.domain.jobs import Job
from bot.services.jobs import Actor, check_manageable, check_visible
from bot.services.member_limits import FreeAction, MemberLimits
from db.database import Database
from db.jobs import JobRepository


class VersionService:
    """Read access to the job before an edit."""

    def __init__(self, *, database: Database, limits: MemberLimits) -> None:
        self._database = database
        self._limits = limits

    async def get_previous(self, job_id: str, actor: Actor) -> Job:
        """Return the job before an edit, for its member or a moderator.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: one of the two was deleted.
            NotAllowedError: the actor may not manage the job, or not see the one before.
            NotOfferedError: the job was not made from another one.
            TooManyRequestsError: the member asked very often within a minute.
        """
        self._limits.count(FreeAction.MENTION, actor.member_id)

        def read(connection: Connection) -> Job:
            jobs = JobRepository(connection)
            job = jobs.get(job_id)
            check_visible(job, actor)
            check_manageable(job, actor)
            if job.origin is None or job.origin.position is None:
                raise NotOfferedError
            previous = jobs.find(job.origin.job_id)
            if previous is None:
                raise JobNotFoundError
            check_visible(previous, actor)
            return previous

        return await self._database.read(read)
