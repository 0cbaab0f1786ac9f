from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import StatementError

from db.columns import UtcDateTime
from db.database import Database

TIMES = Table("times", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


async def through(database: Database, value: datetime | None) -> datetime | None:
    """Write a time and return it as read back."""

    def write(connection: Connection) -> datetime | None:
        TIMES.create(connection)
        connection.execute(insert(TIMES).values(id=1, at=value))
        back: datetime | None = connection.execute(select(TIMES.c.at)).scalar_one()
        return back

    return await database.write(write)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 14, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 15, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(1999, 12, 31, 20, tzinfo=timezone(timedelta(hours=-8))),
    ],
)
async def test_aware_time_is_read_back_as_same_instant_in_utc(database: Database, moment: datetime) -> None:
    back = await through(database, moment)
    assert back == moment
    assert back is not None
    assert back.tzinfo is UTC or back.utcoffset() == timedelta(0)


async def test_none_is_read_back_as_none(database: Database) -> None:
    assert await through(database, None) is None


async def test_naive_time_raises(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        await through(database, datetime(2026, 3, 14))  # noqa: DTZ001 - that is the point


async def test_times_of_different_zones_compare_as_instants(database: Database) -> None:
    early = datetime(2026, 3, 14, 12, tzinfo=timezone(timedelta(hours=9)))  # 03:00 UTC
    late = datetime(2026, 3, 14, 4, tzinfo=UTC)

    def write(connection: Connection) -> list[int]:
        TIMES.create(connection)
        connection.execute(insert(TIMES), [{"id": 1, "at": late}, {"id": 2, "at": early}])
        earlier = connection.execute(select(TIMES.c.id).where(TIMES.c.at < late)).scalars()
        return [*earlier, *connection.execute(select(TIMES.c.id).order_by(TIMES.c.at)).scalars()]

    assert await database.write(write) == [2, 2, 1]
