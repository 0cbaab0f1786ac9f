"""Frequent steps of jobs, many in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.domain.credits import PossibleCost
from bot.domain.errors import AtelierError, FaultKind, JobNotFoundError
from bot.domain.images import ResultImage
from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.engine.job_endings import possible_cost
from bot.engine.ledger import Ledger
from bot.engine.settlements import Settlement, SettlementBatch
from bot.providers.base import Finished, Pending
from db.attempts import AttemptRepository
from db.batches import AloneError, Batch, ItemOutcome
from db.database import Database
from db.job_batch import JobBatch
from db.jobs import JobRepository
from db.pictures import ResultImageRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A job's move to a state, with the changes of its last attempt."""

    job: Job
    to: State
    attempt: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The end of a job with its stored images."""

    job: Job
    images: Sequence[ResultImage]
    at: datetime


class JobSteps:
    """Reads of jobs, moves and completions.

    Raises:
        StaleJobError: from every method that changes a job, if the job moved on meanwhile.
    """

    def __init__(self, *, database: Database, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reads = Batch(database, _read_all, reads=True)
        self._moves = Batch(database, _move_all)
        self._completions = Batch(database, self._complete_all)

    async def get(self, job_id: str) -> tuple[Job, Attempt | None]:
        """Return a job and its last attempt.

        Raises:
            JobNotFoundError: if there is no such job.
        """
        return await self._reads.run(job_id)

    async def accept(self, job: Job, answer: Pending) -> Job:
        """Record the provider's acceptance: QUEUED or RUNNING."""
        to = State.RUNNING if answer.running else State.QUEUED
        attempt = {"handle": answer.handle, "record_id": answer.record_id, "cost": answer.cost}
        return await self._moves.run(Move(job=job, to=to, attempt=attempt))

    async def start(self, job: Job) -> Job:
        """Record the start at the provider: QUEUED to RUNNING."""
        return await self._moves.run(Move(job=job, to=State.RUNNING, attempt={}))

    async def store(self, job: Job, answer: Finished) -> Job:
        """Record the finished images: their URLs are kept until download."""
        attempt = {
            "handle": answer.handle,
            "record_id": answer.record_id,
            "cost": answer.cost,
            "result": list(answer.image_urls),
        }
        return await self._moves.run(Move(job=job, to=State.STORING, attempt=attempt))

    async def complete(self, job: Job, images: Sequence[ResultImage], now: datetime) -> Job:
        """End a job with its stored images: capture their price only."""
        return await self._completions.run(Completion(job=job, images=images, at=now))

    def _complete_all(self, connection: Connection, items: Sequence[Completion]) -> Sequence[ItemOutcome[Job]]:
        jobs, is_alone = [each.job for each in items], len(items) == 1
        batch = JobBatch(connection, jobs)
        attempts, images = AttemptRepository(connection), ResultImageRepository(connection)
        calls = attempts.latest_batches([job.id for job in jobs])
        settlements = SettlementBatch(self._ledger, connection, jobs, is_alone=is_alone)
        outcomes: list[ItemOutcome[Job]] = []
        ended: list[tuple[Completion, Settlement]] = []
        for each in items:
            job = each.job
            settlement = Settlement(
                job=job,
                charge=job.unit_price * len(each.images),
                reason=State.DONE,
                at=each.at,
                possible_cost=_unpaid(job, calls.get(job.id, ()), len(each.images)),
            )
            try:
                settlements.require_usual(settlement)
                done = batch.advance(
                    job, State.DONE, finished_at=each.at, charged=settlement.charge, fault=None, reconcile_at=None
                )
            except (AtelierError, AloneError) as error:
                outcomes.append(error)
            else:
                outcomes.append(done)
                ended.append((each, settlement))
        attempts.end_batches([(each.job.id, each.at) for each, _ in ended], Outcome.COMPLETED)
        batch.write()
        for _, settlement in ended:
            settlements.add(settlement)
        settlements.write()
        images.add_stored([(image, each.at) for each, _ in ended for image in each.images])
        return outcomes


def _unpaid(job: Job, calls: Sequence[Attempt], stored: int) -> PossibleCost | None:
    """Return the cost of images made and billed, but unusable or lost.

    No member pays for those.
    """
    lost = any(call.outcome is Outcome.UNKNOWN and not call.result for call in calls)
    cause = FaultKind.REPLY_LOST if lost else FaultKind.NO_PICTURES
    return possible_cost(job, calls, cause, stored=stored)


def _read_all(connection: Connection, ids: Sequence[str]) -> Sequence[ItemOutcome[tuple[Job, Attempt | None]]]:
    jobs = {job.id: job for job in JobRepository(connection).list_by_id(ids)}
    attempts = AttemptRepository(connection).list_last(ids)
    return [(jobs[each], attempts.get(each)) if each in jobs else JobNotFoundError() for each in ids]


def _move_all(connection: Connection, moves: Sequence[Move]) -> Sequence[ItemOutcome[Job]]:
    batch = JobBatch(connection, [each.job for each in moves])
    outcomes: list[ItemOutcome[Job]] = []
    changes = []
    for each in moves:
        try:
            outcomes.append(batch.advance(each.job, each.to))
        except AtelierError as error:
            outcomes.append(error)
        else:
            changes.append((each.job.id, each.attempt))
    AttemptRepository(connection).update_all_latest(changes)
    batch.write()
    return outcomes
