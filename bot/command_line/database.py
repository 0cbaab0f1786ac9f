"""`atelier migrate`, `audit`, `backup`, `restore` and `move`."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from bot.backup import (
    BackupError,
    check_backup,
    checked_lines,
    create_backup,
    created_lines,
    move_database,
    moved_lines,
    restore_backup,
    restored_lines,
)
from bot.command_line.output import ERR, OUT
from bot.command_line.terminal import NOT_UP_TO_DATE, fail, newer_database, read_settings, run_with_database
from bot.container import open_database
from bot.domain.credits import Budget
from bot.settings.validators import check_database
from bot.ui.render.formatting import counted
from db.audit import audit as audit_books
from db.budgets import BudgetRepository
from db.faults import DATABASE_FAULTS, first_cause
from db.migrate import NewerDatabaseError, pending_migrations
from db.migrate import migrate as migrate_database

T = TypeVar("T")
_TERMINATED: Final = 128 + signal.SIGTERM


def migrate() -> None:
    """Upgrade the database to this version."""
    settings = read_settings()

    async def apply() -> list[str]:
        async with open_database(settings) as database:
            return await migrate_database(database)

    applied = run_with_database(apply())
    OUT.print(f"Applied: {', '.join(applied)}" if applied else "The database is up to date.")


def audit() -> None:
    """Check the ledger; exit 1 with a line for each fault."""
    settings = read_settings()

    months: list[Budget] = []

    async def prove() -> list[str]:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                fail(NOT_UP_TO_DATE)
            months.extend(await database.read(lambda each: BudgetRepository(each).list_months(settings.monthly_budget)))
            return await database.read(audit_books)

    problems = run_with_database(prove())
    for budget in months:
        parts = f"{budget.held} held, {budget.captured} captured, {budget.at_risk} at risk"
        OUT.print(f"Budget {budget.month}: {parts}, {budget.left} of {budget.limit} left.")
    for problem in problems:
        ERR.print(problem)
    if problems:
        fail(f"The ledger does not balance: {counted(len(problems), 'mistake')}.")
    OUT.print("The ledger balances.")


def backup(
    file: Annotated[Path | None, typer.Argument(help="New file, or a folder.", show_default="DATA_DIR/backups")] = None,
    pictures: Annotated[bool, typer.Option("--pictures", help="Add the pictures.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Write the database to one file, also while the bot runs."""
    settings = read_settings()
    created = _run_with_backup(create_backup(settings, file, datetime.now(UTC), pictures=pictures))
    for line in created_lines(created):
        OUT.print(line)
    if created.manifest.ledger_faults:
        raise typer.Exit(1)


def restore(
    file: Annotated[Path, typer.Argument(help="A file of `atelier backup`.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace a used database; it is kept aside.")] = False,  # noqa: FBT002 - typer's form of a flag
    check: Annotated[bool, typer.Option("--check", help="Only try the backup; change nothing.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Restore a backup, while no bot runs."""
    settings = read_settings()
    now = datetime.now(UTC)
    if check:
        lines = checked_lines(_run_with_backup(check_backup(settings, file, now)))
    else:
        lines = restored_lines(_run_with_backup(restore_backup(settings, file, now, force=force)))
    for line in lines:
        OUT.print(line)


def move(
    url: Annotated[str, typer.Argument(help="The new DATABASE_URL; - reads it from the input.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace a used database; it is kept aside.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Move the database to PostgreSQL or SQLite, while no bot runs."""
    settings = read_settings()
    # Other users of the machine can read the arguments of a command, and a URL has a password.
    address = sys.stdin.readline().strip() if url == "-" else url
    try:
        check_database(address)
    except ValueError:
        fail("URL takes sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME, as DATABASE_URL.")
    moved = _run_with_backup(move_database(settings, address, datetime.now(UTC), force=force))
    for line in moved_lines(moved):
        OUT.print(line)
    if moved.ledger_faults:
        raise typer.Exit(1)


def _run_with_backup(work: Coroutine[Any, Any, T]) -> T:
    """Run work on a backup or a move, or end with a line about the fault."""
    try:
        return asyncio.run(_cancel_on_termination(work))
    except asyncio.CancelledError:
        fail("Stopped before the end.", code=_TERMINATED)
    except BackupError as error:
        fail(str(error))
    except NewerDatabaseError as error:
        fail(newer_database(error))
    except DATABASE_FAULTS as error:
        fail(f"The database cannot be used ({first_cause(error)}). `atelier doctor` says more.")


async def _cancel_on_termination(work: Coroutine[Any, Any, T]) -> T:
    """Await work, and let it delete its temporary files on SIGTERM."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task
