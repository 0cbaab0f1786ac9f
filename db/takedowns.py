"""Takedowns, their list of pictures, and their copies among all jobs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, tuple_, update

from bot.domain.jobs import Action
from bot.domain.provenance import index_keys
from bot.domain.takedowns import EVERYWHERE, Takedown, TakedownKind, TakenPicture
from db.dialects import insert as upsert
from db.tables import fingerprint_keys, inputs, jobs, pictures, takedown_jobs, takedown_keys, takedown_pictures
from db.tables import takedowns as table

_MOST_CANDIDATES: Final = 20_000
_MOST_IN_STATEMENT: Final = 500

_COLUMNS: Final = tuple(table.c[name].label(name) for name in Takedown.__dataclass_fields__)
# The pictures that are refused in a guild.
_REFUSED: Final = (
    table.c.refuses
    & table.c.lifted_at.is_(None)
    & or_(table.c.guild_id == EVERYWHERE, table.c.guild_id == bindparam("in_guild"))
)
_LISTED: Final = (table.c.code, takedown_pictures.c.sha256, takedown_pictures.c.fingerprint)
_WITH_HASH: Final = (
    select(*_LISTED)
    .join(table, table.c.id == takedown_pictures.c.takedown_id)
    .where(takedown_pictures.c.sha256.in_(bindparam("hashes", expanding=True)), _REFUSED)
)
_WITH_KEY: Final = (
    select(*_LISTED)
    .distinct()
    .select_from(takedown_keys)
    .join(
        takedown_pictures,
        (takedown_pictures.c.takedown_id == takedown_keys.c.takedown_id)
        & (takedown_pictures.c.number == takedown_keys.c.number),
    )
    .join(table, table.c.id == takedown_pictures.c.takedown_id)
    .where(takedown_keys.c.key.in_(bindparam("keys", expanding=True)), _REFUSED)
)
_PENDING: Final = select(takedown_jobs.c.job_id).where(
    takedown_jobs.c.job_id == bindparam("the_job"), takedown_jobs.c.removed_at.is_(None)
)
_TAKEN: Final = select(takedown_jobs.c.positions).where(
    takedown_jobs.c.job_id == bindparam("the_job"), takedown_jobs.c.removed_at.is_not(None)
)
_COVERED: Final = (
    select(table.c.code)
    .join(takedown_jobs, takedown_jobs.c.takedown_id == table.c.id)
    .where(takedown_jobs.c.job_id == bindparam("the_job"), takedown_jobs.c.positions.is_(None))
    .where(table.c.lifted_at.is_(None))
)
Positions = frozenset[int] | None
"""Pictures of a job by their positions; None is the whole job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPicture:
    """A result image of an undeleted job; its file may be removed already."""

    job_id: str
    position: int
    sha256: str
    fingerprint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """A job made from a picture. `parent_id` is its origin.

    The jobs of a duel have one message.
    """

    job_id: str
    action: Action | None
    parent_id: str | None
    has_ended: bool
    is_of_duel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingJob:
    """A job to be removed, or its pictures at `positions`.

    `removed_at` is None while the pictures are kept.
    """

    job_id: str
    removed_at: datetime | None
    positions: Positions = None


