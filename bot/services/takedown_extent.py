"""The extent of takedowns: the jobs and pictures that go with a picture."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from bot.domain.jobs import Action
from bot.domain.takedowns import EVERYWHERE, TakenPicture
from bot.moderation.hash_list import is_same_picture
from db.jobs import JobRepository
from db.takedowns import FoundJob, FoundPicture, Positions, TakedownRepository

_MOST_JOBS: Final = 5_000
_MOST_REPEATS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The pictures to take down: those of a job, or others by their files.

    `positions` are pictures of the job; None is all.
    """

    job_id: str | None = None
    positions: Positions = None
    pictures: tuple[TakenPicture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The pictures and jobs of a takedown.

    `pictures` are listed: the same are refused later. `roots` are the jobs that the subject names, `copies` other jobs
    with the same pictures, `derived` jobs that changed them, `running` live jobs that start from them; `references`
    only went by them and stay. `parts` are the jobs that keep their other pictures, with the positions of those that
    go.
    """

    pictures: tuple[TakenPicture, ...]
    roots: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    parts: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The jobs to be removed, as a whole or in part."""
        return (*self.roots, *self.copies, *self.derived, *self.running)

    @property
    def removed(self) -> dict[str, Positions]:
        """The positions to be removed of each job; None is all."""
        return {job_id: self.parts.get(job_id) for job_id in self.job_ids}


@dataclass(slots=True)
class _Search:
    """Jobs found so far, by the way they were found."""

    roots: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    derived: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    parts: dict[str, frozenset[int]] = field(default_factory=dict)

    @property
    def removed(self) -> set[str]:
        return self.roots | self.copies | self.derived | self.running


def find_extent(connection: Connection, subject: Subject, guild_id: int) -> Extent:
    """Return the extent of a takedown within a scope.

    A job with other pictures keeps those. What was made from a picture goes as a whole if it was changed: upscaled, cut
    out, edited, varied. A picture that only went by one as a reference stays.

    Raises:
        JobNotFoundError: there is no such job.
    """
    takedowns, found = TakedownRepository(connection), _Search()
    listed = list(subject.pictures)
    if subject.job_id is not None:
        JobRepository(connection).get(subject.job_id)
        of_job = takedowns.results_of([subject.job_id], subject.positions)
        listed += [TakenPicture(sha256=each.sha256, fingerprint=each.fingerprint) for each in of_job]
        roots = takedowns.list_jobs([subject.job_id], guild_id)
        found.roots.update(each.job_id for each in roots if each.has_ended)
        found.running.update(each.job_id for each in roots if not each.has_ended)
    listed = list(dict.fromkeys(_with_looks(takedowns, listed)))
    same = _copies(takedowns, listed, guild_id)
    if subject.job_id is not None:
        same |= {(each.job_id, each.position) for each in takedowns.results_of([subject.job_id], subject.positions)}
    found.copies.update(job_id for job_id, _ in same if job_id not in found.removed)
    of_copies = found.copies if subject.positions is None else found.copies | found.roots
    found.parts.update(find_parts(takedowns, same, of_copies, guild_id))
    hashes = {each.sha256 for each in listed}
    _add_derived(takedowns, found, takedowns.find_made_from_file(hashes, guild_id) if hashes else ())
    _follow(takedowns, found, same, guild_id)
    return Extent(
        pictures=tuple(listed),
        roots=tuple(sorted(found.roots)),
        copies=tuple(sorted(found.copies)),
        derived=tuple(sorted(found.derived)),
        running=tuple(sorted(found.running)),
        references=tuple(sorted(found.references - found.removed)),
        parts=found.parts,
    )


def find_parts(
    takedowns: TakedownRepository, same: Collection[tuple[str, int]], job_ids: Collection[str], guild_id: int
) -> dict[str, frozenset[int]]:
    """Return the positions to be removed of jobs with other pictures.

    Duels have one message, and a live job has no pictures yet.
    """
    kept = takedowns.kept_of(sorted(job_ids))
    found: dict[str, frozenset[int]] = {}
    for job in takedowns.list_jobs(sorted(job_ids), guild_id):
        positions = frozenset(position for job_id, position in same if job_id == job.job_id)
        if job.has_ended and not job.is_of_duel and positions and kept[job.job_id] - positions:
            found[job.job_id] = positions
    return found


def _with_looks(takedowns: TakedownRepository, listed: Sequence[TakenPicture]) -> Sequence[TakenPicture]:
    """Return pictures with the fingerprints of stored ones of the same bytes."""
    unknown = {each.sha256 for each in listed if each.fingerprint is None}
    if not unknown:
        return listed
    looks = {each.sha256: each.fingerprint for each in takedowns.find_exact(unknown, EVERYWHERE)}
    return [replace(each, fingerprint=looks.get(each.sha256)) if each.fingerprint is None else each for each in listed]


def _copies(takedowns: TakedownRepository, listed: Sequence[TakenPicture], guild_id: int) -> set[tuple[str, int]]:
    """Return the same result images, by their bytes or by their look."""
    hashes = {each.sha256 for each in listed}
    found: list[FoundPicture] = list(takedowns.find_exact(hashes, guild_id)) if hashes else []
    for look in {each.fingerprint for each in listed if each.fingerprint is not None}:
        alike = takedowns.find_candidates(look, guild_id)
        found += [each for each in alike if is_same_picture(look, each.fingerprint)]
    return {(each.job_id, each.position) for each in found}


def _follow(takedowns: TakedownRepository, found: _Search, sources: set[tuple[str, int]], guild_id: int) -> None:
    """Add the jobs made from images, the jobs made from those, and so on."""
    seen = set(sources)
    while sources and len(found.removed) < _MOST_JOBS:
        new = _add_derived(takedowns, found, takedowns.find_made_from(sources, guild_id))
        results = takedowns.results_of(sorted(new))
        sources = {(each.job_id, each.position) for each in results} - seen
        seen |= sources


def _add_derived(takedowns: TakedownRepository, found: _Search, made: Sequence[FoundJob]) -> set[str]:
    """Sort jobs by their use of an image; return the new derived ones."""
    new = set[str]()
    for job in made:
        # A copy among the changed ones: the others were made from the picture, too.
        is_part = job.job_id in found.parts and job.job_id in found.copies
        if job.job_id in found.removed and not is_part:
            continue
        if not job.has_ended:
            found.running.add(job.job_id)
        elif _changes_its_input(takedowns, job):
            found.copies.discard(job.job_id)
            found.parts.pop(job.job_id, None)
            found.derived.add(job.job_id)
            new.add(job.job_id)
        elif is_part:
            continue
        else:
            found.references.add(job.job_id)
    return new


def _changes_its_input(takedowns: TakedownRepository, job: FoundJob) -> bool:
    """Return whether a job changed its input, and did not only go by it."""
    action, parent = job.action, job.parent_id
    for _ in range(_MOST_REPEATS):
        if action is not Action.AGAIN or parent is None:
            break
        action, parent = takedowns.origin_action(parent)
    return action is not Action.REFERENCE
