"""A member's books as the database has them, for the sandbox's page: read beside the bot, also while it is down."""

import asyncio
import sqlite3
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Select, StaticPool, create_engine, select
from sqlalchemy.exc import OperationalError

from db.tables import accounts, jobs, movements, postings
from sandbox.web import Ledger

_MOST: Final = 40
_NOTHING: Final[dict[str, Any]] = {"account": None, "movements": [], "jobs": []}


def sandbox_ledger(file: Path) -> Ledger:
    """Return what reads the SQLite file anew at each call; before the file and its tables are there, nothing."""

    async def ledger(guild_id: int, member_id: int) -> dict[str, Any]:
        return await asyncio.to_thread(_read, file, guild_id, member_id)

    return ledger


def _read(file: Path, guild_id: int, member_id: int) -> dict[str, Any]:
    if not file.exists():
        return _NOTHING
    raw = sqlite3.connect(file, timeout=2, check_same_thread=False)
    # Not `mode=ro`: after a clean end of the bot that could not open a database in WAL mode.
    raw.execute("PRAGMA query_only = ON")
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            return _books(connection, guild_id, member_id)
    except OperationalError:
        return _NOTHING
    finally:
        engine.dispose()
        raw.close()


def _books(connection: Connection, guild_id: int, member_id: int) -> dict[str, Any]:
    def own(table: Any, *columns: Any) -> Select[Any]:
        return select(*columns).where(table.c.guild_id == guild_id, table.c.member_id == member_id)

    columns = accounts.c
    account = connection.execute(own(accounts, columns.allowance, columns.granted, columns.held, columns.period))
    moved = connection.execute(own(movements, movements).order_by(movements.c.id.desc()).limit(_MOST)).all()
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    wanted = postings.c.movement_id.in_([row.id for row in moved])
    for row in connection.execute(select(postings).where(wanted).order_by(postings.c.amount)):
        lines[row.movement_id].append({"book": row.book, "amount": row.amount})
    drawn = connection.execute(own(jobs, jobs).order_by(jobs.c.id.desc()).limit(_MOST)).all()
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
                "postings": lines[row.id],
            }
            for row in moved
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
            for row in drawn
        ],
    }
