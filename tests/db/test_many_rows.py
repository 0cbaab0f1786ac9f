"""Many rows at once: as row after row, on both kinds of database."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Column, Connection, Integer, MetaData, String, Table, func, select
from sqlalchemy.exc import IntegrityError

from bot.domain.jobs import State
from db.columns import UtcDateTime
from db.database import Database
from db.many_rows import ManyInserts, ManyUpdates

KINDS = Table(
    "kinds",
    MetaData(),
    Column("id", String(32), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("member_id", BigInteger, nullable=False),
    Column("at", UtcDateTime),
    Column("flag", Boolean, nullable=False),
    Column("values", JSON, nullable=False),
    Column("changes", Integer, nullable=False, server_default="0"),
)
INSERTS = ManyInserts(KINDS)
UPDATES = ManyUpdates(
    KINDS,
    {"the_id": KINDS.c.id, "from_state": KINDS.c.state},
    lambda given: (KINDS.c.id == given["the_id"], KINDS.c.state == given["from_state"]),
)
ADDS = ManyUpdates(
    KINDS,
    {"the_id": KINDS.c.id, "more": KINDS.c.changes},
    lambda given: (KINDS.c.id == given["the_id"],),
    lambda given: {"changes": KINDS.c.changes + func.coalesce(given["more"], 100)},
)
AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"id": "a", "state": State.HELD, "member_id": 2**62, "at": AT, "flag": True, "values": []},
    {"id": "b", "state": State.DONE, "member_id": 1, "at": None, "flag": False, "values": ['x, "y"', "{z}"]},
    {"id": "c", "state": State.HELD, "member_id": 3, "at": AT, "flag": False, "values": {"k": [1, None]}},
]


@pytest.fixture
async def kinds(database: Database) -> Database:
    """Return a database with an empty table of all kinds of columns."""
    await database.write(KINDS.create)
    return database


async def stored(database: Database) -> list[dict[str, Any]]:
    """Return the rows by id."""
    rows = await database.read(lambda connection: connection.execute(select(KINDS).order_by(KINDS.c.id)).all())
    return [dict(row._mapping) for row in rows]


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_values_of_all_kinds_arrive(kinds: Database, number: int) -> None:
    await kinds.write(lambda connection: INSERTS.execute(connection, ROWS[:number]))
    assert await stored(kinds) == [row | {"changes": 0} for row in ROWS[:number]]


async def test_rows_may_name_their_columns_in_any_order(kinds: Database) -> None:
    turned = [ROWS[0], *(dict(reversed(row.items())) for row in ROWS[1:])]
    await kinds.write(lambda connection: INSERTS.execute(connection, turned))
    assert await stored(kinds) == [row | {"changes": 0} for row in ROWS]


async def test_row_that_is_there_undoes_all(kinds: Database) -> None:
    await kinds.write(lambda connection: INSERTS.execute(connection, ROWS[:1]))
    with pytest.raises(IntegrityError):
        await kinds.write(lambda connection: INSERTS.execute(connection, [ROWS[1], ROWS[0]]))
    assert [row["id"] for row in await stored(kinds)] == ["a"]


@pytest.mark.parametrize("number", [1, 3])
async def test_only_rows_that_meet_the_guard_change(kinds: Database, number: int) -> None:
    changes = [
        {"the_id": row["id"], "from_state": State.HELD, "state": State.FAILED, "values": [row["id"]], "at": None}
        for row in ROWS[:number]
    ]

    def write(connection: Connection) -> int:
        INSERTS.execute(connection, ROWS)
        return UPDATES.execute(connection, changes)

    changed = await kinds.write(write)
    rows = {row["id"]: (row["state"], row["values"], row["at"]) for row in await stored(kinds)}
    assert changed == (1 if number == 1 else 2)
    assert rows["a"] == (State.FAILED, ["a"], None)
    assert rows["b"] == (State.DONE, ROWS[1]["values"], None)
    assert rows["c"] == ((State.HELD, ROWS[2]["values"], AT) if number == 1 else (State.FAILED, ["c"], None))


async def test_changes_are_computed_from_the_row(kinds: Database) -> None:
    def write(connection: Connection) -> None:
        INSERTS.execute(connection, ROWS)
        ADDS.execute(connection, [{"the_id": "a", "more": 5}, {"the_id": "c", "more": None}])
        ADDS.execute(connection, [{"the_id": "a", "more": 1}])

    await kinds.write(write)
    assert [row["changes"] for row in await stored(kinds)] == [6, 0, 100]
