"""Details of one job: attempts, images and lineage."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.costs import Cost
from bot.domain.jobs import LONGEST_CHAIN, Attempt, Job, Origin
from bot.services.jobs import Actor, check_visible
from db.attempts import AttemptRepository
from db.database import Database
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.submissions import SubmissionRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step back in a job's lineage.

    `origin` is the action; `job` is the job it was done on, None if its records are gone.
    `is_shared`: it is a picture that another member shared without their name.
    """

    origin: Origin
    job: Job | None
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """A job with its latest attempt, image count, lineage and child count.

    `own` is True if the reader may see its price and the ids that support needs. `costs` are those of its calls at
    providers, for moderators alone.
    """

    job: Job
    pictures: int
    attempt: Attempt | None
    chain: tuple[Link, ...]
    children: int
    own: bool
    costs: tuple[Cost, ...] = ()


class DetailService:
    """Read access to job details, each from one state of the database."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, job_id: str, actor: Actor) -> Details:
        """Return a job's details.

        Raises:
            JobNotFoundError: there is no such job.
            JobDeletedError: the job was deleted.
            NotAllowedError: the job is another member's private one.
        """

        def read(connection: Connection) -> Details:
            jobs = JobRepository(connection)
            job = jobs.get(job_id)
            check_visible(job, actor)
            attempts = AttemptRepository(connection).list_for(job_id)
            return Details(
                job=job,
                pictures=len(ResultImageRepository(connection).files_by_position(job_id)),
                attempt=attempts[-1] if attempts else None,
                chain=read_lineage(connection, job),
                children=jobs.count_children(job_id),
                own=actor.may_manage(job),
                costs=tuple(each.cost for each in attempts if each.cost) if actor.moderates(job) else (),
            )

        return await self._database.read(read)


def read_lineage(connection: Connection, job: Job) -> tuple[Link, ...]:
    """Return the steps back from a job, at most `LONGEST_CHAIN`, latest first."""
    jobs, links, current = JobRepository(connection), list[Link](), job
    while current.origin is not None and len(links) < LONGEST_CHAIN:
        parent = jobs.find(current.origin.job_id)
        if parent is not None and _is_anonymous(connection, parent, job):
            links.append(Link(origin=current.origin, job=None, is_shared=True))
            break
        links.append(Link(origin=current.origin, job=parent))
        if parent is None:
            break
        current = parent
    return tuple(links)


def _is_anonymous(connection: Connection, parent: Job, job: Job) -> bool:
    """Return whether another member shared a job's parent without their name."""
    if parent.place.member_id == job.place.member_id:
        return False
    return any(each.options.is_anonymous for each in SubmissionRepository(connection).list_of_job(parent.id))
