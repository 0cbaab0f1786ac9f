"""The result of the latest daily audit, of any process."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from db.key_value import KeyValueRepository

_KEY: Final = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """The time of an audit and the number of its mistakes."""

    at: datetime
    problems: int


class AuditResultRepository:
    """The latest audit's result within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._values = KeyValueRepository(connection)

    def save(self, result: AuditResult) -> None:
        """Store a result in place of the earlier one."""
        self._values.save(_KEY, f"{result.at.isoformat()} {result.problems}")

    def find(self) -> AuditResult | None:
        """Return the latest result; None before the first audit."""
        stored = self._values.find(_KEY)
        if stored is None:
            return None
        at, problems = stored.split(" ")
        return AuditResult(at=datetime.fromisoformat(at), problems=int(problems))
