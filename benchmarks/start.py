"""Processor time and memory of a start, beside the bare handler's."""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bot_under_test import BASELINE, BOT, BotUnderTest
from benchmarks.measurements import Figure


async def measure_start(rounds: int) -> list[Figure]:
    """Measure starts on a migrated database, in turns; return the medians.

    A start lasts until the bot serves commands and has registered them.
    """
    with tempfile.TemporaryDirectory() as folder:
        await _start(BOT, Path(folder, "bot"))  # creates the database, and Python's compiled files
        bot, bare = [], []
        for _ in range(rounds):
            bare.append(await _start(BASELINE, Path(folder, "bare")))
            bot.append(await _start(BOT, Path(folder, "bot")))
    names = (("processor time", "s"), ("resident memory", "MB"))
    return [
        Figure(
            name=name,
            taken=statistics.median(each[at] for each in bot),
            unit=unit,
            base=statistics.median(each[at] for each in bare),
        )
        for at, (name, unit) in enumerate(names)
    ]


async def _start(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Return the seconds and the megabytes of a start."""
    contestant = BotUnderTest(command, folder)
    await contestant.start()
    try:
        await contestant.settle()
        return contestant.cpu_seconds(), contestant.memory()
    finally:
        await contestant.stop()
