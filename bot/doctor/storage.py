"""Checks of the data folder and the database."""

import sqlite3
import tempfile
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.doctor.finding import Finding
from bot.settings import Settings
from db.database import Database
from db.migrate import NewerDatabaseError, pending_migrations
from db.other_process import SIGHTING_VALID_FOR, OtherProcessRepository

# What opening or using a database may raise; SQLite's own errors are not wrapped while it is being opened.
DATABASE_FAULTS = (SQLAlchemyError, OSError, ValueError, sqlite3.Error)


async def check_folder(settings: Settings) -> list[Finding]:
    """Check that the data folder can be written."""
    folder = settings.data_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = error.strerror or type(error).__name__
        return [
            Finding(
                good=False,
                what=f"DATA_DIR {folder} cannot be written: {why}",
                remedy="Make the folder writable for the user that runs the bot, or set DATA_DIR to another.",
            )
        ]
    return [Finding(good=True, what=f"DATA_DIR {folder} can be written")]


async def check_database(settings: Settings) -> list[Finding]:
    """Open the database and compare its revision with this version."""
    try:
        database = await Database.open(settings.database_address)
        try:
            await database.write(lambda connection: connection.execute(text("SELECT 1")).scalar())
            pending = await pending_migrations(database)
            seen = None if pending else await database.read(lambda each: OtherProcessRepository(each).last_seen())
        finally:
            await database.close()
    except NewerDatabaseError as error:
        what = f"the database is from a newer version (revision {error.revision})"
        remedy = "Install that version again, or restore a backup from before the upgrade."
        return [Finding(good=False, what=what, remedy=remedy)]
    except DATABASE_FAULTS as error:
        return [
            Finding(
                good=False,
                what=f"the database cannot be used: {first_cause(error)}",
                remedy="Look at DATABASE_URL: does the server run, do user, password and name fit, is the disk full?",
            )
        ]
    state = "its tables will be brought up to date at the start" if pending else "up to date"
    usable = Finding(good=True, what=f"the {database.dialect} database can be used ({state})")
    return [usable] if seen is None else [usable, _other_process(seen)]


def _other_process(seen: datetime) -> Finding:
    """Return the finding about another process with this token."""
    return Finding(
        good=datetime.now(UTC) - seen > SIGHTING_VALID_FOR,
        what=f"another process answered commands with this DISCORD_TOKEN, last on {seen:%Y-%m-%d at %H:%M} UTC",
        remedy=(
            "Stop it: several processes need one PostgreSQL database (DATABASE_URL). If you do not know where it runs,"
            " reset the token on the Bot page of the developer portal."
        ),
    )


def first_cause(error: BaseException) -> str:
    """Return the name of the driver's own error.

    The wrappers around it name nothing.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
