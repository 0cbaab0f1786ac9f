"""Reports that are due at a time, each claimed by one process.

Tables with a column `report_at` have them; None is no report.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, exists, select, update


def has_due_reports(connection: Connection, table: Table, now: datetime, *conditions: ColumnElement[bool]) -> bool:
    """Return whether a report of a table is due."""
    return bool(connection.execute(select(exists().where(*conditions, table.c.report_at <= now))).scalar())


def claim_due_reports(
    connection: Connection, table: Table, now: datetime, again_at: datetime, *conditions: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """Return the rows of the due reports; they are due again at a later time.

    Another process that claims them at once gets none.
    """
    due = update(table).where(*conditions, table.c.report_at <= now).values(report_at=again_at)
    return connection.execute(due.returning(*[column.label(column.key) for column in table.c])).all()
