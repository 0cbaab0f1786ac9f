"""Time from the provider's completion to the image on Discord.

Measured with webhooks and with polling.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.bot_under_test import BASELINE, BOT, BotUnderTest
from benchmarks.measurements import Figure

WEBHOOK_AIM_MS: Final = 1_000.0

_POLL_SECONDS: Final = 3.0


async def measure_flow(jobs: int) -> list[Figure]:
    """Measure jobs one after the other with the usual poll interval.

    The baseline bot can only poll.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-flow-") as folder:
        bare = await _completions(BotUnderTest(BASELINE, Path(folder) / "bare"), jobs, webhooks=False)
        polled = await _completions(BotUnderTest(BOT, Path(folder) / "polled"), jobs, webhooks=False)
        told = await _completions(BotUnderTest(BOT, Path(folder) / "told"), jobs, webhooks=True)
    return [
        Figure(name="by polling, median", base=statistics.median(bare), taken=statistics.median(polled)),
        Figure(name="by polling, longest", base=max(bare), taken=max(polled)),
        Figure(name="by a webhook, median", taken=statistics.median(told), aim=WEBHOOK_AIM_MS),
        Figure(name="by a webhook, longest", taken=max(told)),
    ]


async def _completions(bot_process: BotUnderTest, jobs: int, *, webhooks: bool) -> list[float]:
    try:
        await bot_process.start(poll_seconds=_POLL_SECONDS, webhooks=webhooks)
        bot_process.hold_jobs()
        await bot_process.completed()
        return [await bot_process.completed() for _ in range(jobs)]
    finally:
        await bot_process.stop()
