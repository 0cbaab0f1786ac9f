"""Order of edits in a busy channel, and publications between them.

Discord and the database are replaced.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from discord import ui

from bot.domain.errors import FaultKind
from bot.domain.images import InputImage
from bot.domain.jobs import Delivery, InteractionContext, Job, Snapshot, State
from bot.engine.input_publisher import PublishError
from bot.images.decoder_values import Upload
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.input_publisher import CardInputPublisher
from tests.support.clock import START, ManualClock, let_others_run
from tests.support.factories import make_context, make_image_file, make_job, make_request

EDITS_A_CHANNEL = 8
UPLOAD_LIMIT = 1000
PUBLICATIONS_AT_ONCE = 8
OTHER = 77
URL = "https://cdn.example/attachments/1/22/atelier-input-1.png"


class Discord:
    """Fake of delivery, snapshots and store; an edit lasts until `release`."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.begun: list[str] = []
        self.read: list[str] = []
        self.limits: list[RateLimitError] = []
        self.ends: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.restored: list[str] = []
        self.shown: list[Job] = []
        self.flagged = False

    async def get(self, job_id: str) -> Snapshot:
        """Return the snapshot of a job."""
        self.read.append(job_id)
        return Snapshot(job=self.jobs[job_id])

    async def deliver(self, snapshot: Snapshot, _: object) -> Delivery:
        """Edit a card, or raise the next limit."""
        job_id = snapshot.job.id
        self.begun.append(job_id)
        await asyncio.sleep(0)
        if self.limits:
            raise self.limits.pop()
        await self.ends[job_id].wait()
        return Delivery.CARD

    async def notify(self, *_: object) -> None:
        """Tell nobody."""

    async def mark_delivered(self, *_: object) -> None:
        """Note the delivery."""

    async def restore(self, snapshot: Snapshot, _: object) -> None:
        """Show the end again."""
        self.restored.append(snapshot.job.id)

    async def show(self, job: Job, _: object) -> None:
        """Edit the card of a running job."""
        self.shown.append(job)

    def card(self, _: Snapshot, **__: object) -> ui.LayoutView:
        """Return a card."""
        return ui.LayoutView()

    def upload_limit(self, _: Job) -> int:
        """Return the limit of the server, without the member's Nitro."""
        return UPLOAD_LIMIT

    async def prepare_upload(self, _: object, limit_bytes: int, **__: object) -> Upload:
        """Return an input image to upload."""
        assert limit_bytes <= UPLOAD_LIMIT
        return Upload(content=b"x", extension="png", reencoded=False)

    async def is_age_restricted(self, _: Job) -> bool:
        """Return the flag of a job's channel."""
        return self.flagged

    async def attach(self, *_: object) -> tuple[str, ...]:
        """Attach an input image, or raise the next limit."""
        if self.limits:
            raise self.limits.pop()
        return (URL,)


class Store:
    """Fake of the job store."""

    def __init__(self, discord: Discord) -> None:
        self.discord = discord

    async def get(self, job_id: str) -> tuple[Job, None]:
        """Return a job without an attempt."""
        return self.discord.jobs[job_id], None


class Cards:
    """The updater between fakes."""

    def __init__(self) -> None:
        self.discord = Discord()
        self.clock = ManualClock()
        parts: dict[str, Any] = {
            "snapshots": self.discord,
            "job_store": Store(self.discord),
            "card_store": self.discord,
            "messages": self.discord,
            "delivery": self.discord,
        }
        self.updater = CardUpdater(
            **parts,
            notifier=self.discord,  # type: ignore[arg-type]
            clock=self.clock,
            randomness=random.Random(1),  # noqa: S311 - jitter, the same in every run
        )
        del parts["job_store"], parts["card_store"]
        self.publisher = CardInputPublisher(**parts, image_service=self.discord, card_updater=self.updater)  # type: ignore[arg-type]

    def begin_edit(self, place: InteractionContext | None = None, **changes: Any) -> Job:
        """Return a new job with a stored input image."""
        request = make_request(inputs=(InputImage(file=make_image_file(), **changes),))
        job = make_job(place=place, request=request, created_at=START, acknowledged_at=START)
        self.discord.jobs[job.id] = job
        return job

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


async def test_short_limit_ends_no_longer_one(cards: Cards) -> None:
    cards.discord.limits += [RateLimitError(20.0, in_channel=True), RateLimitError(1200.0, in_channel=True)]
    limited = await cards.finish(2)
    cards.clock.advance(30.0)
    await cards.finish(1)
    assert cards.discord.begun == limited


@pytest.mark.parametrize("restricted", [True, False])
async def test_inputs_are_not_published_in_a_channel_that_lost_its_flag(cards: Cards, restricted: bool) -> None:
    job = cards.begin_edit()
    job = replace(job, age_restricted=restricted)
    cards.discord.flagged = False
    if not restricted:
        assert await cards.publisher.publish(job) == (URL,)
        return
    with pytest.raises(PublishError) as caught:
        await cards.publisher.publish(job)
    assert caught.value.fault is FaultKind.INPUT_AGE_RESTRICTED
    cards.discord.flagged = True
    assert await cards.publisher.publish(job) == (URL,)


