"""Attempts: one row for each submit to a provider."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, or_, select, update

from bot.domain.costs import Cost, CostSource, Currency
from bot.domain.errors import FaultKind, StaleJobError
from bot.domain.jobs import AT_PROVIDER, Attempt, Outcome, State
from db.dialects import padded
from db.locks import CLAIMING_HANDLES, advisory_lock
from db.many_rows import ManyInserts, ManyUpdates
from db.tables import attempts, jobs

_COLUMNS = (
    attempts.c.job_id,
    attempts.c.number,
    attempts.c.provider,
    attempts.c.outcome,
    attempts.c.fault,
    attempts.c.handle,
    attempts.c.record_id,
    attempts.c.batch,
    attempts.c.part,
    attempts.c.images,
    attempts.c.cost_nanos,
    attempts.c.cost_currency,
    attempts.c.cost_source,
    attempts.c.result,
    attempts.c.started_at,
    attempts.c.webhook_hash,
    attempts.c.retry_at,
    attempts.c.key_id,
)

NANOS: Final = 1_000_000_000
# A cost that the column cannot hold must not lose the reply with it.
_HIGHEST_COST: Final = 2**31 - 1

# Built once: building a statement costs several times as much as running it.
_INSERT: Final = ManyInserts(attempts)
_OF_JOB: Final = select(*_COLUMNS).where(attempts.c.job_id == bindparam("of_job")).order_by(attempts.c.number)
_LATER: Final = attempts.alias()
_IS_LATEST: Final = (
    attempts.c.number == select(func.max(_LATER.c.number)).where(_LATER.c.job_id == attempts.c.job_id).scalar_subquery()
)
_IS_OF_LATEST_BATCH: Final = (
    attempts.c.batch == select(func.max(_LATER.c.batch)).where(_LATER.c.job_id == attempts.c.job_id).scalar_subquery()
)
_UPDATE_LATEST: Final = ManyUpdates(
    attempts, {"of_job": attempts.c.job_id}, lambda given: (attempts.c.job_id == given["of_job"], _IS_LATEST)
)
_LATEST_BATCH: Final = (
    attempts.c.job_id == bindparam("of_job"),
    attempts.c.batch
    == select(func.max(attempts.c.batch)).where(attempts.c.job_id == bindparam("of_job")).scalar_subquery(),
)
_OF_BATCH: Final = select(*_COLUMNS).where(*_LATEST_BATCH).order_by(attempts.c.number)
_IN_JOBS: Final = attempts.c.job_id.in_(bindparam("of_jobs", expanding=True))
_OF_BATCHES: Final = (
    select(*_COLUMNS).where(_IN_JOBS, _IS_OF_LATEST_BATCH).order_by(attempts.c.job_id, attempts.c.number)
)
_LAST_OF_EACH: Final = select(*_COLUMNS).where(_IN_JOBS, _IS_LATEST)
# A call without a known outcome and without a handle stays as it is.
_NOT_ENDED: Final = or_(
    attempts.c.outcome == Outcome.OPEN, and_(attempts.c.outcome == Outcome.UNKNOWN, attempts.c.handle.is_not(None))
)
_END_BATCH: Final = ManyUpdates(
    attempts,
    {"of_job": attempts.c.job_id},
    lambda given: (attempts.c.job_id == given["of_job"], _IS_OF_LATEST_BATCH, _NOT_ENDED),
)
_REMOVE_BATCH: Final = delete(attempts).where(*_LATEST_BATCH)
_THIS: Final = (attempts.c.job_id == bindparam("of_job"), attempts.c.number == bindparam("the_number"))
_UPDATE: Final = update(attempts).where(*_THIS)
_END: Final = update(attempts).where(*_THIS, attempts.c.outcome.in_((Outcome.OPEN, Outcome.UNKNOWN)))
_BY_WEBHOOK: Final = select(*_COLUMNS).where(attempts.c.webhook_hash == bindparam("the_hash"))
_ACTIVE: Final = (
    select(jobs.c.provider, func.count())
    .select_from(jobs.join(attempts, and_(attempts.c.job_id == jobs.c.id, attempts.c.outcome == Outcome.OPEN)))
    # Without UNKNOWN ones: many may be lost at once, and they would block the provider.
    .where(jobs.c.state.in_(set(AT_PROVIDER) - {State.UNKNOWN}), jobs.c.finished_at.is_(None))
    .group_by(jobs.c.provider)
)


class AttemptRepository:
    """Attempts within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_all(self, new: Sequence[Attempt]) -> None:
        """Record submits before they are sent."""
        _INSERT.execute(
            self._connection,
            [
                {
                    "job_id": attempt.job_id,
                    "number": attempt.number,
                    "provider": attempt.provider,
                    "outcome": attempt.outcome,
                    "batch": attempt.batch,
                    "part": attempt.part,
                    "images": attempt.images,
                    "result": [],
                    "started_at": attempt.started_at,
                    "webhook_hash": attempt.webhook_hash,
                    "key_id": attempt.key_id,
                }
                for attempt in new
            ],
        )

    def list_for(self, job_id: str) -> tuple[Attempt, ...]:
        """Return a job's attempts, oldest first."""
        rows = self._connection.execute(_OF_JOB, {"of_job": job_id})
        return tuple(_from_row(row) for row in rows)

    def latest(self, job_id: str) -> Attempt:
        """Return the job's last attempt.

        Raises:
            StaleJobError: The job has no attempt, so the caller's value of the job is outdated.
        """
        row = self._connection.execute(
            select(*_COLUMNS).where(attempts.c.job_id == job_id).order_by(attempts.c.number.desc()).limit(1)
        ).one_or_none()
        if row is None:
            raise StaleJobError
        return _from_row(row)

    def update_latest(self, job_id: str, **values: Any) -> None:
        """Change columns of the job's last attempt; None leaves a column as it is."""
        given = _columns(values)
        if not given:
            return
        _UPDATE_LATEST.execute(self._connection, [{"of_job": job_id, **given}])

    def update_all_latest(self, changes: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Change columns of the last attempts of jobs, as `update_latest` does."""
        rows = [{"of_job": job_id, **_columns(values)} for job_id, values in changes]
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in rows:
            by_columns.setdefault(tuple(row), []).append(row)
        for columns, each in by_columns.items():
            if len(columns) > 1:
                _UPDATE_LATEST.execute(self._connection, each)

    def latest_batches(self, jobs_: Collection[str]) -> dict[str, tuple[Attempt, ...]]:
        """Return the last batch of each job, as `latest_batch` does."""
        found: dict[str, dict[int, Attempt]] = {}
        for row in self._connection.execute(_OF_BATCHES, {"of_jobs": padded(jobs_)}):
            call = _from_row(row)
            found.setdefault(call.job_id, {})[call.part] = call
        return {job_id: tuple(calls[part] for part in sorted(calls)) for job_id, calls in found.items()}

    def end_batches(self, ends: Sequence[tuple[str, datetime]], outcome: Outcome) -> None:
        """Record the outcome of the last batches of jobs, as `end_batch` does."""
        if ends:
            _END_BATCH.execute(self._connection, [{"of_job": each, **_ending(outcome, at, {})} for each, at in ends])

    def list_last(self, jobs_: Collection[str]) -> dict[str, Attempt]:
        """Return the last attempt of each submitted job."""
        rows = self._connection.execute(_LAST_OF_EACH, {"of_jobs": padded(jobs_)})
        return {row.job_id: _from_row(row) for row in rows}

    def latest_batch(self, job_id: str) -> tuple[Attempt, ...]:
        """Return the calls of a job's last batch, by part.

        Of a part sent more than once it is the last call. Empty if the job was never submitted.
        """
        rows = self._connection.execute(_OF_BATCH, {"of_job": job_id})
        calls = {call.part: call for call in map(_from_row, rows)}
        return tuple(calls[part] for part in sorted(calls))

    def update_call(self, attempt: Attempt, **values: Any) -> None:
        """Change columns of one call; None leaves a column as it is."""
        if given := _columns(values):
            keys = {"of_job": attempt.job_id, "the_number": attempt.number}
            self._connection.execute(_UPDATE, {**keys, **given})

    def end_call(self, attempt: Attempt, outcome: Outcome, at: datetime, **values: Any) -> None:
        """Record the outcome of one call; see `end_batch`."""
        keys = {"of_job": attempt.job_id, "the_number": attempt.number}
        self._connection.execute(_END, {**keys, **_ending(outcome, at, values)})

    def end_batch(self, job_id: str, outcome: Outcome, at: datetime, **values: Any) -> None:
        """Record the outcome of the open calls of a job's last batch.

        The result addresses are erased, because they may be signed. A final outcome is not overwritten, and an unknown
        one only if the provider named the job since.
        """
        _END_BATCH.execute(self._connection, [{"of_job": job_id, **_ending(outcome, at, values)}])

    def set_handle(self, attempt: Attempt, handle: str) -> None:
        """Record the provider's handle for an attempt, unless it has one."""
        self._connection.execute(
            update(attempts)
            .where(
                attempts.c.job_id == attempt.job_id,
                attempts.c.number == attempt.number,
                attempts.c.handle.is_(None),
            )
            .values(handle=handle)
        )

    def claim_handle(self, attempt: Attempt, handle: str) -> bool:
        """Record a handle as `set_handle` does, unless another call has it.

        Return whether it is this call's. Reads the whole table.
        """
        advisory_lock(self._connection, CLAIMING_HANDLES)
        taken = select(attempts.c.job_id).where(
            attempts.c.handle == handle,
            attempts.c.provider == attempt.provider,
            or_(attempts.c.job_id != attempt.job_id, attempts.c.number != attempt.number),
        )
        if self._connection.execute(taken.limit(1)).first() is not None:
            return False
        self.set_handle(attempt, handle)
        return True

    def remove_batch(self, job_id: str) -> None:
        """Delete a job's last batch; none of it was sent."""
        self._connection.execute(_REMOVE_BATCH, {"of_job": job_id})

    def find_by_webhook(self, webhook_hash: str) -> Attempt | None:
        """Return the attempt with this webhook hash, or None."""
        row = self._connection.execute(_BY_WEBHOOK, {"the_hash": webhook_hash}).first()
        return None if row is None else _from_row(row)

    def count_active_by_provider(self) -> dict[str, int]:
        """Return the number of open calls per provider."""
        rows = self._connection.execute(_ACTIVE)
        return {provider: count for provider, count in rows}  # noqa: C416 - rows are not pairs to a type checker


def _ending(outcome: Outcome, at: datetime, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of an outcome."""
    return {"outcome": outcome, "ended_at": at, "result": [], **_columns(values)}


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of changes; None leaves a column as it is."""
    given = {name: value for name, value in values.items() if value is not None}
    cost: Cost | None = given.pop("cost", None)
    if cost is not None and cost.amount.is_finite() and 0 <= cost.amount <= _HIGHEST_COST:
        given |= {
            "cost_nanos": int(cost.amount * NANOS),
            "cost_currency": cost.currency,
            "cost_source": cost.source,
        }
    return given


def _from_row(row: Row[*tuple[Any, ...]]) -> Attempt:
    values = dict(row._mapping)
    values["outcome"] = Outcome(values["outcome"])
    values["fault"] = None if values["fault"] is None else FaultKind(values["fault"])
    values["result"] = tuple(values["result"])
    nanos, currency, source = (values.pop(f"cost_{part}") for part in ("nanos", "currency", "source"))
    if nanos is not None:
        values["cost"] = Cost(amount=Decimal(nanos) / NANOS, currency=Currency(currency), source=CostSource(source))
    return Attempt(**values)
