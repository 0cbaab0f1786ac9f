"""Checks of other processes with the same database."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from bot.doctor.finding import Finding
from bot.settings import Settings
from db.database import Database
from db.process_lock import AlreadyRunningError, hold_process_lock
from db.tables import workers


async def check_processes(settings: Settings) -> list[Finding]:
    """Note running processes; other checks report a broken database."""
    url = make_url(settings.database_address)
    if url.get_backend_name() == "sqlite":
        return _lock(Path(str(url.database)))
    try:
        running = await _leases(settings)
    except (SQLAlchemyError, OSError, ValueError):
        return []
    return [Finding(good=True, what=f"running processes that serve this database: {running}")]


def _lock(file: Path) -> list[Finding]:
    try:
        with hold_process_lock(file):
            return [Finding(good=True, what="no other process serves this database")]
    except AlreadyRunningError:
        what = "a running Atelier serves this database"
        return [
            Finding(good=True, what=what, remedy="SQLite takes one process: stop that one before you start another.")
        ]
    except OSError as error:
        return [
            Finding(
                good=False,
                what=f"{file.absolute()}.lock cannot be written: {error.strerror or type(error).__name__}",
                remedy="Make the file writable for the user that runs the bot, or delete it while no bot runs.",
            )
        ]


async def _leases(settings: Settings) -> int:
    database = await Database.open(settings.database_address)
    try:
        live = select(func.count()).where(workers.c.expires_at > datetime.now(UTC))
        return await database.read(lambda connection: connection.execute(live).scalar_one())
    finally:
        await database.close()
