"""How long after the provider has finished its picture is on Discord: told by a webhook, and found by polling."""

import statistics
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.bot_under_test import BARE, BOT, BotUnderTest
from benchmarks.measurements import Figure

WEBHOOK_AIM_MS: Final = 1_000.0

_POLL_SECONDS: Final = 3.0


async def measure_flow(jobs: int) -> list[Figure]:
    """Measure job after job, with the product's usual pause between polls; the bare handler can only poll."""
    with tempfile.TemporaryDirectory(prefix="benchmark-flow-") as folder:
        bare = await _completions(BotUnderTest(BARE, Path(folder) / "bare"), jobs, webhooks=False)
        polled = await _completions(BotUnderTest(BOT, Path(folder) / "polled"), jobs, webhooks=False)
        told = await _completions(BotUnderTest(BOT, Path(folder) / "told"), jobs, webhooks=True)
    return [
        Figure(name="by polling, median", base=statistics.median(bare), taken=statistics.median(polled)),
        Figure(name="by polling, longest", base=max(bare), taken=max(polled)),
        Figure(name="by a webhook, median", taken=statistics.median(told), aim=WEBHOOK_AIM_MS),
        Figure(name="by a webhook, longest", taken=max(told)),
    ]


async def _completions(stage: BotUnderTest, jobs: int, *, webhooks: bool) -> list[float]:
    try:
        await stage.start(poll_seconds=_POLL_SECONDS, webhooks=webhooks)
        stage.hold_jobs()
        await stage.completed()
        return [await stage.completed() for _ in range(jobs)]
    finally:
        await stage.stop()
