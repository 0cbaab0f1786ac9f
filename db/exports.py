"""Members' requests for all of their data."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, or_, select, update

from bot.domain.exports import END, Export
from db.dialects import insert
from db.tables import exports, workers

_COLUMNS: Final = (
    exports.c.member_id,
    exports.c.requested_at,
    exports.c.locale,
    exports.c.parts,
    exports.c.cursor,
    exports.c.sending,
    exports.c.finished_at,
)


class ExportRepository:
    """Exports within one transaction, the latest of each member.

    A change of an export that was deleted or requested again meanwhile does nothing.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, member_id: int) -> Export | None:
        """Return a member's latest export, or None."""
        row = self._connection.execute(select(*_COLUMNS).where(exports.c.member_id == member_id)).first()
        return None if row is None else _from_row(row)

    def add(self, export: Export, owner: str) -> None:
        """Store a new export in place of an earlier one."""
        values = {column.name: getattr(export, column.name) for column in _COLUMNS} | {"owner": owner}
        self._connection.execute(
            insert(self._connection, exports)
            .values(values)
            .on_conflict_do_update(index_elements=[exports.c.member_id], set_=values)
        )

    def take_open(self, owner: str) -> Sequence[Export]:
        """Return the worker's unfinished exports, oldest first.

        Those of dead workers become its own.
        """
        ownerless = or_(exports.c.owner.is_(None), exports.c.owner.not_in(select(workers.c.id)))
        unfinished = exports.c.finished_at.is_(None)
        self._connection.execute(update(exports).where(unfinished, ownerless).values(owner=owner))
        mine = select(*_COLUMNS).where(unfinished, exports.c.owner == owner).order_by(exports.c.requested_at)
        return [_from_row(row) for row in self._connection.execute(mine)]

    def set_sending(self, export: Export, sending: str) -> bool:
        """Record a part before it is sent; return False if it must not."""
        return self._change(export, sending=sending)

    def set_sent(self, export: Export, sending: str, at: datetime) -> bool:
        """Record a sent part; the last one finishes the export."""
        finished = {"finished_at": at} if sending == END else {}
        return self._change(export, parts=export.number, cursor=sending, sending=None, **finished)

    def delete(self, member_id: int) -> None:
        """Delete a member's export; its parts are sent no further."""
        self._connection.execute(delete(exports).where(exports.c.member_id == member_id))

    def _change(self, export: Export, **values: Any) -> bool:
        same = exports.c.member_id == export.member_id, exports.c.requested_at == export.requested_at
        return self._connection.execute(update(exports).where(*same).values(**values)).rowcount == 1


def _from_row(row: Any) -> Export:
    return Export(**row._mapping)
