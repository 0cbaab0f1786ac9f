"""The product's services and its engine over one database, wired as the product wires them, without Discord."""

import itertools
import random
import time
from dataclasses import asdict
from typing import Final

import httpx

from benchmarks.bot_under_test import PROMPT
from bot.container import Container
from bot.domain.jobs import InteractionContext, Job, Picture
from bot.domain.models import Offer
from bot.domain.requests import GenerationRequest, generation_request
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.observer import CardLookup
from bot.images.store import StoredImage
from bot.providers.base import CancelOutcome, Finished, Pending, Provider, Status, Submission
from bot.settings import ExplicitSettings
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
        config: EngineConfig | None = None,
        provider: Provider | None = None,
        alone: bool = True,
        clock: Clock | None = None,
    ) -> None:
        # No request is sent: the provider answers in this process.
        self._http = httpx.AsyncClient(trust_env=False)
        container = Container(
            ExplicitSettings(communities="*", default_allowance=ALLOWANCE, monthly_budget=_BUDGET, lease_seconds=60.0),
            database=database,
            http=self._http,
            clock=clock,
            randomness=random.Random(1),  # noqa: S311 - jitter
        )
        container.engine_config = config or EngineConfig(active_per_provider=_MANY, waiting_per_member=_MANY)
        container.providers = {PROVIDER: provider or Endless()}
        container.is_alone = alone
        container.observer = Nobody()
        self._container = container
        self.database = database
        self.clock = container.clock
        self.ledger = container.ledger
        self.lease = container.lease
        self.job_store = container.job_store
        self.engine = container.engine
        self.generation = container.jobs
        self.snapshots = container.snapshots
        self.status = container.status
        self.history = container.history
        self.credits = container.credits
        self._request = generation_request(prompt=PROMPT)
        self._numbers = itertools.count(time.time_ns())  # interactions; none twice in a database

    async def close(self) -> None:
        """Stop the engine and what it holds; the database stays open."""
        await self.engine.stop()
        await self._container.close()
        await self._http.aclose()

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
        await self.job_store.renew_lease()
        await self.job_store.take_over()

    async def claim(self) -> Job:
        """Give the job whose turn it is a slot."""
        (claim,) = (await self.job_store.claim_batch(1, {PROVIDER: 1}, with_queue=False)).claims
        return claim.job

    async def finish_claimed(self, job: Job, stored: StoredImage = A_PICTURE) -> Job:
        """Take a job that has a slot through the rest of its life."""
        job = await self.job_store.mark_accepted(job, Pending(handle=job.id, running=False, record_id="record"))
        job = await self.job_store.mark_storing(
            job, Finished(image_urls=("https://cdn.example/1.png",), handle=job.id, record_id="record")
        )
        job = await self.job_store.mark_done(job, [Picture(job_id=job.id, position=0, **asdict(stored))])
        await self.job_store.mark_delivered(job.id)
        return job
