"""Caps on the rows that a table stores for one member."""

from sqlalchemy import Connection, Table, delete, select


def keep_latest(connection: Connection, table: Table, member_id: int, most: int) -> None:
    """Delete a member's rows except the latest `most`.

    The order is that of the ids, which grow with time.
    """
    mine = select(table.c.id).where(table.c.member_id == member_id).order_by(table.c.id.desc())
    oldest_kept = connection.execute(mine.offset(most - 1).limit(1)).scalar()
    if oldest_kept is not None:
        connection.execute(delete(table).where(table.c.member_id == member_id, table.c.id < oldest_kept))
