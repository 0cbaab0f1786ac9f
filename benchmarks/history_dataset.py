"""Years of finished jobs, written fast.

The product runs one job; its rows are multiplied. So the rows follow the current schema, and the ledger balances.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    type_coerce,
)
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.databases import open_database
from benchmarks.harness import ALLOWANCE, Harness
from bot.domain.credits import MovementKind
from db.tables import accounts, attempts, budgets, holds, jobs, movements, pictures, postings

COMMUNITIES: Final = 100
FIRST_MEMBER: Final = 1_000
_FIRST_COMMUNITY: Final = 1_000
_FIRST_INTERACTION: Final = 10**12
_SPAN: Final = timedelta(days=365)
_RETENTION: Final = timedelta(days=30)
_AT_ONCE: Final = 100_000
_ID_DIGITS: Final = 32
_HASH_DIGITS: Final = 64

Change = Mapping[str, Any]


def account_of(number: int) -> tuple[int, int]:
    """Return (guild, member) of an account of the dataset."""
    return _FIRST_COMMUNITY + number % COMMUNITIES, FIRST_MEMBER + number


async def fill(url: str, *, count: int, members: int) -> None:
    """Write `count` finished jobs of the last year, evenly over `members`.

    `count` is a multiple of `members`. The database must be new.
    """
    async with open_database(url) as database:
        harness = Harness(database)
        job = await harness.finish(await harness.hold())
        await harness.close()
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(lambda own: _multiply(own, job.id, count, members))
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        if engine.dialect.name == "postgresql":
            async with autocommit.connect() as connection:
                await connection.execute(text("VACUUM ANALYZE"))  # autovacuum would have done so in a year
    finally:
        await engine.dispose()


def _multiply(connection: Connection, job_id: str, count: int, members: int) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        # Safe: only this connection uses the file until it is complete.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
    else:
        # The referenced rows are written too, so foreign keys need no check per row.
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("SET synchronous_commit = off")
    template = _Template(connection, job_id)
    month = _Expressions(connection, count, members)
    for start in range(0, count, _AT_ONCE):
        numbers = _series(connection, start, min(start + _AT_ONCE, count))
        template.write(month, numbers)
    template.write_accounts(month, _series(connection, 0, members))
    connection.commit()
    if sqlite:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def _series(connection: Connection, start: int, end: int) -> Select[Any]:
    """Return a query of the numbers from `start` to before `end`, as `i`."""
    if connection.dialect.name == "postgresql":
        return select(func.generate_series(start, end - 1).label("i"))
    first = select(literal(start).label("i")).cte("series", recursive=True)
    series = first.union_all(select(first.c.i + 1).where(first.c.i < end - 1))
    return select(series.c.i)


class _Expressions:
    """SQL expressions for numbers and times, by kind of database.

    `count` jobs are spread over a year and over `members`.
    """

    def __init__(self, connection: Connection, count: int, members: int) -> None:
        self._postgresql = connection.dialect.name == "postgresql"
        self._count = count
        self._begin = int((datetime.now(UTC) - _SPAN - timedelta(days=1)).timestamp())
        self.each = count // members
        self.members = members
        self.now = int(datetime.now(UTC).timestamp())

    def digits(self, number: Any, length: int = _ID_DIGITS) -> ColumnElement[Any]:
        """Return a number as hexadecimal digits, smaller than any real id."""
        if self._postgresql:
            return func.lpad(func.to_hex(cast(number, BigInteger)), length, "0")
        return func.printf(f"%0{length}x", number)

    def second(self, i: Any, more: int = 0) -> ColumnElement[Any]:
        """Return the epoch second of the creation of job `i`, plus `more`."""
        made: ColumnElement[Any] = cast(i, BigInteger) * int(_SPAN.total_seconds()) / self._count
        if self._postgresql:
            made = func.div(cast(i, BigInteger) * int(_SPAN.total_seconds()), self._count)
        return made + self._begin + more

    def moment(self, second: Any) -> ColumnElement[Any]:
        """Return a time in its stored form."""
        if self._postgresql:
            return func.to_timestamp(second)
        return func.strftime("%Y-%m-%d %H:%M:%S.000000", second, "unixepoch")

    def month(self, second: Any) -> ColumnElement[Any]:
        """Return the month of a time."""
        if self._postgresql:
            return func.to_char(func.timezone("UTC", func.to_timestamp(second)), "YYYY-MM")
        return func.strftime("%Y-%m", second, "unixepoch")


class _Template:
    """The rows of one finished job."""

    def __init__(self, connection: Connection, job_id: str) -> None:
        self._connection = connection
        own = movements.c.job_id == job_id
        self._job = _row(connection, select(jobs).where(jobs.c.id == job_id))
        self._attempt = _row(connection, select(attempts).where(attempts.c.job_id == job_id))
        self._hold = _row(connection, select(holds).where(holds.c.job_id == job_id))
        self._picture = _row(connection, select(pictures).where(pictures.c.job_id == job_id))
        self._account = _row(connection, select(accounts))
        self._movements = {
            kind: _row(
                connection, select(movements).where(movements.c.kind == kind, own | movements.c.job_id.is_(None))
            )
            for kind in (MovementKind.ALLOWANCE, MovementKind.HOLD, MovementKind.CAPTURE)
        }
        self._postings = {
            kind: [dict(row._mapping) for row in connection.execute(_postings_of(movement["id"]))]
            for kind, movement in self._movements.items()
        }

    def write(self, expressions: _Expressions, numbers: Select[Any]) -> None:
        """Write a job and its related rows for each number."""
        i = numbers.subquery().c.i
        ends = {"finished_at": 20, "delivered_at": 21, "acknowledged_at": 1, "submitted_at": 2}
        whose_ = self._whose(i % expressions.members)
        made = expressions.second(i)
        self._insert(
            jobs,
            self._job,
            {
                "id": expressions.digits(i + 1),
                "interaction_id": i + _FIRST_INTERACTION,
                "message_id": i + _FIRST_INTERACTION,
                "token": None,
                "created_at": expressions.moment(made),
                "due_at": expressions.moment(made),
                **{name: expressions.moment(expressions.second(i, more)) for name, more in ends.items()},
                **whose_,
            },
        )
        job = {"job_id": expressions.digits(i + 1)}
        attempt = {
            "handle": expressions.digits(i),
            "record_id": expressions.digits(i),
            "webhook_hash": expressions.digits(i, _HASH_DIGITS),
            "started_at": expressions.moment(expressions.second(i, 2)),
            "ended_at": expressions.moment(expressions.second(i, 20)),
        }
        self._insert(attempts, self._attempt, job | attempt)
        self._insert(holds, self._hold, job | whose_ | {"month": expressions.month(made)})
        stored = expressions.second(i, 20)
        expired = expressions.now - int(_RETENTION.total_seconds())
        removed = case((stored < expired, expressions.moment(stored + int(_RETENTION.total_seconds()))))
        picture = {
            "sha256": expressions.digits(i, _HASH_DIGITS),
            "stored_at": expressions.moment(stored),
            "removed_at": removed,
        }
        self._insert(pictures, self._picture, job | picture)
        for kind, place, more in ((MovementKind.HOLD, 0, 0), (MovementKind.CAPTURE, 1, 20)):
            settles = {"settles": job["job_id"]} if kind is MovementKind.CAPTURE else {}
            values = job | whose_ | settles | {"at": expressions.moment(expressions.second(i, more))}
            self._move(kind, expressions.digits(2 * i + place + 2 * expressions.members), values)

    def write_accounts(self, expressions: _Expressions, numbers: Select[Any]) -> None:
        """Write the accounts with their allowance, and the used budgets."""
        i = numbers.subquery().c.i
        whose_ = self._whose(i)
        spent = expressions.each * int(self._job["price"])
        self._insert(accounts, self._account, whose_ | {"allowance": ALLOWANCE - spent, "spent": spent})
        self._move(
            MovementKind.ALLOWANCE, expressions.digits(i), whose_ | {"at": expressions.moment(expressions.second(0))}
        )
        self._connection.execute(delete(budgets))
        captured = func.sum(holds.c.allowance + holds.c.granted)
        of_guilds = select(holds.c.guild_id, holds.c.month, literal_column("0"), captured)
        of_all = select(literal_column("0"), holds.c.month, literal_column("0"), captured)
        for used in (of_guilds.group_by(holds.c.guild_id, holds.c.month), of_all.group_by(holds.c.month)):
            columns = ["guild_id", "month", "held", "captured"]
            self._connection.execute(insert(budgets).from_select(columns, used))

    def _move(self, kind: MovementKind, movement_id: ColumnElement[Any], changes: Change) -> None:
        self._insert(movements, self._movements[kind], {**changes, "id": movement_id})
        for posting in self._postings[kind]:
            self._insert(postings, posting, {"movement_id": movement_id})

    def _insert(self, table: Table, row: Change, changes: Change) -> None:
        values = [_value(column, changes.get(column.key, row[column.name])) for column in table.columns]
        self._connection.execute(insert(table).from_select([column.key for column in table.columns], select(*values)))

    @staticmethod
    def _whose(member: Any) -> dict[str, Any]:
        return {"guild_id": member % COMMUNITIES + _FIRST_COMMUNITY, "member_id": member + FIRST_MEMBER}


def _value(column: Column[Any], value: Any) -> ColumnElement[Any]:
    if isinstance(value, ColumnElement):
        return type_coerce(value, column.type)
    if value is None:
        return cast(literal_column("NULL"), column.type)
    return (
        cast(literal(value, column.type), column.type)
        if isinstance(column.type, String)
        else literal(value, column.type)
    )


def _postings_of(movement_id: str) -> Select[Any]:
    return select(postings).where(postings.c.movement_id == movement_id)


def _row(connection: Connection, statement: Select[Any]) -> dict[str, Any]:
    return dict(connection.execute(statement).one()._mapping)
