"""Output, errors and settings of the commands."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import typer

from bot.command_line.output import ERR, OUT
from bot.command_line.studio_control import ControlError
from bot.container import open_database
from bot.settings import Settings, SettingsError, load_settings
from db.database import Database
from db.faults import DATABASE_FAULTS
from db.migrate import NewerDatabaseError, pending_migrations

T = TypeVar("T")

NOT_UP_TO_DATE = "This database is not up to date. Run `atelier migrate` first; a start of the bot does it too."


def read_settings() -> Settings:
    """Return the settings, or end with a line for each mistake."""
    try:
        return load_settings()
    except SettingsError as error:
        for line in error.lines:
            ERR.print(line)
        fail("Fix the settings above in the environment or in .env.")


def print_work(settings: Settings, work: Callable[[Database], Awaitable[list[str]]]) -> None:
    """Print the lines of a change of the operator's, or its mistake."""

    async def change() -> list[str]:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                fail(NOT_UP_TO_DATE)
            return await work(database)

    try:
        lines = run_with_database(change())
    except ControlError as error:
        fail(str(error))
    for line in lines:
        OUT.print(line)


def stop_on_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Return the events of the first and of the second signal to end."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def end() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    return stop, hurry


def run_with_database(work: Coroutine[Any, Any, T]) -> T:
    """Run work, or end with a line about the database."""
    try:
        return asyncio.run(work)
    except NewerDatabaseError as error:
        fail(newer_database(error))
    except DATABASE_FAULTS as error:
        fail(f"The database cannot be used ({type(error).__name__}). `atelier doctor` says more.")


def newer_database(error: NewerDatabaseError) -> str:
    """Return the line about a database of a newer version."""
    return (
        f"The database is from a newer version of Atelier (revision {error.revision}). "
        "Install that version again, or restore a backup from before the upgrade."
    )


def fail(line: str, *, code: int = 1) -> NoReturn:
    """End with a line on the error output."""
    ERR.print(line)
    raise typer.Exit(code)
