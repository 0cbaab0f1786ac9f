"""Late answers about ended jobs, in the database."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from bot.domain.costs import Cost
from bot.domain.credits import RiskOutcome
from bot.domain.images import ResultImage
from bot.domain.jobs import Attempt, Job
from bot.engine.clock import Clock
from bot.engine.ledger import Ledger
from db.attempts import AttemptRepository
from db.database import Database
from db.pictures import ResultImageRepository
from db.reconciliations import ReconciliationRepository

_RETRY_INTERVAL: Final = timedelta(minutes=10)


class ReconciliationStore:
    """Schedules and records the reconciliation of ended jobs.

    Such a job ended without its provider's answer. Images that arrive later are free. Each method is one transaction.
    """

    def __init__(self, *, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    async def claim_due(self, limit: int) -> tuple[Job, ...]:
        """Claim the jobs due for reconciliation.

        No other worker gets the same jobs.
        """
        now = self._clock.now()

        def write(connection: Connection) -> tuple[Job, ...]:
            reconciliations = ReconciliationRepository(connection)
            due = reconciliations.list_due(now, limit)
            return tuple(job for job in due if reconciliations.postpone(job, now + _RETRY_INTERVAL))

        return await self._database.write(write)

    async def schedule(self, job: Job) -> None:
        """Reconcile an ended job soon: a webhook named it."""
        now = self._clock.now()
        await self._database.write(lambda connection: ReconciliationRepository(connection).schedule(job.id, now))

    async def finish(
        self,
        job: Job,
        images: Sequence[ResultImage] = (),
        costs: Sequence[tuple[Attempt, Cost | None]] = (),
        *,
        outcome: RiskOutcome | None = None,
    ) -> None:
        """Store late images free of charge and end the reconciliation.

        `costs` are those of the calls with images.

        `outcome` is the provider's word on the job's possible cost; without it the cost stays at risk.
        """
        now = self._clock.now()

        def write(connection: Connection) -> None:
            if outcome is not None:
                self._ledger.decide_possible_costs(connection, job, outcome, now)
            if ReconciliationRepository(connection).schedule(job.id, None) and images:
                ResultImageRepository(connection).add_all(images, now)
                for call, cost in costs:
                    AttemptRepository(connection).update_call(call, cost=cost, result=[])

        await self._database.write(write)
