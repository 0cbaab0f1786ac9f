"""SQLite: a writer, a searcher and readers, WAL, every commit durable.

A whole transaction runs in the connection's thread (aiosqlite's). SQLAlchemy's asyncio dialect switches between the
loop and that thread three or four times per statement, which measured more than twice the CPU time. Writes that wait at
the same moment share a transaction, because each commit waits for the disk. So do short reads, because each way to a
thread and back takes longer than a statement.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import CompiledCacheType
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from db.dialects import EqualDialect, statement_cache

T = TypeVar("T")

_BUSY_TIMEOUT_MS = 10_000
_READERS = 3
# A group of writes ends at this number, or before the first that would begin after this time.
_MOST_WRITES = 128
_GROUP_SECONDS = 0.05
_MOST_READS = 32
# Waiting reads get a further reader after this time. Earlier, readers would only take the interpreter from each other.
_PATIENCE_SECONDS = 0.01
# Deleted rows are overwritten: they may be what a member wanted gone.
_WRITER_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON")
_READER_PRAGMAS = ("query_only = ON",)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of a function, or its error."""

    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A waiting read or write, and the place of its result."""

    function: Callable[[Connection], Any]
    result: asyncio.Future[Any]


class SqliteBackend:
    """The file's writer, its readers, and its reader for searches."""

    def __init__(
        self, writer: "_ThreadConnection", searcher: "_ThreadConnection", readers: list["_ThreadConnection"]
    ) -> None:
        self._connections = [writer, searcher, *readers]
        self._writer = writer
        self._searcher = searcher
        self._search_turn = asyncio.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._committer: asyncio.Task[None] | None = None
        self._reads = _ReadQueue(readers)

    @property
    def dialect(self) -> str:
        """The SQLAlchemy name of the dialect."""
        return "sqlite"

    @classmethod
    async def open(cls, url: URL) -> Self:
        """Return the backend for the file of `url`.

        The folder is created if missing.
        """
        if url.database in (None, "", ":memory:"):
            raise ValueError("a SQLite database needs a file, because several connections share it")
        file = Path(str(url.database))
        # It holds prompts and tokens. SQLite gives the files beside it the same mode.
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # aiosqlite's thread outlives a failed open and then reports a closed loop, so failures are provoked before.
        await asyncio.to_thread(_create, file)
        # The writer comes first: it creates the file and switches it to WAL.
        connections: list[_ThreadConnection] = []
        statements = statement_cache()
        try:
            connections.append(await _ThreadConnection.open(file, "BEGIN IMMEDIATE", _WRITER_PRAGMAS, statements))
            for _ in range(1 + _READERS):
                reader = await _ThreadConnection.open(file, "BEGIN", _READER_PRAGMAS, statements)
                connections.append(reader)
        except BaseException:
            for connection in connections:
                await connection.close()
            raise
        return cls(connections[0], connections[1], connections[2:])

    async def read(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run on a reader.

        A `long_running` one has it for itself. SQLite has no statement timeout.
        """
        if long_running:
            return await self._reads.run_alone(function)
        return await self._reads.run(function)

    async def search(self, function: Callable[[Connection], T]) -> T:
        """Run on the reader for searches, one at a time."""
        async with self._search_turn:
            return await self._searcher.run(function)

    async def write(self, function: Callable[[Connection], T], *, long_running: bool = False) -> T:
        """Run on the writer, in one transaction with the writes that wait.

        A failed one is undone alone. Nobody gets a result before the commit. `long_running` makes no difference.
        """
        del long_running
        write = _Waiting(function, asyncio.get_running_loop().create_future())
        self._waiting.append(write)
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_waiting())
        result: T = await write.result
        return result

    async def autocommit(self, function: Callable[[Connection], T]) -> T:
        """Run as a write: nothing that is asked of SQLite needs more."""
        return await self.write(function)

    async def _commit_waiting(self) -> None:
        """Commit group after group until no write waits."""
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(_MOST_WRITES, len(self._waiting)))]
                try:
                    outcomes = await self._writer.run_group([each.function for each in group])
                except Exception as error:  # noqa: BLE001 - it is the error of each
                    outcomes = [_Outcome(error=error) for _ in group]
                self._waiting.extendleft(reversed(group[len(outcomes) :]))
                for write, outcome in zip(group, outcomes, strict=False):
                    _end(write.result, outcome)
        finally:
            self._committer = None

    async def close(self) -> None:
        """Close every connection; the last one folds the log back into the file."""
        for connection in reversed(self._connections):
            await connection.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The unbegun reads of a transaction, and its start in monotonic seconds."""

    reads: deque[_Waiting]
    since: float

    def take_rest(self) -> list[_Waiting]:
        """Take all reads that are left; the thread takes from them, too."""
        rest = []
        with suppress(IndexError):
            while True:
                rest.append(self.reads.popleft())
        return rest


class _ReadQueue:
    """Waiting reads, taken by readers in groups.

    A group's reads were asked for before its transaction begins, so each sees all that was committed before. Those that
    wait behind a slow one get another reader.
    """

    def __init__(self, readers: list["_ThreadConnection"]) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._groups: list[_Group] = []
        self._alone = 0
        self._idle: asyncio.LifoQueue[_ThreadConnection] = asyncio.LifoQueue()
        self._runners = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._patience: asyncio.TimerHandle | None = None
        for reader in readers:
            self._idle.put_nowait(reader)

    async def run(self, function: Callable[[Connection], T]) -> T:
        """Run a function with the waiting ones."""
        loop = asyncio.get_running_loop()
        read = _Waiting(function, loop.create_future())
        self._waiting.append(read)
        if not self._runners:
            self._begin()
        if self._patience is None:
            self._patience = loop.call_later(_PATIENCE_SECONDS, self._lose_patience)
        result: T = await read.result
        return result

    async def run_alone(self, function: Callable[[Connection], T]) -> T:
        """Run a function without others."""
        self._alone += 1
        try:
            reader = await self._idle.get()
        finally:
            self._alone -= 1
        try:
            return await reader.run(function)
        finally:
            self._idle.put_nowait(reader)

    def _lose_patience(self) -> None:
        """Give the reads behind slow ones to a further reader."""
        self._patience = None
        latest = time.monotonic() - _PATIENCE_SECONDS
        for group in reversed(self._groups):
            if group.since <= latest:
                self._waiting.extendleft(reversed(group.take_rest()))
        if self._waiting and not self._idle.empty():
            self._begin(most=1)
        if self._waiting or any(group.reads for group in self._groups):
            self._patience = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._lose_patience)

    def _begin(self, *, most: int = _MOST_READS) -> None:
        self._runners += 1
        task = asyncio.create_task(self._run_waiting(most))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_waiting(self, most: int) -> None:
        """Run group after group on a reader until none waits."""
        try:
            reader = await self._idle.get()
            try:
                while self._waiting:
                    reads = deque(self._waiting.popleft() for _ in range(min(most, len(self._waiting))))
                    await self._run_group(reader, _Group(reads, time.monotonic()))
                    if self._alone:
                        break  # one that runs alone gets the reader
            finally:
                self._idle.put_nowait(reader)
        finally:
            self._runners -= 1
        if self._waiting and not self._runners:
            self._begin()

    async def _run_group(self, reader: "_ThreadConnection", group: "_Group") -> None:
        taken: list[_Waiting] = []
        self._groups.append(group)
        try:
            outcomes = await reader.run_reads(group.reads, taken)
            self._waiting.extendleft(reversed(group.take_rest()))  # of a transaction that ended early
        except Exception as error:  # noqa: BLE001 - it is the error of each
            taken += group.take_rest()
            outcomes = [_Outcome(error=error) for _ in taken]
        finally:
            self._groups.remove(group)
        for read, outcome in zip(taken, outcomes, strict=True):
            _end(read.result, outcome)


