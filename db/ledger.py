"""The ledger: append-only movements with postings, and holds."""

from dataclasses import fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update
from sqlalchemy import insert as plain_insert

from bot.domain.allowances import Period
from bot.domain.credits import Account, Hold, Movement
from db.tables import holds, jobs, movements, postings

# Built once: building a statement costs several times as much as running it.
_ADD_MOVEMENT: Final = plain_insert(movements)
_ADD_POSTINGS: Final = plain_insert(postings)
_ADD_HOLD: Final = plain_insert(holds)
_GET_HOLD: Final = select(*(holds.c[each.name] for each in fields(Hold))).where(holds.c.job_id == bindparam("of_job"))
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


class LedgerRepository:
    """The ledger within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        movement: Movement,
        *,
        id: str,  # noqa: A002 - the column's name
        account: Account,
        actor_id: int,
        reason: str,
        at: datetime,
        job_id: str | None = None,
        settles: str | None = None,
    ) -> None:
        """Append a movement.

        `settles` names the hold that the movement ends; the database rejects a second one for the same hold.
        """
        self._connection.execute(
            _ADD_MOVEMENT,
            {
                "id": id,
                "guild_id": account.guild_id,
                "member_id": account.member_id,
                "kind": movement.kind,
                "job_id": job_id,
                "settles": settles,
                "actor_id": actor_id,
                "reason": reason,
                "at": at,
            },
        )
        self._connection.execute(
            _ADD_POSTINGS,
            [
                {"movement_id": id, "book": posting.account, "period": posting.period, "amount": posting.amount}
                for posting in movement.postings
            ],
        )

    def add_hold(self, hold: Hold, account: Account) -> None:
        """Record a hold with its split."""
        self._connection.execute(
            _ADD_HOLD,
            {
                "job_id": hold.job_id,
                "guild_id": account.guild_id,
                "member_id": account.member_id,
                "allowance": hold.allowance,
                "granted": hold.granted,
                "period": hold.period,
                "month": hold.month,
                "role_id": hold.role_id,
            },
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
        row = self._connection.execute(_GET_HOLD, {"of_job": job_id}).one()
        return Hold(**row._mapping)
