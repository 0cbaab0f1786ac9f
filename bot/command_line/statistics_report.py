"""The report of `atelier stats`: tables or a file for the operator."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.command_line.money_report import money_report
from bot.command_line.studio_control import ControlError, check_guild
from bot.domain.pseudonyms import is_pseudonym
from bot.domain.statistics import Counts, Period, Statistics, Waiting
from bot.ui.render.formatting import number
from bot.ui.render.statistics_csv import csv_text
from bot.ui.render.statistics_numbers import Names
from db.database import Database
from db.guilds import GuildRepository
from db.statistics import read_statistics

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_LONGEST_DAYS: Final = 3660
_DAYS: Final = re.compile(r"([1-9][0-9]{0,5})d")
_MISTAKE: Final = "--since takes days up to 3660d, such as 30d, or a day up to today as YYYY-MM-DD."


def parse_since(since: str, today: date) -> int:
    """Return the number of days up to today.

    Raises:
        ControlError: the text is neither days nor a day, or goes back too far.
    """
    if match := _DAYS.fullmatch(since):
        days = int(match[1])
    else:
        try:
            days = (today - date.fromisoformat(since)).days + 1
        except ValueError:
            raise ControlError(_MISTAKE) from None
    if not 1 <= days <= _LONGEST_DAYS:
        raise ControlError(_MISTAKE)
    return days


async def read_report(database: Database, since: str, guild: int | None) -> Statistics:
    """Return the statistics with costs of one server, or of all in UTC.

    Raises:
        ControlError: `since` or `guild` is not one.
    """
    zone = None
    if guild is not None:
        check_guild(guild)
        zone = await database.read(lambda connection: GuildRepository(connection).settings(guild).time_zone)
    now = datetime.now(UTC)
    days = parse_since(since, Period.until(now, 1, zone).last)
    period = Period.until(now, days, zone)
    return await database.read(
        lambda connection: read_statistics(connection, period, guild_id=guild, with_money=True), long_running=True
    )


def write_csv(statistics: Statistics, file: Path | None) -> str:
    """Return the values as text, or write them to a new file and say so.

    Raises:
        ControlError: the file exists, or cannot be written.
    """
    text = csv_text(statistics, _names(statistics))
    if file is None:
        return text.replace("\r\n", "\n")
    try:
        with file.open("x", encoding="utf-8-sig", newline="") as target:
            target.write(text)
    except FileExistsError:
        raise ControlError(f"{file} exists. Choose a new name.") from None
    except OSError as error:
        raise ControlError(f"{file} cannot be written: {error.strerror or type(error).__name__}.") from None
    return f"Written to {file}.\n"


def report_tables(statistics: Statistics) -> "Iterator[RenderableType]":
    """Yield a line of totals, and tables by day, model, member and role."""
    period, total, names = statistics.period, statistics.total, _names(statistics)
    days = f"{period.first} to {period.last} ({period.zone})"
    if not total.jobs:
        yield f"No jobs from {days}."
        return
    yield f"From {days}:"
    yield _table(
        ("day", "jobs", "done", "failed", "success", "credits", "half", "90 %"),
        [
            *(
                (day.day.isoformat(), *_counts(day.total), *_waiting(day.waiting))
                for day in statistics.days
                if day.models
            ),
            ("all", *_counts(total), *_waiting(statistics.waiting)),
        ],
    )
    models = statistics.models.items()
    yield _table(
        ("model", "jobs", "done", "failed", "success", "credits"),
        [(model, *_counts(counts)) for model, counts in models],
    )
    members: list[tuple[str, ...]] = [
        (names.member(each.member_id, place), number(each.jobs), number(each.credits))
        for place, each in enumerate(statistics.members, 1)
    ]
    if statistics.other_members:
        others = f"{number(statistics.other_members)} others"
        members.append((others, number(statistics.other_jobs), number(statistics.other_credits)))
    yield _table(("member", "jobs", "credits"), members)
    roles = [(names.role(each), number(each.jobs), number(each.credits)) for each in statistics.roles]
    if roles:
        yield _table(("role", "jobs", "credits"), roles)
    yield from money_report(days, statistics.money or ())


def _names(statistics: Statistics) -> Names:
    """Return ids for names: the shell knows no Discord.

    Members who deleted their data are numbered.
    """
    return Names(
        members={
            each.member_id: str(each.member_id) for each in statistics.members if not is_pseudonym(each.member_id)
        },
        roles={each.role_id: str(each.role_id) for each in statistics.roles if each.role_id},
    )


def _counts(counts: Counts) -> tuple[str, ...]:
    success = "-" if counts.success_percent is None else f"{counts.success_percent:g} %"
    return number(counts.jobs), number(counts.done), number(counts.failed), success, number(counts.credits)


def _waiting(waiting: Waiting | None) -> tuple[str, str]:
    return ("-", "-") if waiting is None else (f"{waiting.median} s", f"{waiting.late} s")


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> "Table":
    # Not at the top: a bot that runs draws none. See `output`.
    from rich import box  # noqa: PLC0415 - see above
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(header[0], overflow="fold")
    for name in header[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    return table
