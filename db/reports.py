"""Reports of pictures and their cases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, case, func, select, update

from bot.domain.errors import CaseNotFoundError
from bot.domain.outbox import MessageKind
from bot.domain.reports import (
    MISUSE_WINDOW,
    REPORT_DAY,
    Report,
    ReportCase,
    ReportOutcome,
    ReportReason,
    ReportRecord,
)
from db.dialects import insert
from db.outbox import OutboxRepository
from db.tables import jobs, report_cases, reports

_CASE: Final = tuple(report_cases.c[name].label(name) for name in ReportCase.__dataclass_fields__)
HIDDEN_JOBS: Final = select(report_cases.c.job_id).where(
    report_cases.c.closed_at.is_(None), report_cases.c.hidden_at.is_not(None)
)
"""Jobs with pictures hidden until a decision."""
_HIDDEN: Final = HIDDEN_JOBS.where(report_cases.c.job_id == bindparam("of_job"))
_REPORT: Final = tuple(reports.c[name] for name in Report.__dataclass_fields__)


class ReportRepository:
    """Reports within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open_case(self, new: ReportCase) -> ReportCase:
        """Store a case, or return the open one of the same job."""
        values = {"id": new.id, "guild_id": new.guild_id, "job_id": new.job_id, "at": new.at}
        statement = insert(self._connection, report_cases).values(values).on_conflict_do_nothing()
        of_job = report_cases.c.job_id == new.job_id, report_cases.c.closed_at.is_(None)
        # Locked, so that reports at once are counted together. A case that is closed meanwhile is followed by another.
        wanted, row = select(*_CASE).where(*of_job).with_for_update(), None
        while row is None:
            self._connection.execute(statement)
            row = self._connection.execute(wanted).first()
        return _case(row)

    def get(self, case_id: str, *, lock: bool = False) -> ReportCase:
        """Return a case; `lock` keeps others from deciding it meanwhile.

        Raises:
            CaseNotFoundError: there is no such case.
        """
        wanted = select(*_CASE).where(report_cases.c.id == case_id)
        row = self._connection.execute(wanted.with_for_update() if lock else wanted).first()
        if row is None:
            raise CaseNotFoundError
        return _case(row)

    def set_hidden(self, case_id: str, at: datetime) -> None:
        """Record the hiding of the job's card until a decision."""
        self._connection.execute(update(report_cases).where(report_cases.c.id == case_id).values(hidden_at=at))

    def is_hidden(self, job_id: str) -> bool:
        """Return whether a job's card shows no pictures until a decision."""
        return self._connection.execute(_HIDDEN, {"of_job": job_id}).first() is not None

    def close(self, case_id: str, outcome: ReportOutcome, at: datetime, by: int | None) -> bool:
        """Close an open case; return False if it is closed already."""
        is_open = report_cases.c.id == case_id, report_cases.c.closed_at.is_(None)
        closed = update(report_cases).where(*is_open).values(closed_at=at, closed_by=by, outcome=outcome.value)
        return self._connection.execute(closed).rowcount == 1

    def add(self, report: Report) -> bool:
        """Add a report to its case; return False if its member did that before."""
        values = {name: getattr(report, name) for name in Report.__dataclass_fields__}
        statement = insert(self._connection, reports).values(values | {"reason": report.reason.value})
        return self._connection.execute(statement.on_conflict_do_nothing()).rowcount == 1

    def list_for(self, case_id: str) -> tuple[Report, ...]:
        """Return the reports of a case, oldest first."""
        wanted = select(*_REPORT).where(reports.c.case_id == case_id).order_by(reports.c.at, reports.c.member_id)
        return tuple(_report(row) for row in self._connection.execute(wanted))

    def find_of_member(self, job_id: str, member_id: int) -> ReportCase | None:
        """Return the latest case of a job with a report of a member, or None."""
        wanted = (
            select(*_CASE)
            .join(reports, reports.c.case_id == report_cases.c.id)
            .where(report_cases.c.job_id == job_id, reports.c.member_id == member_id)
            .order_by(report_cases.c.id.desc())
            .limit(1)
        )
        row = self._connection.execute(wanted).first()
        return None if row is None else _case(row)

    def count_of_job(self, job_id: str) -> int:
        """Return the number of reports of a job's pictures."""
        of_job = select(func.count()).select_from(reports).join(report_cases, report_cases.c.id == reports.c.case_id)
        return self._connection.execute(of_job.where(report_cases.c.job_id == job_id)).scalar_one()

    def count_about(self, guild_id: int, member_id: int) -> int:
        """Return the number of reports of a member's pictures in a guild."""
        about = (
            select(func.count())
            .select_from(reports)
            .join(report_cases, report_cases.c.id == reports.c.case_id)
            .join(jobs, jobs.c.id == report_cases.c.job_id)
            .where(jobs.c.guild_id == guild_id, jobs.c.member_id == member_id)
        )
        return self._connection.execute(about).scalar_one()

    def record_of(self, guild_id: int, member_id: int, now: datetime) -> ReportRecord:
        """Return a member's recent reports in a guild."""
        outcome = report_cases.c.outcome
        upheld = [each.value for each in ReportOutcome if each.takes_down]
        wanted = (
            select(
                func.count(case((reports.c.at > now - REPORT_DAY, 1))).label("today"),
                func.count(case((outcome == ReportOutcome.DISMISSED.value, 1))).label("dismissed"),
                func.count(case((outcome.in_(upheld), 1))).label("upheld"),
            )
            .select_from(reports)
            .join(report_cases, report_cases.c.id == reports.c.case_id)
            .where(reports.c.member_id == member_id, reports.c.at > now - MISUSE_WINDOW)
            .where(report_cases.c.guild_id == guild_id)
        )
        row = self._connection.execute(wanted).one()
        return ReportRecord(today=row.today, dismissed=row.dismissed, upheld=row.upheld)

    def list_of_jobs(self, job_ids: Sequence[str]) -> list[str]:
        """Return the open cases of jobs."""
        is_open = report_cases.c.job_id.in_(list(job_ids)), report_cases.c.closed_at.is_(None)
        return list(self._connection.execute(select(report_cases.c.id).where(*is_open)).scalars())

    def list_open(self, guild_id: int) -> list[str]:
        """Return the open cases of a guild."""
        is_open = report_cases.c.guild_id == guild_id, report_cases.c.closed_at.is_(None)
        return list(self._connection.execute(select(report_cases.c.id).where(*is_open)).scalars())


def refresh_reports(connection: Connection, guild_id: int, at: datetime) -> None:
    """Make the cards of a guild's open cases due: their channel changed."""
    ids = ReportRepository(connection).list_open(guild_id)
    if ids:
        OutboxRepository(connection).refresh((MessageKind.REPORT,), ids, at)


def close_reports(connection: Connection, job_ids: Sequence[str], at: datetime) -> None:
    """Close the cases of deleted jobs; their cards follow."""
    repository = ReportRepository(connection)
    ids = repository.list_of_jobs(job_ids)
    for case_id in ids:
        repository.close(case_id, ReportOutcome.GONE, at, None)
    if ids:
        OutboxRepository(connection).refresh((MessageKind.REPORT,), ids, at)


def _case(row: Row[Any]) -> ReportCase:
    outcome = None if row.outcome is None else ReportOutcome(row.outcome)
    return ReportCase(**{**row._mapping, "outcome": outcome})


def _report(row: Row[Any]) -> Report:
    return Report(**{**row._mapping, "reason": ReportReason(row.reason)})