class _Dialect(EqualDialect, SQLiteDialect_pysqlite):
    supports_statement_cache = True


registry.register("sqlite.atelier", __name__, _Dialect.__name__)


class _ThreadConnection:
    """An aiosqlite connection with a SQLAlchemy connection over it.

    The SQLAlchemy connection is used in aiosqlite's thread only.
    """

    def __init__(self, connection: aiosqlite.Connection, transactions: Connection) -> None:
        self._connection = connection
        self._transactions = transactions

    @classmethod
    async def open(cls, file: Path, begin: str, pragmas: tuple[str, ...], statements: CompiledCacheType) -> Self:
        # `isolation_level=None`: the driver never begins a transaction by itself.
        connection = await aiosqlite.connect(file, isolation_level=None, check_same_thread=False)
        try:
            for pragma in (f"busy_timeout = {_BUSY_TIMEOUT_MS}", *pragmas):
                await connection.execute_fetchall(f"PRAGMA {pragma}")
            transactions = await _in_thread(connection, lambda: _sqlalchemy_connection(connection, begin, statements))
        except BaseException:
            await connection.close()
            raise
        return cls(connection, transactions)

    async def run(self, function: Callable[[Connection], T]) -> T:
        return await _in_thread(self._connection, lambda: self._run(function))

    async def run_group(self, functions: list[Callable[[Connection], Any]]) -> list[_Outcome]:
        """Return the outcomes of functions, run in one transaction.

        Those that begin late are left out. The transaction is durable or lost by then; an error here is one of all.
        """
        return await _in_thread(self._connection, lambda: self._run_group(functions))

    async def run_reads(self, group: deque[_Waiting], taken: list[_Waiting]) -> list[_Outcome]:
        """Run a group's reads in one transaction; return their outcomes.

        They are `taken` from the group one by one, because others may empty it, too.
        """
        return await _in_thread(self._connection, lambda: self._run_reads(group, taken))

    def _run_reads(self, group: deque[_Waiting], taken: list[_Waiting]) -> list[_Outcome]:
        outcomes = []
        with self._transaction(), suppress(IndexError):  # the loop may empty the group, too
            while True:
                taken.append(group.popleft())
                outcomes.append(_outcome(partial(taken[-1].function, self._transactions)))
                if not self._connection.in_transaction:
                    break  # some errors of SQLite undo it, and the next read would see another state
        return outcomes

    def _run(self, function: Callable[[Connection], T]) -> T:
        with self._transaction():
            return function(self._transactions)

    def _run_group(self, functions: list[Callable[[Connection], Any]]) -> list[_Outcome]:
        begun: list[Callable[[Connection], Any]] = []
        if len(functions) > 1:
            end = time.monotonic() + _GROUP_SECONDS
            outcomes = []
            try:
                with self._transaction():
                    for function in functions:
                        begun.append(function)
                        outcomes.append(self._run_member(function))
                        if time.monotonic() > end:
                            break
            except (DBAPIError, sqlite3.Error):
                if not begun:
                    raise  # the file is locked: each would wait for it again
            else:
                return outcomes
        # The only one, or those of a lost transaction: one of them may be the cause.
        return [_outcome(partial(self._run, function)) for function in begun or functions]

    def _run_member(self, function: Callable[[Connection], Any]) -> _Outcome:
        """Run a function in its own savepoint.

        Raises:
            sqlite3.Error: the whole transaction is lost. Some errors of SQLite undo it.
        """
        raw = self._connection._conn  # noqa: SLF001 - no public way
        raw.execute("SAVEPOINT member")
        outcome = _outcome(partial(function, self._transactions))
        if outcome.error is not None:
            raw.execute("ROLLBACK TO member")
        raw.execute("RELEASE member")
        return outcome

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._transactions.begin():
                yield
        finally:
            # SQLAlchemy considers a failed COMMIT the end, but SQLite may keep the transaction open.
            if self._connection.in_transaction:
                self._connection._conn.rollback()  # noqa: SLF001 - no public way

    async def close(self) -> None:
        await _in_thread(self._connection, self._transactions.close)
        await self._connection.close()


