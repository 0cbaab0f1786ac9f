"""Where a job came from: the jobs before it, from the one that it was made from to the first."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.jobs import LONGEST_CHAIN, Job, Origin
from db.jobs import JobRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A step back: what was done, and the job that it was done with, None where its records are gone."""

    origin: Origin
    job: Job | None


def lineage(connection: Connection, job: Job) -> tuple[Link, ...]:
    """Return the steps back from a job, the latest first, `LONGEST_CHAIN` at most."""
    jobs, links, here = JobRepository(connection), list[Link](), job
    while here.origin is not None and len(links) < LONGEST_CHAIN:
        parent = jobs.find(here.origin.job_id)
        links.append(Link(origin=here.origin, job=parent))
        if parent is None:
            break
        here = parent
    return tuple(links)
