"""All that is known of one job, for whoever asks what it was or has to look into it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.jobs import Attempt, Job
from bot.services.jobs import Actor, check_visible
from bot.services.lineage import Link, lineage
from db.attempts import AttemptRepository
from db.database import Database
from db.jobs import JobRepository
from db.pictures import ResultImageRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """A job, how many pictures came of it, the jobs before it, and how many were made from it.

    `own` is whether whoever asks may see what it cost and the ids that support needs; `attempt` is the latest submit.
    """

    job: Job
    pictures: int
    attempt: Attempt | None
    chain: tuple[Link, ...]
    children: int
    own: bool


class DetailService:
    """Reads details, each as one state of the database."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, job_id: str, actor: Actor) -> Details:
        """Return a job's details; raises `JobNotFoundError`, `JobDeletedError`, or `NotAllowedError`."""

        def read(connection: Connection) -> Details:
            jobs = JobRepository(connection)
            job = jobs.get(job_id)
            check_visible(job, actor)
            attempts = AttemptRepository(connection).list_for(job_id)
            return Details(
                job=job,
                pictures=len(ResultImageRepository(connection).files_by_position(job_id)),
                attempt=attempts[-1] if attempts else None,
                chain=lineage(connection, job),
                children=jobs.count_children(job_id),
                own=actor.may_manage(job),
            )

        return await self._database.read(read)
