"""Order of edits in a busy channel.

Discord and the database are replaced.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.jobs import Delivery, Job, Snapshot, State
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.card_updater import CardUpdater
from tests.support.clock import START, ManualClock, let_others_run
from tests.support.factories import make_job

EDITS_A_CHANNEL = 8


class Discord:
    """Fake of delivery, snapshots and store; an edit lasts until `release`."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.begun: list[str] = []
        self.limits: list[RateLimitError] = []
        self.ends: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def get(self, job_id: str) -> Snapshot:
        """Return a finished job."""
        return Snapshot(job=self.jobs[job_id])

    async def deliver(self, snapshot: Snapshot, _: object) -> Delivery:
        """Edit a card, or raise the next limit."""
        job_id = snapshot.job.id
        self.begun.append(job_id)
        if self.limits:
            raise self.limits.pop()
        await self.ends[job_id].wait()
        return Delivery.CARD

    async def mark_delivered(self, *_: object) -> None:
        """Note the delivery."""


class Cards:
    """The updater between fakes."""

    def __init__(self) -> None:
        self.discord = Discord()
        self.clock = ManualClock()
        parts: dict[str, Any] = {
            "snapshots": self.discord,
            "job_store": self.discord,
            "card_store": self.discord,
            "messages": self.discord,
            "delivery": self.discord,
        }
        self.updater = CardUpdater(**parts, clock=self.clock, randomness=random.Random(1))  # noqa: S311

    async def finish(self, number: int, *, old: bool = False) -> list[str]:
        """Report finished jobs, and return their ids."""
        created = START - timedelta(hours=2) if old else START
        jobs = [make_job(state=State.DONE, created_at=created) for _ in range(number)]
        for job in jobs:
            self.discord.jobs[job.id] = job
            self.updater.on_job_changed(job.id)
        await let_others_run()
        return [job.id for job in jobs]

    async def release(self, *job_ids: str) -> None:
        """End edits."""
        for job_id in job_ids:
            self.discord.ends[job_id].set()
        await let_others_run()


@pytest.fixture
async def cards() -> AsyncIterator[Cards]:
    """Yield running cards."""
    cards = Cards()
    cards.updater.start()
    yield cards
    await cards.updater.stop(0.0)


async def test_fresh_card_in_busy_channel_waits_for_no_old_one(cards: Cards) -> None:
    oldest, *_ = await cards.finish(EDITS_A_CHANNEL * 2, old=True)
    running = await cards.finish(EDITS_A_CHANNEL - 1)
    assert cards.discord.begun == [oldest, *running]
    (fresh,) = await cards.finish(1)
    assert fresh not in cards.discord.begun
    await cards.release(running[0])
    assert cards.discord.begun[-1] == fresh


async def test_limit_of_old_messages_holds_up_no_fresh_card(cards: Cards) -> None:
    cards.discord.limits.append(RateLimitError(20.0, in_channel=True))
    (limited,) = await cards.finish(1, old=True)
    (waiting,) = await cards.finish(1, old=True)
    (fresh,) = await cards.finish(1)
    assert cards.discord.begun == [limited, fresh]
    cards.clock.advance(20.0)
    await let_others_run()
    assert len({limited, waiting} & set(cards.discord.begun[2:])) == 1


async def test_every_old_card_gets_its_end(cards: Cards) -> None:
    old = await cards.finish(EDITS_A_CHANNEL * 2, old=True)
    await cards.release(*old)
    await let_others_run(200)
    assert cards.discord.begun == old