def _outcome(call: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(value=call())
    except BaseException as error:  # noqa: BLE001 - raised again where its caller waits
        return _Outcome(error=error)


def _end(result: asyncio.Future[Any], outcome: _Outcome) -> None:
    if result.done():
        return  # cancelled
    if outcome.error is None:
        result.set_result(outcome.value)
    elif isinstance(outcome.error, StopIteration):  # no future takes it
        fault = RuntimeError("a transaction raised StopIteration")
        fault.__cause__ = outcome.error
        result.set_exception(fault)
    else:
        result.set_exception(outcome.error)


def _create(file: Path) -> None:
    if not file.exists():
        file.touch(mode=0o600)
    sqlite3.connect(file).close()


async def _in_thread(connection: aiosqlite.Connection, function: Callable[[], T]) -> T:
    """Run `function` in the connection's thread and return its result."""
    result: Any = await connection._execute(function)  # type: ignore[no-untyped-call]  # noqa: SLF001 - as above
    return result  # type: ignore[no-any-return] # it is what `function` returns


def _sqlalchemy_connection(connection: aiosqlite.Connection, begin: str, statements: CompiledCacheType) -> Connection:
    """Return a connection with the lifetime of the driver's.

    Reconnecting costs as much as two statements.
    """
    raw = connection._conn  # noqa: SLF001 - aiosqlite hides what SQLAlchemy needs
    engine = create_engine(
        "sqlite+atelier://",
        creator=lambda: raw,
        poolclass=StaticPool,
        hide_parameters=True,  # errors go to logs, and prompts and tokens must not
        execution_options={"compiled_cache": statements},
    )

    def do_begin(_: object) -> None:
        raw.execute(begin)

    # SQLAlchemy and the driver would begin late and DEFERRED, which loses updates. An event listener could do this too,
    # but an engine with a listener checks for listeners at every statement: a quarter of a transaction's time.
    engine.dialect.do_begin = do_begin  # type: ignore[assignment, method-assign] # SQLAlchemy's own recipe
    return engine.connect()
