"""Age-restricted pictures: their lineage, and copies of them."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, exists, select

from bot.domain.jobs import Job
from bot.domain.provenance import MAX_DISTANCE, distance, search_keys
from db.tables import fingerprint_keys, jobs, pictures

_MOST_CANDIDATES: Final = 2_000
_OF_JOBS: Final = select(exists().where(jobs.c.id.in_(bindparam("the_ids", expanding=True)), jobs.c.age_restricted))
_WITH_HASH: Final = select(
    exists().where(
        pictures.c.sha256.in_(bindparam("hashes", expanding=True)),
        jobs.c.id == pictures.c.job_id,
        jobs.c.age_restricted,
    )
)
_ALIKE: Final = (
    select(pictures.c.fingerprint)
    .join(fingerprint_keys, fingerprint_keys.c.job_id == pictures.c.job_id)
    .join(jobs, jobs.c.id == pictures.c.job_id)
    .where(
        fingerprint_keys.c.key.in_(bindparam("with_keys", expanding=True)),
        fingerprint_keys.c.position == pictures.c.position,
        jobs.c.age_restricted,
        pictures.c.fingerprint.is_not(None),
    )
    .distinct()
    .limit(_MOST_CANDIDATES)
)


def comes_from_restricted(connection: Connection, job: Job) -> bool:
    """Return whether a new job is made from an age-restricted one.

    By its origin, by the origins of its inputs, or by the files of its inputs.
    """
    inputs = job.request.inputs
    ids = {each.parent.job_id for each in inputs if each.parent is not None}
    if job.origin is not None:
        ids.add(job.origin.job_id)
    if ids and connection.execute(_OF_JOBS, {"the_ids": list(ids)}).scalar_one():
        return True
    return is_restricted_file(connection, {each.file.sha256 for each in inputs if each.file is not None}, None)


def is_restricted_file(connection: Connection, hashes: Collection[str], fingerprint: str | None) -> bool:
    """Return whether a file is a copy of an age-restricted picture."""
    if hashes and connection.execute(_WITH_HASH, {"hashes": list(hashes)}).scalar_one():
        return True
    if fingerprint is None:
        return False
    alike = connection.execute(_ALIKE, {"with_keys": search_keys(fingerprint)}).scalars()
    return any(distance(fingerprint, each) <= MAX_DISTANCE for each in alike)
