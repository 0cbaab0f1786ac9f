"""The books that the page shows are those in the database, whether the bot runs or not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from bot.ledger_view import sandbox_ledger
from db.database import Database
from db.migrate import migrate
from db.tables import accounts, movements, postings

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
NOTHING: dict[str, Any] = {"account": None, "movements": [], "jobs": []}


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """Give a database in which member 2 of community 1 was given an allowance."""
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


async def test_the_books_are_read(file: Path) -> None:
    """The account, and each movement with its postings."""
    books = await sandbox_ledger(file)(1, 2)
    assert books["account"] == {"allowance": 200, "granted": 0, "held": 0, "period": "2026-11-21"}
    (movement,) = books["movements"]
    assert movement["at"] == NOW.timestamp()
    assert movement["postings"] == [{"book": "issued", "amount": -200}, {"book": "allowance", "amount": 200}]
    assert books["jobs"] == []


async def test_another_member_sees_nothing_of_it(file: Path) -> None:
    """Neither another member nor another community."""
    assert await sandbox_ledger(file)(1, 3) == NOTHING
    assert await sandbox_ledger(file)(0, 2) == NOTHING


async def test_before_the_bot_has_made_it_there_is_nothing(tmp_path: Path) -> None:
    """No file, and a file without tables; neither is made or changed."""
    missing, empty = tmp_path / "missing.db", tmp_path / "empty.db"
    empty.touch()
    assert await sandbox_ledger(missing)(1, 2) == NOTHING
    assert await sandbox_ledger(empty)(1, 2) == NOTHING
    assert not missing.exists()
    assert empty.stat().st_size == 0
