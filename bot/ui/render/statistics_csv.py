"""Statistics as comma-separated values, one number a line.

The words of the columns are the same in every language, so that programs can read them.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final

from bot.domain.costs import Currency
from bot.domain.statistics import Counts, Statistics, Waiting
from bot.ui.render.statistics_numbers import Names

COLUMNS: Final = ("table", "day", "name", "measure", "value")
CSV_FILE: Final = "statistics.csv"

# A spreadsheet takes cells that begin so for formulas, also in their full-width forms.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Row = tuple[str, str, str, str, str]


def csv_text(statistics: Statistics, names: Names) -> str:
    """Return the file's text."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(tuple(map(neutralize, row)) for row in csv_rows(statistics, names))
    return text.getvalue()


def neutralize(cell: str) -> str:
    """Return a cell without a meaning as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def csv_rows(statistics: Statistics, names: Names) -> Iterator[Row]:
    """Yield the rows: the total, the days, members, roles and money.

    `p90_seconds` is the waiting time of 90 % of the jobs.
    """
    yield from _counts("total", "", "", statistics.total)
    yield from _success("total", "", statistics.total)
    yield from _waiting("total", "", statistics.waiting)
    for day in statistics.days:
        date = day.day.isoformat()
        for model, counts in day.models.items():
            yield from _counts("day", date, model, counts)
        yield from _success("day", date, day.total)
        yield from _waiting("day", date, day.waiting)
    for place, member in enumerate(statistics.members, 1):
        yield from _spent("member", names.member(member.member_id, place), member.jobs, member.credits)
    if statistics.other_members:
        yield from _spent("other_members", "", statistics.other_jobs, statistics.other_credits)
        yield "other_members", "", "", "members", str(statistics.other_members)
    for role in statistics.roles:
        yield from _spent("role", names.role(role), role.jobs, role.credits)
    yield from _money(statistics, names)


def _counts(table: str, day: str, name: str, counts: Counts) -> Iterator[Row]:
    for measure, value in (
        ("jobs", counts.jobs),
        ("done", counts.done),
        ("failed", counts.failed),
        ("credits", counts.credits),
    ):
        yield table, day, name, measure, str(value)


def _success(table: str, day: str, counts: Counts) -> Iterator[Row]:
    if counts.success_percent is not None:
        yield table, day, "", "success_percent", f"{counts.success_percent:g}"


def _waiting(table: str, day: str, waiting: Waiting | None) -> Iterator[Row]:
    if waiting is not None:
        yield table, day, "", "median_seconds", str(waiting.median)
        yield table, day, "", "p90_seconds", str(waiting.late)


def _spent(table: str, name: str, jobs: int, captured: int) -> Iterator[Row]:
    yield table, "", name, "jobs", str(jobs)
    yield table, "", name, "credits", str(captured)


def _money(statistics: Statistics, names: Names) -> Iterator[Row]:
    for row in statistics.money or ():
        name = names.offer(row)
        yield "offer", "", name, "credits", str(row.earned)
        for currency in Currency:
            if spent := row.spent(currency):
                measure = "provider_credits" if currency is Currency.CREDITS else currency.value
                yield "offer", "", name, measure, f"{spent:f}"
        if row.unpriced:
            yield "offer", "", name, "calls_without_cost", str(row.unpriced)
