"""Tables comparing the bot with the baseline bot plus the parts."""

import statistics
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.load import Result
from benchmarks.micro import Parts

AIM: Final = 1.5
"""The bot is to take at most so many times what the bare handler and the parts take together."""

BURST_AIM_MS: Final = 1000.0
"""Nobody is to wait longer for an answer when everybody asks at once."""


def ratio(bot: float, bare: float, parts: float) -> float:
    """Return the ratio of the bot to the least possible."""
    return bot / (bare + parts)


def show(console: Console, bare: Result, bot: Result, parts: Parts) -> bool:
    """Print everything; return whether the aims are met."""
    console.print(_comparison(bare, bot, parts))
    console.print(_memory(bare, bot))
    console.print(_parts(parts))
    longest = max(bot.burst_longest)
    met = (
        ratio(bot.single_median, bare.single_median, parts.hold_wall) <= AIM
        and ratio(_cpu(bot.steady_cpu), _cpu(bare.steady_cpu), parts.cpu) <= AIM
        and longest <= BURST_AIM_MS
        and not bot.missed
    )
    if bare.missed or bot.missed:
        console.print(f"Answered too late for Discord: bare {bare.missed}, bot {bot.missed}")
    console.print(
        f"Aims: ratios of at most {AIM}, nobody over {BURST_AIM_MS:.0f} ms: [bold]{'met' if met else 'missed'}[/]"
    )
    return met


def _cpu(rounds: list[float]) -> float:
    return statistics.median(rounds)


def _comparison(bare: Result, bot: Result, parts: Parts) -> Table:
    table = Table(title="The bot beside a bare handler (milliseconds)")
    for heading in ("", "bare", "parts", "bot", "bot / (bare + parts)"):
        table.add_column(heading, justify="right" if heading else "left")
    rows = (
        ("acknowledge, one at a time, median", bare.single_median, parts.hold_wall, bot.single_median),
        ("acknowledge, one at a time, 90 %", bare.single_p90, parts.hold_wall, bot.single_p90),
        ("acknowledge, all at once, median", bare.burst_median, parts.hold_burst_median, bot.burst_median),
        (
            "acknowledge, all at once, longest",
            max(bare.burst_longest),
            parts.hold_burst_longest,
            max(bot.burst_longest),
        ),
        ("processor a job, steady", _cpu(bare.steady_cpu), parts.cpu, _cpu(bot.steady_cpu)),
        ("processor a job, all at once", _cpu(bare.burst_cpu), parts.cpu, _cpu(bot.burst_cpu)),
    )
    for name, bare_ms, parts_ms, bot_ms in rows:
        table.add_row(
            name,
            f"{bare_ms:.1f}",
            f"{parts_ms:.1f}",
            f"{bot_ms:.1f}",
            f"{ratio(bot_ms, bare_ms, parts_ms):.2f}",
        )
    return table


def _memory(bare: Result, bot: Result) -> Table:
    table = Table(title="Memory (resident)")
    for heading in ("", "bare", "bot"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("after the start, MB", f"{bare.memory_idle:.0f}", f"{bot.memory_idle:.0f}")
    table.add_row("a waiting job, kB", f"{1024 * bare.memory_a_job:.0f}", f"{1024 * bot.memory_a_job:.0f}")
    return table


def _parts(parts: Parts) -> Table:
    table = Table(title="The parts, run alone (milliseconds a job)")
    for heading in ("", "wall", "processor"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("the hold, before the answer", f"{parts.hold_wall:.1f}", "")
    table.add_row("all seven transactions", f"{parts.transactions_wall:.1f}", f"{parts.transactions_cpu:.1f}")
    table.add_row("decoding and storing a picture", f"{parts.picture_wall:.1f}", f"{parts.picture_cpu:.1f}")
    return table
