"""The ledger: append-only movements with postings, and holds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from bot.domain.allowances import Period
from bot.domain.credits import Account, Hold, Movement
from bot.domain.jobs import Job
from db.dialects import padded
from db.many_rows import ManyInserts
from db.tables import holds, jobs, movements, postings

# Built once: building a statement costs several times as much as running it.
_ADD_MOVEMENTS: Final = ManyInserts(movements)
_ADD_POSTINGS: Final = ManyInserts(postings)
_ADD_HOLDS: Final = ManyInserts(holds)
_GET_HOLDS: Final = select(*(holds.c[each.name] for each in fields(Hold))).where(
    holds.c.job_id.in_(bindparam("of_jobs", expanding=True))
)
# Of a settled hold, the allowance is charged first.
_USED_ALLOWANCE: Final = case(
    (or_(jobs.c.charged.is_(None), jobs.c.charged >= holds.c.allowance), holds.c.allowance), else_=jobs.c.charged
)
_SPENT: Final = (
    select(func.coalesce(func.sum(_USED_ALLOWANCE), 0))
    .join(jobs, jobs.c.id == holds.c.job_id)
    .where(
        holds.c.guild_id == bindparam("the_guild"),
        holds.c.member_id == bindparam("the_member"),
        ~holds.c.forgiven,
        # A period named before the time zone moved may have had other hours.
        or_(
            holds.c.period == bindparam("the_period"),
            and_(jobs.c.created_at >= bindparam("since"), jobs.c.created_at < bindparam("until")),
        ),
    )
)
_HELD_GRANTS: Final = (
    select(func.coalesce(func.sum(holds.c.granted), 0))
    .join(jobs, jobs.c.id == holds.c.job_id)
    .where(
        holds.c.guild_id == bindparam("the_guild"),
        holds.c.member_id == bindparam("the_member"),
        jobs.c.charged.is_(None),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A movement of an account, and why it was made.

    `settles` names the hold that it ends.
    """

    id: str
    guild_id: int
    member_id: int
    movement: Movement
    actor_id: int
    reason: str
    at: datetime
    job_id: str | None = None
    settles: str | None = None


class LedgerRepository:
    """The ledger within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_all(self, entries: Sequence[LedgerEntry]) -> None:
        """Append movements.

        The database rejects a second one that settles the same hold.
        """
        if not entries:
            return
        _ADD_MOVEMENTS.execute(
            self._connection,
            [
                {
                    "id": each.id,
                    "guild_id": each.guild_id,
                    "member_id": each.member_id,
                    "kind": each.movement.kind,
                    "job_id": each.job_id,
                    "settles": each.settles,
                    "actor_id": each.actor_id,
                    "reason": each.reason,
                    "at": each.at,
                }
                for each in entries
            ],
        )
        _ADD_POSTINGS.execute(
            self._connection,
            [
                {"movement_id": each.id, "book": posting.account, "period": posting.period, "amount": posting.amount}
                for each in entries
                for posting in each.movement.postings
            ],
        )

    def add_holds(self, jobs: Sequence[tuple[Job, Hold]]) -> None:
        """Record the holds of jobs with their splits."""
        _ADD_HOLDS.execute(
            self._connection,
            [
                {
                    "job_id": hold.job_id,
                    "guild_id": job.place.guild_id,
                    "member_id": job.place.member_id,
                    "allowance": hold.allowance,
                    "granted": hold.granted,
                    "period": hold.period,
                    "month": hold.month,
                    "role_id": hold.role_id,
                }
                for job, hold in jobs
            ],
        )

    def held_grants(self, guild_id: int, member_id: int) -> int:
        """Return the granted credits in a member's open holds."""
        keys = {"the_guild": guild_id, "the_member": member_id}
        return int(self._connection.execute(_HELD_GRANTS, keys).scalar_one())

    def spent_allowance(self, account: Account, period: Period) -> int:
        """Return the allowance used by a member's jobs of a period.

        They were made within it, or hold credits of it. Holds are included, forgiven ones are not.
        """
        keys = {
            "the_guild": account.guild_id,
            "the_member": account.member_id,
            "the_period": period.key,
            "since": period.begin,
            "until": period.end,
        }
        return int(self._connection.execute(_SPENT, keys).scalar_one())

    def forgive(self, account: Account, since: datetime) -> None:
        """Forgive the holds that count in the account's period.

        These are the ones made in it, and those of jobs since its begin.
        """
        later = select(jobs.c.id).where(
            jobs.c.guild_id == account.guild_id, jobs.c.member_id == account.member_id, jobs.c.created_at >= since
        )
        counting = update(holds).where(
            holds.c.guild_id == account.guild_id,
            holds.c.member_id == account.member_id,
            ~holds.c.forgiven,
            or_(holds.c.period == account.period, holds.c.job_id.in_(later)),
        )
        self._connection.execute(counting.values(forgiven=True))

    def get_hold(self, job_id: str) -> Hold:
        """Return the hold of a job."""
        return self.get_holds([job_id])[job_id]

    def get_holds(self, jobs: Collection[str]) -> dict[str, Hold]:
        """Return the holds of jobs by their ids."""
        rows = self._connection.execute(_GET_HOLDS, {"of_jobs": padded(jobs)})
        return {row.job_id: Hold(**row._mapping) for row in rows}
