"""The product's services and engine on one database, without Discord."""

import itertools
import random
import time
from typing import Final

import httpx

from benchmarks.bot_under_test import PROMPT
from bot.container import Container
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import InteractionContext, Job
from bot.domain.requests import generation_request
from bot.engine.clock import Clock
from bot.engine.config import EngineConfig
from bot.engine.observer import CardLookup
from bot.providers.base import (
    Finished,
    InputForm,
    Pending,
    Provider,
    ProviderDefaults,
    Status,
    Submission,
    SubmitAnswer,
)
from bot.settings import Settings
from db.database import Database

ALLOWANCE: Final = 1_000_000
GUILD: Final = 1
MEMBERS: Final = 250
PROVIDER: Final = "skillboss"
STORED_IMAGE: Final = ImageFile(sha256="0" * 64, media_type="image/png", width=1024, height=1024, size=1_000_000)
"""Stands for a stored picture where nothing looks at the file."""

_BUDGET: Final = 1_000_000_000
_MANY: Final = 1_000_000
_TOKEN_LENGTH: Final = 180


class SilentObserver:
    """A job observer without cards: every card exists."""

    def on_job_changed(self, job_id: str) -> None:
        """Do nothing."""

    async def find_card(self, job: Job) -> CardLookup | None:
        """Report an existing card."""
        del job
        return CardLookup(exists=True, message_id=1)


class EndlessProvider(ProviderDefaults):
    """A provider with unlimited jobs: it finishes none and counts polls."""

    name = PROVIDER
    input_form = InputForm.URL

    def __init__(self) -> None:
        self.polls = 0
        self._numbers = itertools.count(1)

    async def submit(self, submission: Submission) -> SubmitAnswer:
        """Accept the job."""
        del submission
        return Pending(handle=f"handle-{next(self._numbers)}", running=False, record_id="record")

    async def poll(self, handle: str, *, hide: tuple[str, ...] = ()) -> Status:
        """Count the poll; report a waiting job."""
        del hide
        self.polls += 1
        return Pending(handle=handle, running=False)


class Harness:
    """The services on a database.

    Without `alone`, other processes may share it.
    """

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
            Settings(communities="*", default_allowance=ALLOWANCE, monthly_budget=_BUDGET, lease_seconds=60.0),
            database=database,
            http=self._http,
            clock=clock,
            randomness=random.Random(1),  # noqa: S311 - jitter
        )
        container.engine_config = config or EngineConfig(active_per_provider=_MANY, waiting_per_member=_MANY)
        container.providers = {PROVIDER: provider or EndlessProvider()}
        container.is_alone = alone
        container.observer = SilentObserver()
        self._container = container
        self.database = database
        self.clock = container.clock
        self.ledger = container.ledger
        self.catalogue = container.catalogue
        self.lease = container.lease
        self.job_store = container.job_store
        self.card_store = container.card_store
        self.worker_store = container.worker_store
        self.reconciliations = container.reconciliations
        self.engine = container.engine
        self.generation = container.jobs
        self.snapshots = container.snapshots
        self.status = container.status
        self.history = container.history
        self.credits = container.credits
        self._request = generation_request(prompt=PROMPT, catalogue=container.catalogue)
        self._numbers = itertools.count(time.time_ns())  # interaction ids, unique in a database

    async def close(self) -> None:
        """Stop the engine and its parts; the database stays open."""
        await self.engine.stop()
        await self._container.close()
        await self._http.aclose()

    async def hold(self, *, members: int = MEMBERS) -> Job:
        """Hold the credits and insert the job; `members` alternate."""
        number = next(self._numbers)
        place = InteractionContext(
            interaction_id=number,
            application_id=1,
            guild_id=GUILD,
            channel_id=1,
            member_id=1 + number % members,
            token="x" * _TOKEN_LENGTH,
        )
        return (await self.generation.create(place, self._request)).job

    async def finish(self, held: Job, stored: ImageFile = STORED_IMAGE) -> Job:
        """Acknowledge a held job and finish the next job in the queue.

        That is usually the same one.
        """
        await self.generation.mark_acknowledged(held.id, held.place.interaction_id)
        return await self.finish_claimed(await self.claim(), stored)

    async def keep_lease(self) -> None:
        """Renew the lease and take over jobs, as a worker does."""
        await self.worker_store.renew_lease()
        await self.worker_store.take_over()

    async def claim(self) -> Job:
        """Claim the next job in the queue."""
        (claim,) = (await self.job_store.claim_batch(1, {PROVIDER: 1}, with_queue=False)).claims
        return claim.job

    async def finish_claimed(self, job: Job, stored: ImageFile = STORED_IMAGE) -> Job:
        """Finish a claimed job."""
        job = await self.job_store.mark_accepted(job, Pending(handle=job.id, running=False, record_id="record"))
        job = await self.job_store.mark_storing(
            job, Finished(image_urls=("https://cdn.example/1.png",), handle=job.id, record_id="record")
        )
        job = await self.job_store.mark_done(job, [ResultImage(job_id=job.id, position=0, file=stored)])
        await self.card_store.mark_delivered(job.id)
        return job
