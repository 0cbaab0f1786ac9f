"""The page's ledger comes from the database, with or without the bot."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from bot.command_line.ledger_view import sandbox_ledger
from db.database import Database
from db.migrate import migrate
from db.tables import accounts, movements, postings

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
NOTHING: dict[str, Any] = {"account": None, "movements": [], "jobs": []}


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """Return a database with an allowance of member 2 in guild 1."""
    file = tmp_path / "atelier.db"
    database = await Database.open(f"sqlite+aiosqlite:///{file}")

    def fill(connection: Connection) -> None:
        where = {"guild_id": 1, "member_id": 2}
        connection.execute(insert(accounts).values(**where, period="2026-11-21", allowance=200, granted=0, held=0))
        connection.execute(
            insert(movements).values(**where, id="a" * 32, kind="allowance", actor_id=2, reason="", at=NOW)
        )
        for book, amount in (("allowance", 200), ("issued", -200)):
            connection.execute(
                insert(postings).values(movement_id="a" * 32, book=book, period="2026-11-21", amount=amount)
            )

    await migrate(database)
    await database.write(fill)
    await database.close()
    return file


async def test_ledger_returns_account_and_movements(file: Path) -> None:
    books = await sandbox_ledger(file)(1, 2)
    assert books["account"] == {"allowance": 200, "granted": 0, "held": 0, "period": "2026-11-21"}
    (movement,) = books["movements"]
    assert movement["at"] == NOW.timestamp()
    assert movement["postings"] == [{"book": "issued", "amount": -200}, {"book": "allowance", "amount": 200}]
    assert books["jobs"] == []


async def test_ledger_of_other_member_or_guild_is_empty(file: Path) -> None:
    assert await sandbox_ledger(file)(1, 3) == NOTHING
    assert await sandbox_ledger(file)(0, 2) == NOTHING


async def test_ledger_without_database_is_empty_and_creates_no_file(tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing.db", tmp_path / "empty.db"
    empty.touch()
    assert await sandbox_ledger(missing)(1, 2) == NOTHING
    assert await sandbox_ledger(empty)(1, 2) == NOTHING
    assert not missing.exists()
    assert empty.stat().st_size == 0
