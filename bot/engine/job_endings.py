"""End of a job with its credits, inside the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.costs import is_billed
from bot.domain.credits import PossibleCost
from bot.domain.errors import FaultKind
from bot.domain.jobs import Attempt, Job, Outcome, State
from bot.domain.requests import offers_for
from bot.engine.config import EngineConfig
from bot.engine.guild_key_offers import usable_offers
from bot.engine.ledger import Ledger
from bot.engine.retry_policy import next_retry_at, ready_offers, remaining_offers
from bot.engine.settlements import Settlement, settle
from db.attempts import AttemptRepository
from db.jobs import JobRepository

FIRST_RECONCILIATION: Final = timedelta(minutes=1)

# Accepted, and the provider said neither that the call failed nor that it is free.
_MAYBE_BILLED: Final = (FaultKind.NO_PICTURES, FaultKind.NOT_FOUND)


class JobEndings:
    """Ends jobs and settles their holds."""

    def __init__(self, *, ledger: Ledger, catalogue: Catalogue, config: EngineConfig) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._config = config

    def end(
        self,
        connection: Connection,
        job: Job,
        to: State,
        now: datetime,
        *,
        charge: int = 0,
        fault: FaultKind | None = None,
        reconcile_at: datetime | None = None,
        possible_cost: PossibleCost | None = None,
    ) -> Job:
        """Move a job to a final state and settle its hold."""
        ended = JobRepository(connection).advance(
            job, to, finished_at=now, charged=charge, fault=fault, reconcile_at=reconcile_at
        )
        settlement = Settlement(job=ended, charge=charge, reason=fault or to, at=now, possible_cost=possible_cost)
        settle(self._ledger, connection, settlement)
        return ended

    def retry_or_fail(self, connection: Connection, job: Job, fault: FaultKind, now: datetime) -> Job:
        """Return a refused job to HELD; fail it if no offer is left."""
        tried = AttemptRepository(connection).list_for(job.id)
        left = usable_offers(connection, job, remaining_offers(offers_for(job.request, self._catalogue), tried))
        if not left:
            return self.end(connection, job, State.FAILED, now, fault=fault)
        due = now if ready_offers(left, tried, now) else next_retry_at(left, tried, now)
        return JobRepository(connection).advance(
            job, State.HELD, tries=job.tries + 1, due_at=due, provider=None, submitted_at=None
        )

    def give_up(self, connection: Connection, job: Job, now: datetime) -> Job:
        """Fail an UNKNOWN job, or keep its hold; see `JobStore.give_up`."""
        overdue = now - job.created_at >= timedelta(seconds=self._config.hard_deadline)
        if not overdue and not self._ledger.has_free_repeat(connection, job.place.member_id, now):
            return job
        # With a handle from a webhook only the status could not be read, and images may have come late.
        batch = AttemptRepository(connection).latest_batch(job.id)
        reconcile_at = now + FIRST_RECONCILIATION if any(call.handle or call.result for call in batch) else None
        return self.end(
            connection,
            job,
            State.FAILED,
            now,
            fault=FaultKind.REPLY_LOST,
            reconcile_at=reconcile_at,
            possible_cost=possible_cost(job, batch, FaultKind.REPLY_LOST),
        )


def possible_cost(job: Job, batch: Sequence[Attempt], cause: FaultKind, *, stored: int = 0) -> PossibleCost | None:
    """Return the possible cost of a job's calls, or None.

    The member pays for `stored` images. The addresses of a call's images are known once the provider made them; else
    it may have made all.
    """
    made = sum(_made(call, job) for call in batch)
    amount = job.unit_price * (min(made, job.request.images) - stored)
    return PossibleCost(attempt=batch[-1].number, amount=amount, cause=cause) if batch and amount > 0 else None


def _made(call: Attempt, job: Job) -> int:
    """Return the number of a call's images with a possible bill."""
    images = call.images or job.request.images
    if call.outcome in (Outcome.OPEN, Outcome.UNKNOWN, Outcome.LOST):
        return min(len(call.result), images) or images
    was_made = call.outcome is Outcome.FAILED and (is_billed(call.cost) or call.fault in _MAYBE_BILLED)
    return images if was_made else 0
