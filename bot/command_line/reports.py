"""`atelier money` and `stats`."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from bot.command_line.money_report import money_report
from bot.command_line.output import OUT
from bot.command_line.statistics_report import read_report, report_tables, write_csv
from bot.command_line.studio_control import ControlError
from bot.command_line.terminal import NOT_UP_TO_DATE, fail, read_settings, run_with_database
from bot.container import open_database
from bot.domain.credits import month_of
from bot.domain.statistics import Statistics
from db.migrate import pending_migrations
from db.money import read_money

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def money(
    month: Annotated[
        str | None, typer.Option(help="A month of UTC as YYYY-MM; this month if not given.", metavar="YYYY-MM")
    ] = None,
) -> None:
    """Print earnings and costs by provider and model."""
    chosen = month_of(datetime.now(UTC)) if month is None else month
    if not _MONTH.fullmatch(chosen):
        fail("--month takes a month as YYYY-MM, such as 2026-11.")
    settings = read_settings()

    async def report() -> list[str]:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                fail(NOT_UP_TO_DATE)
            return list(money_report(chosen, await database.read(lambda each: read_money(each, chosen))))

    for line in run_with_database(report()):
        OUT.print(line)


def stats(
    file: Annotated[
        Path | None, typer.Argument(help="With --csv, a new file.", dir_okay=False, show_default=False)
    ] = None,
    since: Annotated[str, typer.Option(help="Days up to today, or the first day.", metavar="30d|YYYY-MM-DD")] = "30d",
    guild: Annotated[int | None, typer.Option(help="One server, by its id; else all.", show_default=False)] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values, or write FILE.")] = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Print statistics of jobs, credits, success, waiting times and costs."""
    if file is not None and not csv:
        fail("A file needs --csv: atelier stats --csv FILE")
    settings = read_settings()

    async def read() -> Statistics:
        async with open_database(settings) as database:
            if await pending_migrations(database):
                fail(NOT_UP_TO_DATE)
            return await read_report(database, since, guild)

    try:
        statistics = run_with_database(read())
        if csv:
            typer.echo(write_csv(statistics, file), nl=False)
            return
    except ControlError as error:
        fail(str(error))
    for part in report_tables(statistics):
        OUT.print(part)
