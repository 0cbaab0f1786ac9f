"""A member's ledger for the sandbox's page.

It is read from the database even while the bot is down.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Select, StaticPool, create_engine, select
from sqlalchemy.exc import OperationalError

from db.tables import accounts, jobs, movements, postings

LedgerReader: TypeAlias = Callable[[int, int], Awaitable[dict[str, Any]]]
"""Read a member's ledger: `reader(guild_id, member_id)`."""

_MAX_ROWS: Final = 40
_EMPTY: Final[dict[str, Any]] = {"account": None, "movements": [], "jobs": []}


def sandbox_ledger(file: Path) -> LedgerReader:
    """Return a reader of a SQLite file.

    Each call reads the file again. Before the file and its tables exist, the ledger is empty.
    """

    async def ledger(guild_id: int, member_id: int) -> dict[str, Any]:
        return await asyncio.to_thread(_read, file, guild_id, member_id)

    return ledger


def _read(file: Path, guild_id: int, member_id: int) -> dict[str, Any]:
    if not file.exists():
        return _EMPTY
    raw = sqlite3.connect(file, timeout=2, check_same_thread=False)
    # Not `mode=ro`: that cannot open a WAL database after the bot has stopped cleanly.
    raw.execute("PRAGMA query_only = ON")
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            return _ledger(connection, guild_id, member_id)
    except OperationalError:
        return _EMPTY
    finally:
        engine.dispose()
        raw.close()


def _ledger(connection: Connection, guild_id: int, member_id: int) -> dict[str, Any]:
    def own(table: Any, *columns: Any) -> Select[Any]:
        return select(*columns).where(table.c.guild_id == guild_id, table.c.member_id == member_id)

    columns = accounts.c
    account = connection.execute(own(accounts, columns.allowance, columns.granted, columns.held, columns.period))
    recent = connection.execute(own(movements, movements).order_by(movements.c.id.desc()).limit(_MAX_ROWS)).all()
    lines_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    wanted = postings.c.movement_id.in_([row.id for row in recent])
    for row in connection.execute(select(postings).where(wanted).order_by(postings.c.amount)):
        lines_of[row.movement_id].append({"book": row.book, "amount": row.amount})
    made = connection.execute(own(jobs, jobs).order_by(jobs.c.id.desc()).limit(_MAX_ROWS)).all()
    found = account.first()
    return {
        "account": None if found is None else dict(found._mapping),
        "movements": [
            {
                "id": row.id,
                "at": row.at.timestamp(),
                "kind": row.kind,
                "job": row.job_id,
                "reason": row.reason,
                "postings": lines_of[row.id],
            }
            for row in recent
        ],
        "jobs": [
            {
                "id": row.id,
                "prompt": row.prompt,
                "state": row.state,
                "price": row.price,
                "charged": row.charged,
                "provider": row.provider,
                "fault": row.fault,
                "at": row.created_at.timestamp(),
            }
            for row in made
        ],
    }