async def test_limited_publication_waits_and_holds_up_its_channel(cards: Cards) -> None:
    cards.discord.limits.append(RateLimitError(1200.0, in_channel=True))
    first, second = cards.begin_edit(), cards.begin_edit()
    for job in (first, second):
        with pytest.raises(PublishError) as caught:
            await cards.publisher.publish(job)
        assert (caught.value.fault, caught.value.retry_after) == (None, 1200.0)
    await cards.finish(1)
    assert cards.discord.begun == []
    cards.clock.advance(1200.0)
    assert await cards.publisher.publish(second) == (URL,)


@pytest.mark.parametrize(
    ("end", "restored"),
    [
        ({"delivery": Delivery.CARD}, 1),
        ({"delivery": Delivery.CARD, "deleted_at": START}, 0),
        ({"delivery": Delivery.DIRECT}, 0),
    ],
    ids=["on the card", "deleted since", "by direct message"],
)
async def test_publication_after_the_end_elsewhere_is_corrected(
    cards: Cards, monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], restored: int
) -> None:
    """This process was suspended; another one took the job and showed its end."""
    job = cards.begin_edit()
    attach = cards.discord.attach

    async def overtaken(*arguments: object) -> tuple[str, ...]:
        ended = replace(job, state=State.DONE, delivered_at=START, **end)
        cards.discord.jobs[job.id] = ended
        return await attach(*arguments)

    monkeypatch.setattr(cards.discord, "attach", overtaken)
    await cards.publisher.publish(job)
    await let_others_run()
    assert cards.discord.restored == [job.id] * restored


async def test_card_lists_no_replaced_input(cards: Cards) -> None:
    """Discord would drop the new one."""
    job = cards.begin_edit(provider_url=URL.replace("22", "21"))
    await cards.publisher.publish(job)
    cards.updater.on_job_changed(job.id)
    await let_others_run()
    assert cards.discord.shown == []
    (image,) = job.request.inputs
    published = replace(job.request, inputs=(replace(image, provider_url=URL),))
    cards.discord.jobs[job.id] = replace(job, request=published)
    cards.updater.on_job_changed(job.id)
    await let_others_run()
    assert cards.discord.shown == [cards.discord.jobs[job.id]]


async def test_publications_of_a_member_hold_up_no_other_member(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    held = asyncio.Event()
    attach = cards.discord.attach

    async def slow(job: Job, *arguments: object) -> tuple[str, ...]:
        if job.place.member_id != OTHER:
            await held.wait()
        return await attach(job, *arguments)

    monkeypatch.setattr(cards.discord, "attach", slow)
    others = [asyncio.create_task(cards.publisher.publish(cards.begin_edit())) for _ in range(PUBLICATIONS_AT_ONCE)]
    await let_others_run()
    async with asyncio.timeout(10):
        published = await cards.publisher.publish(cards.begin_edit(make_context(member_id=OTHER)))
    assert published == (URL,)
    held.set()
    assert await asyncio.gather(*others) == [(URL,)] * PUBLICATIONS_AT_ONCE


async def test_job_waiting_for_its_channel_is_read_when_its_turn_comes(cards: Cards) -> None:
    running = await cards.finish(EDITS_A_CHANNEL)
    waiting = cards.begin_edit()
    cards.updater.first_card(Snapshot(job=waiting))
    cards.discord.jobs[waiting.id] = replace(waiting, state=State.DONE)
    for _ in range(3):
        cards.updater.on_job_changed(waiting.id)
        await let_others_run()
    assert waiting.id not in cards.discord.read
    await cards.release(running[0])
    assert cards.discord.read.count(waiting.id) == 1
    assert cards.discord.begun[-1] == waiting.id


@pytest.mark.parametrize("state", [State.SUBMITTING, State.STORING])
async def test_state_that_passes_quickly_is_not_shown(cards: Cards, state: State) -> None:
    """Discord takes few edits: one saved is there for another card."""
    job = cards.begin_edit()
    cards.discord.jobs[job.id] = replace(job, state=state)
    cards.updater.on_job_changed(job.id)
    await let_others_run()
    cards.discord.jobs[job.id] = replace(job, state=State.DONE)
    cards.updater.on_job_changed(job.id)
    await let_others_run()
    assert (cards.discord.shown, cards.discord.begun) == ([], [job.id])


@pytest.mark.parametrize("state", [State.SUBMITTING, State.STORING])
async def test_state_that_stays_is_shown(cards: Cards, state: State) -> None:
    job = cards.begin_edit()
    cards.discord.jobs[job.id] = staying = replace(job, state=state)
    cards.updater.on_job_changed(job.id)
    await let_others_run()
    assert cards.discord.shown == []
    cards.clock.advance(1.0)
    await let_others_run()
    assert cards.discord.shown == [staying]


async def test_cancel_while_a_job_is_sent_is_shown_at_once(cards: Cards) -> None:
    job = cards.begin_edit()
    cards.discord.jobs[job.id] = cancelled = replace(job, state=State.SUBMITTING, cancel_requested_at=START)
    cards.updater.on_job_changed(job.id)
    await let_others_run()
    assert cards.discord.shown == [cancelled]
