"""All jobs of a member, to be erased for good."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, null, select, union, update

from bot.domain.jobs import Delivery
from db.prompts import PromptRepository
from db.reports import close_reports
from db.submissions import withdraw_shared
from db.tables import attempts, fingerprint_keys, inputs, jobs, pictures

_LIST: Final = (
    select(jobs.c.id, jobs.c.finished_at)
    .where(jobs.c.member_id == bindparam("of_member"), jobs.c.id > bindparam("after"))
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
)
_COUNT: Final = select(func.count()).where(jobs.c.member_id == bindparam("of_member"), jobs.c.deleted_at.is_(None))
_COUNT_PICTURES: Final = (
    select(func.count())
    .select_from(pictures)
    .join(jobs, jobs.c.id == pictures.c.job_id)
    .where(jobs.c.member_id == bindparam("of_member"), pictures.c.removed_at.is_(None))
)


class MemberJobRepository:
    """A member's jobs within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_after(self, member_id: int, after: str, most: int) -> Sequence[tuple[str, bool]]:
        """Return the ids of the next jobs, and whether each has ended."""
        rows = self._connection.execute(_LIST, {"of_member": member_id, "after": after, "most": most})
        return [(row.id, row.finished_at is not None) for row in rows]

    def count(self, member_id: int) -> tuple[int, int]:
        """Return the numbers of a member's undeleted jobs and kept pictures."""
        counts = (self._connection.execute(each, {"of_member": member_id}) for each in (_COUNT, _COUNT_PICTURES))
        made, kept = (result.scalar_one() for result in counts)
        return made, kept

    def erase(self, job_ids: Sequence[str], at: datetime) -> set[tuple[str, str]]:
        """Delete ended jobs with their words, pictures and provider's ids.

        Price, state and times stay for the ledger, and the messages until `forget_messages`. Return the (sha256, media
        type) of the pictures; others may still refer to those files.
        """
        files = union(
            *(
                select(table.c.sha256, table.c.media_type).where(
                    table.c.job_id.in_(job_ids), table.c.sha256.is_not(None), table.c.removed_at.is_(None)
                )
                for table in (pictures, inputs)
            )
        )
        found = {(row.sha256, row.media_type) for row in self._connection.execute(files)}
        close_reports(self._connection, job_ids, at)  # in the order of a decision about reports
        withdraw_shared(self._connection, job_ids, at)
        for table in (fingerprint_keys, pictures, inputs):
            self._connection.execute(delete(table).where(table.c.job_id.in_(job_ids)))
        self._connection.execute(
            update(attempts)
            .where(attempts.c.job_id.in_(job_ids))
            .values(handle=None, record_id=None, webhook_hash=None, result=[])
        )
        PromptRepository(self._connection).erase(job_ids, at)
        self._connection.execute(
            update(jobs)
            .where(jobs.c.id.in_(job_ids))
            .values(
                deleted_at=func.coalesce(jobs.c.deleted_at, at),
                delivered_at=func.coalesce(jobs.c.delivered_at, at),
                delivery=func.coalesce(jobs.c.delivery, Delivery.NOWHERE),
                reconcile_at=None,
                favourite_at=None,
            )
        )
        return found

    def forget_messages(self, job_id: str) -> None:
        """Erase the ids of a job's messages."""
        self._connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                token=null(),
                message_id=null(),
                public_at=null(),
                public_message_id=null(),
                direct_at=null(),
                notice=null(),
                notice_at=null(),
            )
        )
