"""Input images: their sources and their files in the store."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, tuple_, update

from bot.domain.images import ImageFile, ImageRef, InputChange, InputImage
from bot.domain.jobs import LIVE, State
from db.image_files import FILE_COLUMNS, file_from_row, file_to_columns
from db.tables import inputs, jobs

_ENDED_WITHOUT_RESULT: Final = (State.FAILED, State.CANCELLED, State.LOST)

_KEY_AND_FILE: Final = (inputs.c.job_id, inputs.c.position, inputs.c.sha256, inputs.c.media_type)
_INSERT: Final = insert(inputs)
_OF_JOB: Final = select(inputs).where(inputs.c.job_id == bindparam("of_job")).order_by(inputs.c.position)
_STORED: Final = update(inputs).where(
    inputs.c.job_id == bindparam("of_job"), inputs.c.position == bindparam("at_position")
)
_REMOVE_OF_JOB: Final = (
    update(inputs)
    .where(inputs.c.job_id == bindparam("of_job"), inputs.c.sha256.is_not(None), inputs.c.removed_at.is_(None))
    .returning(inputs.c.sha256, inputs.c.media_type)
)
_SERVED: Final = (
    select(inputs.c.job_id, *(inputs.c[name] for name in FILE_COLUMNS))
    .join(jobs, jobs.c.id == inputs.c.job_id)
    .where(
        inputs.c.token_hash == bindparam("with_hash"),
        inputs.c.sha256.is_not(None),
        inputs.c.removed_at.is_(None),
        jobs.c.state.in_(LIVE),
    )
)


def _build_photo_search() -> Select[tuple[str]]:
    """Return the statement of `comes_from_photo`.

    It reads a job's inputs, those of their jobs, and so on.
    """
    chain = (
        select(inputs.c.job_id, inputs.c.parent_id).where(inputs.c.job_id == bindparam("of_job")).cte(recursive=True)
    )
    earlier = inputs.alias()
    # A union without duplicates ends, however the jobs refer to each other.
    chain = chain.union(
        select(earlier.c.job_id, earlier.c.parent_id).join(chain, earlier.c.job_id == chain.c.parent_id)
    )
    return select(chain.c.job_id).where(chain.c.parent_id.is_(None)).limit(1)


_PHOTO_SEARCH: Final = _build_photo_search()


class InputImageRepository:
    """Inputs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_all(self, job_id: str, pictures: Sequence[InputImage], at: datetime) -> None:
        """Insert a new job's inputs; those with a file are stored as of `at`."""
        rows = []
        for position, picture in enumerate(pictures):
            parent, file = picture.parent, picture.file
            rows.append(
                {
                    "job_id": job_id,
                    "position": position,
                    "url": picture.url,
                    "parent_id": None if parent is None else parent.job_id,
                    "parent_picture": None if parent is None else parent.position,
                    **file_to_columns(file),
                    "changes": _joined(picture.changes),
                    "stored_at": None if file is None else at,
                }
            )
        self._connection.execute(_INSERT, rows)

    def list_for(self, job_id: str) -> tuple[InputImage, ...]:
        """Return a job's inputs in order.

        `file` is None if the file is not stored yet or no longer.
        """
        return tuple(_from_row(row) for row in self._connection.execute(_OF_JOB, {"of_job": job_id}))

    def comes_from_photo(self, job_id: str) -> bool:
        """Return whether the job's lineage has an input from elsewhere."""
        return self._connection.execute(_PHOTO_SEARCH, {"of_job": job_id}).first() is not None

    def set_stored(
        self,
        job_id: str,
        position: int,
        file: ImageFile,
        at: datetime,
        *,
        changes: frozenset[InputChange] = frozenset(),
    ) -> None:
        """Record the stored file of an input and its changes."""
        stored = {**file_to_columns(file), "changes": _joined(changes), "stored_at": at}
        self._connection.execute(_STORED, {"of_job": job_id, "at_position": position, **stored})

    def set_provider_urls(self, job_id: str, urls: Sequence[str]) -> None:
        """Record the addresses of a job's published inputs, in their order."""
        for position, url in enumerate(urls):
            self._connection.execute(_STORED, {"of_job": job_id, "at_position": position, "provider_url": url})

    def set_token_hash(self, job_id: str, position: int, token_hash: str) -> None:
        """Record the hash of an input's token; the earlier token is invalid.

        The provider fetches the input with the token.
        """
        self._connection.execute(_STORED, {"of_job": job_id, "at_position": position, "token_hash": token_hash})

    def find_served(self, token_hash: str) -> tuple[str, ImageFile] | None:
        """Return the job and the file of a token until the job has ended."""
        row = self._connection.execute(_SERVED, {"with_hash": token_hash}).first()
        return None if row is None else (row.job_id, file_from_row(row._mapping))

    def erase_secrets(self) -> None:
        """Erase the addresses and tokens of ended jobs."""
        ended = select(jobs.c.id).where(jobs.c.id == inputs.c.job_id, jobs.c.finished_at.is_not(None)).exists()
        # Separate statements, because each finds its few rows by its own index.
        for secret in (inputs.c.url, inputs.c.token_hash, inputs.c.provider_url):
            self._connection.execute(update(inputs).where(secret.is_not(None), ended).values({secret: None}))

    def remove_stored_before(self, moment: datetime, at: datetime, limit: int) -> tuple[int, list[tuple[str, str]]]:
        """Mark up to `limit` stored inputs of ended jobs as removed.

        They are older than `moment`. Return their number, and the (sha256, media type) of their files; other rows may
        still refer to those files.
        """
        return self._mark_removed(
            select(*_KEY_AND_FILE)
            .join(jobs, jobs.c.id == inputs.c.job_id)
            .where(inputs.c.removed_at.is_(None), jobs.c.delivered_at.is_not(None), inputs.c.stored_at < moment)
            .order_by(inputs.c.stored_at)
            .limit(limit),
            at,
        )

    def has_unused_since(self, moment: datetime) -> bool:
        """Return whether `remove_unused_since` would remove any input."""
        return self._connection.execute(_unused(moment, 1)).first() is not None

    def remove_unused_since(self, moment: datetime, at: datetime, limit: int) -> tuple[int, list[tuple[str, str]]]:
        """Mark up to `limit` inputs of jobs without a result as removed.

        Their jobs ended before `moment`. Return as `remove_stored_before` does.
        """
        return self._mark_removed(_unused(moment, limit), at)

    def _mark_removed(self, unneeded: Select[Any], at: datetime) -> tuple[int, list[tuple[str, str]]]:
        rows = self._connection.execute(unneeded).all()
        if not rows:
            return 0, []
        keys = [(row.job_id, row.position) for row in rows]
        self._connection.execute(
            update(inputs).where(tuple_(inputs.c.job_id, inputs.c.position).in_(keys)).values(removed_at=at)
        )
        return len(rows), list({(row.sha256, row.media_type) for row in rows})

    def list_kept(self, hashes: Iterable[str], *, hold: bool = False) -> set[str]:
        """Return the hashes referred to by a kept input.

        `hold` locks those rows until the transaction ends.
        """
        statement = select(inputs.c.sha256).where(inputs.c.sha256.in_(list(hashes)), inputs.c.removed_at.is_(None))
        return set(self._connection.execute(statement.with_for_update(read=True) if hold else statement).scalars())

    def remove_for(self, job_id: str, at: datetime) -> set[tuple[str, str]]:
        """Mark a job's inputs as removed.

        Return the (sha256, media type) of those kept until now.
        """
        removed = self._connection.execute(_REMOVE_OF_JOB, {"of_job": job_id, "removed_at": at})
        return {(row.sha256, row.media_type) for row in removed}

    def count_removed(self, job_id: str) -> int:
        """Return the number of a job's inputs no longer in the store."""
        removed = select(func.count()).select_from(inputs)
        return self._connection.execute(
            removed.where(inputs.c.job_id == job_id, inputs.c.removed_at.is_not(None))
        ).scalar_one()


def _unused(moment: datetime, limit: int) -> Select[Any]:
    """Select stored inputs of jobs without a result, ended by then."""
    return (
        select(*_KEY_AND_FILE)
        .join(jobs, jobs.c.id == inputs.c.job_id)
        .where(inputs.c.removed_at.is_(None), inputs.c.sha256.is_not(None))
        .where(jobs.c.state.in_(_ENDED_WITHOUT_RESULT), jobs.c.finished_at < moment)
        .limit(limit)
    )


def _from_row(row: Row[Any]) -> InputImage:
    stored = row.sha256 is not None and row.removed_at is None
    return InputImage(
        url=row.url,
        provider_url=row.provider_url,
        file=file_from_row(row._mapping) if stored else None,
        parent=None if row.parent_id is None else ImageRef(job_id=row.parent_id, position=row.parent_picture),
        changes=frozenset(InputChange(each) for each in (row.changes or "").split()),
    )


def _joined(changes: frozenset[InputChange]) -> str | None:
    return " ".join(sorted(changes)) or None
