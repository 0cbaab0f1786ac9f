"""Checks of the data folder, the picture folder and the database."""

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from bot.doctor.finding import Finding
from bot.domain.credits import Budget, month_of
from bot.settings import Settings
from db.budgets import BudgetRepository
from db.database import Database
from db.faults import DATABASE_FAULTS, first_cause
from db.key_value import KeyValueRepository
from db.migrate import NewerDatabaseError, pending_migrations
from db.other_process import SIGHTING_VALID_FOR, OtherProcessRepository

_PROBE: Final = "atelier doctor"
_PROBE_TABLE: Final = "atelier_doctor"


async def check_folders(settings: Settings) -> list[Finding]:
    """Write a file in the data folder and in the picture folder."""
    folder, pictures = settings.data_dir.absolute(), settings.picture_folder.absolute()
    for written in (folder, pictures, pictures / "tmp"):
        try:
            _write_file(written)
        except OSError as error:
            return [_unwritable(written, folder, error.strerror or type(error).__name__)]
    # A start as another user leaves folders that this one cannot add pictures to.
    for below in sorted(pictures.glob("??")):
        if not os.access(below, os.W_OK | os.X_OK):
            return [_unwritable(below, folder, "Permission denied")]
    if pictures.is_relative_to(folder):
        return [Finding(good=True, what=f"DATA_DIR {folder} and its pictures can be written")]
    return [Finding(good=True, what=f"DATA_DIR {folder} and the folder {pictures} of pictures can be written")]


def _write_file(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"atelier")
        file.flush()
        os.fsync(file.fileno())


def _unwritable(written: Path, data_dir: Path, why: str) -> Finding:
    name = "DATA_DIR" if written.is_relative_to(data_dir) else "PICTURE_STORE_URL"
    return Finding(
        good=False,
        what=f"{name} {written} cannot be written: {why}",
        remedy=f"Make the folder writable for the user that runs the bot, or set {name} to another.",
    )


async def check_database(settings: Settings) -> list[Finding]:
    """Write to the database, and compare its revision with this version."""
    try:
        database = await Database.open(settings.database_address)
        try:
            pending = await pending_migrations(database)
            seen = None if pending else await database.read(lambda each: OtherProcessRepository(each).last_seen())
            # Two transactions: a row that is not committed never reaches SQLite's file.
            for write in (_create_table, _drop_table) if pending else (_save_fact, _delete_fact):
                await database.write(write)
            month = month_of(datetime.now(UTC))
            limit = settings.monthly_budget
            budget = None if pending else await database.read(lambda each: BudgetRepository(each).find(month, limit))
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
    usable = Finding(good=True, what=f"the {database.dialect} database can be written ({state})")
    findings = [usable]
    if budget is not None:
        findings.append(_budget(budget))
    if seen is not None:
        findings.append(_other_process(seen))
    return findings


def _budget(budget: Budget) -> Finding:
    """Return the finding about this month's budget."""
    parts = f"{budget.held} held, {budget.captured} captured, {budget.at_risk} at risk"
    what = f"MONTHLY_BUDGET: {budget.left} of {budget.limit} credits left in {budget.month} ({parts})"
    if budget.left:
        return Finding(good=True, what=what)
    remedy = "No pictures are made until the month ends. Raise MONTHLY_BUDGET and restart the bot to go on."
    return Finding(good=False, what=what, remedy=remedy)


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


def _save_fact(connection: Connection) -> None:
    KeyValueRepository(connection).save(_PROBE, "written")


def _delete_fact(connection: Connection) -> None:
    KeyValueRepository(connection).delete(_PROBE)


# Before the first migration there is no table, and the migration will create some.
def _create_table(connection: Connection) -> None:
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {_PROBE_TABLE} (id INTEGER)"))


def _drop_table(connection: Connection) -> None:
    connection.execute(text(f"DROP TABLE IF EXISTS {_PROBE_TABLE}"))
