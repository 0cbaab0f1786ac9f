"""Search for the job of a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.jobs import Job
from bot.domain.provenance import MAX_DISTANCE, distance
from bot.images.fair_queue import FairQueue
from bot.images.identity import Identity
from bot.images.image_service import ImageService
from bot.services.access import AccessService
from bot.services.jobs import Actor
from bot.services.member_limits import FreeAction, MemberLimits
from db.database import Database
from db.fingerprints import FingerprintRepository, Viewer
from db.jobs import JobRepository
from db.submissions import SubmissionRepository

MOST_PICTURES: Final = 4
"""Pictures of one message that are looked up."""
_CONCURRENT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer about one picture.

    `job` is None if none is found that the actor may see. `exact`: its file has the same bytes. `problem` is why the
    picture could not be compared by its look, or not at all if not `fetched`. `plain`: it is too plain to compare.
    """

    job: Job | None = None
    exact: bool = False
    problem: ImageProblem | None = None
    fetched: bool = True
    plain: bool = False


class OriginService:
    """Read access to jobs by their pictures."""

    def __init__(
        self, *, database: Database, image_service: ImageService, access: AccessService, limits: MemberLimits
    ) -> None:
        self._database = database
        self._image_service = image_service
        self._access = access
        self._limits = limits
        self._queue = FairQueue(slots=_CONCURRENT, budget=0)

    async def check(self, actor: Actor) -> None:
        """Count a search of a member.

        Raises:
            NotInServerError: the member asks outside servers, which is not allowed.
            NotAdmittedError: the server is not admitted.
            TooManyRequestsError: the member asked very often within a minute.
        """
        await self._access.require(actor.guild_id)
        self._limits.count(FreeAction.LOOKUP, actor.member_id)

    async def find(self, url: str, actor: Actor, can_see: Callable[[Job], bool]) -> Finding:
        """Return the job of the picture at a URL of Discord's.

        Only the actor's own jobs are found, and public ones of their server for which `can_see` is True.

        Raises:
            OSError: the disk is full or read-only.
        """
        async with self._queue.turn(actor.member_id):
            try:
                identity = await self._image_service.identify(url, member=actor.member_id)
            except ImageError as error:
                return Finding(problem=error.problem, fetched=False)
        exact, alike = await self._database.read(lambda connection: _candidates(connection, identity, actor))
        for jobs, is_exact in ((exact, True), (alike, False)):
            for job in jobs:
                if job.place.member_id == actor.member_id or can_see(job):
                    return Finding(job=job, exact=is_exact)
        plain = identity.fingerprint is None and identity.problem is None
        return Finding(problem=identity.problem, plain=plain)


def _candidates(connection: Connection, identity: Identity, actor: Actor) -> tuple[list[Job], list[Job]]:
    viewer = Viewer(member_id=actor.member_id, guild_id=actor.guild_id)
    fingerprints, jobs = FingerprintRepository(connection), JobRepository(connection)
    exact = jobs.list_by_id(fingerprints.find_exact(identity.sha256, viewer))
    alike = []
    if identity.fingerprint is not None:
        alike = jobs.list_by_id(fingerprints.find_alike(identity.fingerprint, viewer))
    exact, alike = (_named(connection, found, actor) for found in (exact, alike))
    return _told(connection, exact, identity, actor), _told(connection, alike, identity, actor)


def _named(connection: Connection, jobs: Sequence[Job], actor: Actor) -> list[Job]:
    """Return the jobs without those that other members shared anonymously.

    Their cards have the member's name.
    """
    submissions = SubmissionRepository(connection)
    return [
        each
        for each in jobs
        if each.place.member_id == actor.member_id
        or not any(shared.options.is_anonymous for shared in submissions.list_of_job(each.id))
    ]


def _told(connection: Connection, jobs: Sequence[Job], identity: Identity, actor: Actor) -> list[Job]:
    """Drop the jobs of members with an unnamed copy of this picture.

    It may be a copy of an anonymous post, or of an entry in a challenge before its end.
    """
    submissions = SubmissionRepository(connection)
    others = {each.place.member_id for each in jobs} - {actor.member_id}
    unnamed = {
        member
        for member in others
        if any(
            sha256 == identity.sha256 or _is_alike(identity.fingerprint, look)
            for sha256, look in submissions.list_unnamed_pictures(actor.guild_id, member)
        )
    }
    return [each for each in jobs if each.place.member_id not in unnamed]


def _is_alike(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and distance(one, other) <= MAX_DISTANCE