class TakedownRepository:
    """Takedowns within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, takedown: Takedown, listed: Sequence[TakenPicture]) -> None:
        """Store a takedown with its pictures."""
        values = {name: getattr(takedown, name) for name in Takedown.__dataclass_fields__}
        self._connection.execute(insert(table), values | {"refuses": takedown.kind.refuses})
        if not listed:
            return
        self._connection.execute(
            insert(takedown_pictures),
            [
                {
                    "takedown_id": takedown.id,
                    "number": number,
                    "sha256": each.sha256,
                    "fingerprint": each.fingerprint,
                }
                for number, each in enumerate(listed)
            ],
        )
        keys = [
            {"key": key, "takedown_id": takedown.id, "number": number}
            for number, each in enumerate(listed)
            if each.fingerprint is not None
            for key in index_keys(each.fingerprint)
        ]
        if keys:
            self._connection.execute(insert(takedown_keys), keys)

    def find(self, code: str) -> Takedown | None:
        """Return the takedown with a receipt's code, or None."""
        row = self._connection.execute(select(*_COLUMNS).where(table.c.code == code)).first()
        return None if row is None else _from_row(row)

    def list_latest(self, most: int) -> Sequence[Takedown]:
        """Return the latest takedowns, newest first."""
        rows = self._connection.execute(select(*_COLUMNS).order_by(table.c.at.desc(), table.c.id.desc()).limit(most))
        return [_from_row(row) for row in rows]

    def list_open(self) -> Sequence[Takedown]:
        """Return the unfinished takedowns, oldest first."""
        rows = self._connection.execute(select(*_COLUMNS).where(table.c.finished_at.is_(None)).order_by(table.c.at))
        return [_from_row(row) for row in rows]

    def lift(self, takedown_id: str, at: datetime) -> bool:
        """Allow the pictures again; return False if they are allowed already."""
        lifted = update(table).where(table.c.id == takedown_id, table.c.lifted_at.is_(None)).values(lifted_at=at)
        return self._connection.execute(lifted).rowcount == 1

    def spare_kept(self, takedown_id: str) -> None:
        """Keep the jobs with their pictures still in place."""
        kept = takedown_jobs.c.takedown_id == takedown_id, takedown_jobs.c.removed_at.is_(None)
        self._connection.execute(delete(takedown_jobs).where(*kept))

    def finish(self, takedown_id: str, at: datetime) -> None:
        """Record the end of the search for copies."""
        self._connection.execute(update(table).where(table.c.id == takedown_id).values(finished_at=at))

    def pictures_of(self, takedown_id: str) -> Sequence[TakenPicture]:
        """Return the pictures of a takedown."""
        columns = takedown_pictures.c.sha256, takedown_pictures.c.fingerprint
        wanted = select(*columns).where(takedown_pictures.c.takedown_id == takedown_id)
        rows = self._connection.execute(wanted.order_by(takedown_pictures.c.number))
        return [TakenPicture(sha256=row.sha256, fingerprint=row.fingerprint) for row in rows]

    def list_refused(
        self, guild_id: int, hashes: Collection[str], fingerprint: str | None = None
    ) -> Iterator[tuple[str, str, str | None]]:
        """Yield candidates among the pictures refused in a guild.

        Each is its receipt's code, hash and fingerprint.
        """
        found = self._connection.execute(_WITH_HASH, {"hashes": list(hashes), "in_guild": guild_id})
        yield from ((row.code, row.sha256, row.fingerprint) for row in found)
        if fingerprint is not None:
            alike = self._connection.execute(_WITH_KEY, {"keys": index_keys(fingerprint), "in_guild": guild_id})
            yield from ((row.code, row.sha256, row.fingerprint) for row in alike)

    def covering(self, job_id: str) -> str | None:
        """Return the code of a takedown of a job, or None."""
        return self._connection.execute(_COVERED, {"the_job": job_id}).scalars().first()

    def add_jobs(self, takedown_id: str, found: Mapping[str, Positions]) -> None:
        """Add jobs to be removed, or their pictures, unless they are there."""
        for job_id, positions in found.items():
            values = {"takedown_id": takedown_id, "job_id": job_id, "positions": _joined(positions)}
            statement = upsert(self._connection, takedown_jobs).values(values)
            if self._connection.execute(statement.on_conflict_do_nothing()).rowcount == 1:
                continue
            of_job = takedown_jobs.c.takedown_id == takedown_id, takedown_jobs.c.job_id == job_id
            stored = _split(self._connection.execute(select(takedown_jobs.c.positions).where(*of_job)).scalar_one())
            if is_covered(positions, stored):
                continue
            more = None if positions is None or stored is None else positions | stored
            self._set(takedown_id, job_id, positions=_joined(more), removed_at=None, erased_at=None)

    def list_covered(self, takedown_id: str) -> dict[str, Positions]:
        """Return the jobs of a takedown, removed ones included."""
        columns = takedown_jobs.c.job_id, takedown_jobs.c.positions
        rows = self._connection.execute(select(*columns).where(takedown_jobs.c.takedown_id == takedown_id))
        return {row.job_id: _split(row.positions) for row in rows}

    def list_pending(self, takedown_id: str) -> Sequence[PendingJob]:
        """Return the jobs still to be removed, or with messages left."""
        columns = takedown_jobs.c.job_id, takedown_jobs.c.removed_at, takedown_jobs.c.positions
        wanted = select(*columns).where(takedown_jobs.c.takedown_id == takedown_id, takedown_jobs.c.erased_at.is_(None))
        rows = self._connection.execute(wanted.order_by(takedown_jobs.c.job_id))
        return [
            PendingJob(job_id=row.job_id, removed_at=row.removed_at, positions=_split(row.positions)) for row in rows
        ]

    def set_whole(self, takedown_id: str, job_id: str) -> None:
        """Have a job removed as a whole: no other picture of it is kept."""
        self._set(takedown_id, job_id, positions=None)

    def is_pending(self, job_id: str) -> bool:
        """Return whether pictures of a job are still to be removed."""
        return self._connection.execute(_PENDING, {"the_job": job_id}).first() is not None

    def taken_of(self, job_id: str) -> frozenset[int]:
        """Return the positions of single pictures removed by takedowns."""
        rows = self._connection.execute(_TAKEN, {"the_job": job_id}).scalars()
        return frozenset(position for each in rows for position in _split(each) or ())

    def set_removed(self, takedown_id: str, job_id: str, at: datetime) -> None:
        """Record the removal of a job's pictures."""
        self._set(takedown_id, job_id, removed_at=at)

    def set_erased(self, takedown_id: str, job_id: str, at: datetime) -> None:
        """Record the end of a job's messages, deleted or out of reach."""
        self._set(takedown_id, job_id, erased_at=at)

    def stop_serving(self, job_ids: Sequence[str]) -> None:
        """Erase the addresses of the jobs' inputs for providers."""
        for some in _parts(job_ids):
            of_jobs = update(inputs).where(inputs.c.job_id.in_(some))
            self._connection.execute(of_jobs.values(url=None, token_hash=None, provider_url=None))

    def results_of(self, job_ids: Sequence[str], positions: Positions = None) -> Sequence[FoundPicture]:
        """Return all result images of jobs, or those at some positions."""
        found: list[FoundPicture] = []
        for some in _parts(job_ids):
            wanted = select(pictures).where(pictures.c.job_id.in_(some))
            if positions is not None:
                wanted = wanted.where(pictures.c.position.in_(positions))
            rows = self._connection.execute(wanted.order_by(pictures.c.job_id, pictures.c.position))
            found += [_picture(row) for row in rows]
        return found

    def kept_of(self, job_ids: Sequence[str]) -> dict[str, set[int]]:
        """Return the positions of the kept images of jobs."""
        found: dict[str, set[int]] = {each: set() for each in job_ids}
        for some in _parts(job_ids):
            kept = select(pictures.c.job_id, pictures.c.position).where(pictures.c.removed_at.is_(None))
            for row in self._connection.execute(kept.where(pictures.c.job_id.in_(some))):
                found[row.job_id].add(row.position)
        return found

    def find_exact(self, hashes: Collection[str], guild_id: int) -> Sequence[FoundPicture]:
        """Return the result images with one of the hashes within a scope."""
        wanted = select(pictures).join(jobs, jobs.c.id == pictures.c.job_id)
        rows = self._connection.execute(wanted.where(pictures.c.sha256.in_(list(hashes)), *_in_scope(guild_id)))
        return [_picture(row) for row in rows]

    def find_candidates(self, fingerprint: str, guild_id: int) -> Sequence[FoundPicture]:
        """Return the result images with a part of a fingerprint within a scope."""
        wanted = (
            select(pictures)
            .distinct()
            .select_from(fingerprint_keys)
            .join(
                pictures,
                (pictures.c.job_id == fingerprint_keys.c.job_id) & (pictures.c.position == fingerprint_keys.c.position),
            )
            .join(jobs, jobs.c.id == pictures.c.job_id)
            .where(fingerprint_keys.c.key.in_(index_keys(fingerprint)), *_in_scope(guild_id))
            .limit(_MOST_CANDIDATES)
        )
        return [_picture(row) for row in self._connection.execute(wanted)]

    def find_made_from(self, sources: Collection[tuple[str, int]], guild_id: int) -> Sequence[FoundJob]:
        """Return the jobs with one of these result images as an input."""
        found: list[FoundJob] = []
        for some in _parts(list(sources)):
            is_input = tuple_(inputs.c.parent_id, inputs.c.parent_picture).in_(some)
            found += self._jobs_with_input(is_input, guild_id)
        return found

    def find_made_from_file(self, hashes: Collection[str], guild_id: int) -> Sequence[FoundJob]:
        """Return the jobs with one of these files as an input."""
        return self._jobs_with_input(inputs.c.sha256.in_(list(hashes)), guild_id)

    def list_jobs(self, job_ids: Sequence[str], guild_id: int) -> Sequence[FoundJob]:
        """Return the undeleted ones of some jobs within a scope."""
        found: list[FoundJob] = []
        for some in _parts(job_ids):
            found += self._select_jobs(select(*_JOB_COLUMNS).where(jobs.c.id.in_(some), *_in_scope(guild_id)))
        return found

    def find_by_message(self, channel_id: int, message_id: int) -> str | None:
        """Return the job with a card or a public card in a channel, or None."""
        shown = or_(jobs.c.message_id == message_id, jobs.c.public_message_id == message_id)
        return self._connection.execute(select(jobs.c.id).where(jobs.c.channel_id == channel_id, shown)).scalar()

    def origin_action(self, job_id: str) -> tuple[Action | None, str | None]:
        """Return the action behind a job, and its parent."""
        row = self._connection.execute(select(jobs.c.action, jobs.c.parent_id).where(jobs.c.id == job_id)).first()
        return (None, None) if row is None or row.action is None else (Action(row.action), row.parent_id)

    def _jobs_with_input(self, is_input: Any, guild_id: int) -> list[FoundJob]:
        wanted = select(*_JOB_COLUMNS).distinct().join(inputs, inputs.c.job_id == jobs.c.id)
        return self._select_jobs(wanted.where(is_input, *_in_scope(guild_id)))

    def _select_jobs(self, wanted: Any) -> list[FoundJob]:
        return [
            FoundJob(
                job_id=row.id,
                action=None if row.action is None else Action(row.action),
                parent_id=row.parent_id,
                has_ended=row.finished_at is not None,
                is_of_duel=row.duel_id is not None,
            )
            for row in self._connection.execute(wanted)
        ]

    def _set(self, takedown_id: str, job_id: str, **values: Any) -> None:
        same = takedown_jobs.c.takedown_id == takedown_id, takedown_jobs.c.job_id == job_id
        self._connection.execute(update(takedown_jobs).where(*same).values(**values))


_JOB_COLUMNS: Final = (jobs.c.id, jobs.c.action, jobs.c.parent_id, jobs.c.finished_at, jobs.c.duel_id)


def is_covered(positions: Positions, known: Positions) -> bool:
    """Return whether pictures of a job are among known ones."""
    return known is None or (positions is not None and positions <= known)


def _joined(positions: Positions) -> str | None:
    return None if positions is None else ",".join(str(each) for each in sorted(positions))


def _split(stored: str | None) -> Positions:
    return None if stored is None else frozenset(int(each) for each in stored.split(","))


def _in_scope(guild_id: int) -> tuple[Any, ...]:
    undeleted = jobs.c.deleted_at.is_(None)
    return (undeleted,) if guild_id == EVERYWHERE else (undeleted, jobs.c.guild_id == guild_id)


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[start : start + _MOST_IN_STATEMENT] for start in range(0, len(values), _MOST_IN_STATEMENT))


def _picture(row: Row[Any]) -> FoundPicture:
    return FoundPicture(job_id=row.job_id, position=row.position, sha256=row.sha256, fingerprint=row.fingerprint)


def _from_row(row: Row[Any]) -> Takedown:
    return Takedown(**{**row._mapping, "kind": TakedownKind(row.kind)})
