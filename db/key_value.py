"""Small values kept across restarts."""

from sqlalchemy import Connection, delete, select

from db.dialects import insert
from db.tables import facts


class KeyValueRepository:
    """Values by name within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: str) -> str | None:
        """Return a value, or None."""
        return self._connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar()

    def delete(self, name: str) -> None:
        """Delete a value, if there is one."""
        self._connection.execute(delete(facts).where(facts.c.name == name))

    def save(self, name: str, value: str) -> None:
        """Store a value in place of an earlier one."""
        self._connection.execute(
            insert(self._connection, facts)
            .values(name=name, value=value)
            .on_conflict_do_update(index_elements=[facts.c.name], set_={"value": value})
        )
