"""Possible costs of unpaid attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from bot.domain.credits import PossibleCost, RiskOutcome
from bot.domain.jobs import Job
from db.tables import risks


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRisk:
    """An undecided possible cost.

    `member_id` is the pseudonym after a deletion.
    """

    number: int
    member_id: int
    month: str
    amount: int


class RiskRepository:
    """Possible costs within one transaction.

    A row is decided once and never deleted.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: Job, cost: PossibleCost, month: str, at: datetime) -> None:
        """Book the possible cost of an attempt in its budget month."""
        self._connection.execute(
            insert(risks).values(
                job_id=job.id,
                number=cost.attempt,
                member_id=job.place.member_id,
                month=month,
                amount=cost.amount,
                cause=cost.cause,
                booked_at=at,
            )
        )

    def list_open(self, job_id: str) -> Sequence[OpenRisk]:
        """Return the undecided costs of a job."""
        rows = self._connection.execute(
            select(risks.c.number, risks.c.member_id, risks.c.month, risks.c.amount)
            .where(risks.c.job_id == job_id, risks.c.outcome.is_(None))
            .order_by(risks.c.number)
        )
        return [OpenRisk(**row._mapping) for row in rows]

    def decide(self, job_id: str, number: int, outcome: RiskOutcome, at: datetime) -> bool:
        """Record the provider's word; return False if it is already decided."""
        statement = (
            update(risks)
            .where(risks.c.job_id == job_id, risks.c.number == number, risks.c.outcome.is_(None))
            .values(outcome=outcome, decided_at=at)
        )
        return self._connection.execute(statement).rowcount == 1

    def count_since(self, member_id: int, cause: str, since: datetime) -> int:
        """Return the number of a member's possible costs of a cause since then."""
        statement = select(func.count()).where(
            risks.c.member_id == member_id, risks.c.booked_at > since, risks.c.cause == cause
        )
        return self._connection.execute(statement).scalar_one()
