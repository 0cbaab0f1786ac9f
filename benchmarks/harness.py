"""The product's services and its engine over one database, wired as the product wires them, without Discord."""

import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.bot_under_test import PROMPT
from bot.container import new_id
from bot.domain.jobs import InteractionContext, Job, Picture
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest, generation_request
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.clock import Clock, SystemClock
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.executor import JobExecutor
from bot.engine.health import HealthRegistry
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.observer import CardLookup
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore, StoredImage
from bot.images.thread_pool import ImageThreadPool
from bot.providers.base import CancelOutcome, Finished, Pending, Provider, Status, Submission
from bot.services.access import AccessService
from bot.services.credits import CreditService
from bot.services.history import HistoryService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.status import StatusService
from db.database import Database

ALLOWANCE: Final = 1_000_000
GUILD: Final = 1
MEMBERS: Final = 250
PROVIDER: Final = "skillboss"
A_PICTURE: Final = StoredImage(sha256="0" * 64, media_type="image/png", width=1024, height=1024, size=1_000_000)
"""Stands for a stored picture where nothing looks at the file."""

_BUDGET: Final = 1_000_000_000
_MANY: Final = 1_000_000
_TOKEN_LENGTH: Final = 180


class Nobody:
    """Shows jobs to nobody, and has seen every card."""

    def changed(self, job_id: str) -> None:
        """Do nothing."""

    async def find_card(self, job: Job) -> CardLookup | None:
        """Answer that the card is there."""
        del job
        return CardLookup(there=True, message_id=1)


class Endless:
    """A provider that takes every job and never finishes one; it counts what it is asked."""

    name = PROVIDER
    takes_webhooks = False

    def __init__(self) -> None:
        self.polls = 0
        self._numbers = itertools.count(1)

    async def submit(self, request: GenerationRequest, offer: Offer, *, webhook_url: str | None = None) -> Submission:
        """Take the job."""
        del request, offer, webhook_url
        return Pending(handle=f"handle-{next(self._numbers)}", running=False, record_id="record")

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Count, and say that it waits."""
        del hide
        self.polls += 1
        return Pending(handle=handle, running=False)

    async def cancel(self, handle: str) -> CancelOutcome:
        """Say that it cannot be."""
        del handle
        return CancelOutcome.UNSUPPORTED

    def parse_webhook(self, body: object) -> str | None:
        """Know none."""
        del body
        return None


class Harness:
    """The services over a database. One that is not `alone` is one of several processes."""

    def __init__(
        self,
        database: Database,
        *,
        limits: EngineConfig | None = None,
        provider: Provider | None = None,
        alone: bool = True,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        limits = limits or EngineConfig(active_per_provider=_MANY, waiting_per_member=_MANY)
        providers: Mapping[str, Provider] = {PROVIDER: provider or Endless()}
        randomness = random.Random(1)  # noqa: S311 - jitter
        health = HealthRegistry((PROVIDER,))
        self.database = database
        self.clock = clock
        self.books = Ledger(allowance=ALLOWANCE, budget=_BUDGET, new_id=new_id)
        self.lease = Lease(worker_id=new_id(), seconds=60.0, alone=alone, clock=clock)
        self.journal = JobStore(
            database=database,
            books=self.books,
            clock=clock,
            limits=limits,
            lease=self.lease,
            providers=(PROVIDER,),
        )
        # Nothing of it runs before a download.
        self._keeper = ImageService(downloader=ImageDownloader(), store=ImageStore(Path()), workers=ImageThreadPool())
        self.engine = Engine(
            journal=self.journal,
            steps=JobExecutor(
                journal=self.journal,
                providers=providers,
                keeper=self._keeper,
                observer=Nobody(),
                clock=clock,
                limits=limits,
                health=health,
                breakers=CircuitBreakers((PROVIDER,)),
                randomness=randomness,
            ),
            observer=Nobody(),
            clock=clock,
            limits=limits,
            lease=self.lease,
            randomness=randomness,
        )
        access = AccessService(database=database, admitted="*", now=clock.now)
        self.generation = JobService(
            database=database,
            journal=self.journal,
            engine=self.engine,
            books=self.books,
            access=access,
            clock=clock,
            limits=limits,
            providers=(PROVIDER,),
            new_id=new_id,
        )
        self.snapshots = JobSnapshotService(database=database, books=self.books, clock=clock)
        self.status = StatusService(database=database, snapshots=self.snapshots, health=health)
        self.history = HistoryService(database=database)
        self.credits = CreditService(database=database, books=self.books, access=access, clock=clock)
        self._request = generation_request(prompt=PROMPT)
        self._numbers = itertools.count(time.time_ns())  # interactions; none twice in a database

    async def close(self) -> None:
        """Stop the engine and what it holds; the database stays open."""
        await self.engine.stop()
        await self._keeper.close()

    async def hold(self, *, members: int = MEMBERS) -> Job:
        """Hold the credits and insert the job; `members` take turns."""
        number = next(self._numbers)
        place = InteractionContext(
            interaction_id=number,
            application_id=1,
            guild_id=GUILD,
            channel_id=1,
            member_id=1 + number % members,
            token="x" * _TOKEN_LENGTH,
        )
        return (await self.generation.request(place, self._request)).job

    async def finish(self, held: Job, stored: StoredImage = A_PICTURE) -> Job:
        """Acknowledge a held job and take the one whose turn it is, mostly the same, through the rest of its life."""
        await self.generation.acknowledged(held.id, held.place.interaction_id)
        return await self.finish_claimed(await self.claim(), stored)

    async def keep_lease(self) -> None:
        """Do what a worker does three times in the length of its lease."""
        await self.journal.renew()
        await self.journal.take_over()

    async def claim(self) -> Job:
        """Give the job whose turn it is a slot."""
        (claim,) = (await self.journal.claim(1, {PROVIDER: 1}, line=False)).claims
        return claim.job

    async def finish_claimed(self, job: Job, stored: StoredImage = A_PICTURE) -> Job:
        """Take a job that has a slot through the rest of its life."""
        job = await self.journal.accepted(job, Pending(handle=job.id, running=False, record_id="record"))
        job = await self.journal.storing(
            job, Finished(image_urls=("https://cdn.example/1.png",), handle=job.id, record_id="record")
        )
        job = await self.journal.done(job, [Picture(job_id=job.id, position=0, **asdict(stored))])
        await self.journal.delivered(job.id)
        return job
