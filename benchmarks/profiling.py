"""The bot's CPU time under the steady workload, by function and package."""

import pstats
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.bot_under_test import BotUnderTest
from benchmarks.load import Amounts, stream

_SHOWN: Final = 30
_OWN: Final = ("bot", "cogs", "db")

Function = tuple[str, int, str]


async def profile(console: Console, amounts: Amounts) -> None:
    """Profile the steady workload and print milliseconds per job.

    Profiling about triples the time of Python code and leaves C code as it is: read the figures as shares.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-profile-") as folder:
        file = Path(folder) / "statistics"
        bot_process = BotUnderTest(("-m", "benchmarks.profiled", str(file)), Path(folder) / "bot")
        try:
            await bot_process.start()
            await stream(bot_process, amounts.steady * amounts.rounds)
            await bot_process.settle()
        finally:
            await bot_process.stop()
        statistics: Any = pstats.Stats(str(file))
    entries: dict[Function, tuple[int, int, float, float, Any]] = statistics.stats
    jobs = amounts.steady * amounts.rounds
    own = {function: entry for function, entry in entries.items() if _package(function) in _OWN}
    console.print(_packages(entries, jobs))
    console.print(_functions("Functions by their own time", entries, jobs, column=2))
    console.print(_functions("Our functions, with what they call", own, jobs, column=3))


def _package(function: Function) -> str:
    """Return the top package of a function.

    `builtins` for C functions, `python` for the standard library.
    """
    file = Path(function[0])
    parts = file.parts
    if function[0] == "~":
        return "builtins"
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    return next((part for part in parts if part in _OWN), "python")


def _packages(entries: dict[Function, tuple[int, int, float, float, Any]], jobs: int) -> Table:
    times: defaultdict[str, float] = defaultdict(float)
    for function, entry in entries.items():
        times[_package(function)] += entry[2]
    table = Table(title="Own time by package")
    table.add_column("package")
    table.add_column("ms a job", justify="right")
    for package, seconds in sorted(times.items(), key=lambda item: item[1], reverse=True)[:15]:
        table.add_row(package, f"{1000 * seconds / jobs:.2f}")
    return table


def _functions(
    title: str, entries: dict[Function, tuple[int, int, float, float, Any]], jobs: int, *, column: int
) -> Table:
    table = Table(title=title)
    for heading in ("function", "calls a job", "ms a job"):
        table.add_column(heading, justify="left" if heading == "function" else "right")
    ranked = sorted(entries.items(), key=lambda item: float(item[1][column]), reverse=True)
    for (file, line, name), entry in ranked[:_SHOWN]:
        where = name if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {name}"
        table.add_row(where, f"{entry[1] / jobs:.1f}", f"{1000 * float(entry[column]) / jobs:.2f}")
    return table
