"""An engine between a real database and a real provider over real sockets, with time that only the test moves."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.container import Container
from bot.domain.attachments import SERVED, InputPolicy
from bot.domain.jobs import Attempt, InteractionContext, Job, State
from bot.domain.requests import GenerationRequest
from bot.engine.claimer import CallbackUrl, no_callback_url, no_input_url
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.observer import CardLookup
from bot.engine.worker_store import WorkerStore
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.providers.base import Provider
from bot.providers.transport import provider_client
from bot.services.jobs import Actor, JobService
from bot.settings import ExplicitSettings
from db.audit import audit
from db.database import Database
from sandbox.providers import MANUAL, Reve2ImgServer, SkillBossServer
from tests.support.clock import ManualClock, let_others_run
from tests.support.factories import MEMBER, make_context, make_id, make_request


class Observer:
    """Remembers what it was told; `card` is what it answers to whether a card is there."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.card: CardLookup | None = CardLookup(there=True, message_id=1)

    def on_job_changed(self, job_id: str) -> None:
        """Remember."""
        self.changes.append(job_id)

    async def find_card(self, job: Job) -> CardLookup | None:
        """Answer."""
        del job
        return self.card


@dataclass(slots=True, kw_only=True)
class EngineHarness:
    """The parts, wired as the product wires them."""

    database: Database
    clock: ManualClock
    server: SkillBossServer
    observer: Observer
    ledger: Ledger
    image_service: ImageService
    lease: Lease
    job_store: JobStore
    worker_store: WorkerStore
    engine: Engine
    generation: JobService

    async def asked(self, *, place: InteractionContext | None = None, request: GenerationRequest | None = None) -> Job:
        """Make a job and let its card appear."""
        snapshot = await self.generation.create(place or make_context(), request or make_request())
        await self.generation.mark_acknowledged(snapshot.job.id, 1)
        return snapshot.job

    async def job(self, job_id: str) -> Job:
        """Return the job as it is stored."""
        return (await self.job_store.get(job_id))[0]

    async def attempt(self, job_id: str) -> Attempt:
        """Return the job's last attempt as it is stored."""
        attempt = (await self.job_store.get(job_id))[1]
        assert attempt is not None
        return attempt

    async def until(self, job_id: str, state: State, *, step: float = 0.0) -> Job:
        """Return the job once it is in a state, and what brought it there has set when to go on.

        `step` seconds pass each time that it is not and nothing is under way, so that they can be counted however slow
        the machine is.
        """
        for _ in patiently(step):
            job = await self.job(job_id)
            if job.state is state:
                await self.settle()
                return job
            await self.pass_time(step)
        raise AssertionError(f"the job stays {job.state}, waiting for {state}")

    async def when(self, condition: Callable[[], object], *, step: float = 0.0) -> None:
        """Return once the condition is true; `step` seconds pass each time that it is not and nothing is under way."""
        for _ in patiently(step):
            if condition():
                return
            await self.pass_time(step, unless=condition)
        raise AssertionError("it never came to pass")

    async def quiet(self, *, step: float = 0.0, rounds: int = 20) -> None:
        """Let everything go on that can; `step` seconds pass in each of the rounds."""
        for _ in range(rounds):
            await self.pass_time(step)

    async def pass_time(self, seconds: float, *, unless: Callable[[], object] = bool) -> None:
        """Let time pass between what was under way before and what comes of it; without any, let things go on."""
        if not seconds:
            await self.settle()
            return
        await self.idle(unless=unless)
        self.clock.advance(seconds)
        await self.idle(unless=unless)

    async def settle(self) -> None:
        """Return when no transaction is under way, nor one that followed from it; requests may be."""
        await self._written()
        await self.database.read(lambda _: None)  # takes its time, which the sockets have too

    async def _written(self) -> None:
        await let_others_run(5)
        while self.database._running:
            await asyncio.wait(self.database._running)
            await let_others_run(5)

    async def looked(self) -> None:
        """Return when the engine has looked for jobs in line, as it does at its start, and waits for more.

        Else, where two engines share a database, the second one's first look may claim what the first one is asked.
        """
        await self.settle()
        while self.engine._claims.is_claiming:
            await self.settle()

    async def idle(self, *, unless: Callable[[], object] = bool) -> None:
        """Return when all that the engine does waits for time or for a word from outside, or when `unless` is true."""
        await self._written()
        last = time.monotonic() + 60
        while (busy := self._under_way()) and not unless():
            assert time.monotonic() < last, f"never done: {busy}"
            await self.settle()

    def _under_way(self) -> list[asyncio.Task[None]]:
        engine = self.engine
        tasks = [*engine._duties, *engine._executor._queue._running.values()]
        tasks += [task for task in (engine._dispatch, engine._execution) if task is not None]
        return [task for task in tasks if not task.done() and not self.clock.holds(task)]

    async def cancel(self, job_id: str) -> None:
        """Press Cancel as its member."""
        await self.generation.cancel(job_id, Actor(member_id=MEMBER))

    async def problems(self) -> list[str]:
        """Return what the audit finds."""
        return await self.database.read(audit)

    def posts(self) -> int:
        """Return how many jobs were sent to the provider."""
        return len([each for each in self.server.requests if each.method == "POST" and each.path == "/v1/run"])


def patiently(step: float) -> Iterator[None]:
    """Count the looks of somebody who waits: 2,000 where time passes, else as many as fit in a minute of real time."""
    last = time.monotonic() + 60
    looks = itertools.count()
    while next(looks) < 2_000 or (not step and time.monotonic() < last):
        yield


@asynccontextmanager
async def engine_harness(
    database: Database,
    folder: Path,
    *,
    config: EngineConfig | None = None,
    server: SkillBossServer | None = None,
    second: Reve2ImgServer | None = None,
    clock: ManualClock | None = None,
    wrap: Callable[[Provider], Provider] = lambda provider: provider,
    start: bool = True,
    alone: bool = True,
    new_callback_url: Callable[[str], CallbackUrl | None] = no_callback_url,
    skillboss: bool = True,
    policy: InputPolicy = SERVED,
    new_input_url: Callable[[], CallbackUrl | None] = no_input_url,
) -> AsyncIterator[EngineHarness]:
    """Wire a workshop and, unless told otherwise, start its engine; a given server and clock outlive it.

    One that is not `alone` shares its database with others, by leases of 15 seconds. A `second` provider, which the
    caller starts and closes, is asked where SkillBoss cannot; the operator may have no key for `skillboss`. The
    `policy` names where members' pictures are, and `address` makes those that providers fetch them from.
    """
    clock = clock or ManualClock()
    own = server is None
    server = server or SkillBossServer(key="key", latency=MANUAL)
    if own:
        await server.start()
    client = provider_client()
    exempt = [server.url]
    settings: dict[str, Any] = {"communities": "*", "skillboss_api_url": server.url}
    if skillboss:
        settings["skillboss_wholesale_key"] = "key"
    if second is not None:
        settings |= {"reve2img_api_key": "key", "reve2img_api_url": second.url}
        exempt.append(second.url)
    if policy.extra_origin is not None:
        exempt.append(policy.extra_origin)
    container = Container(
        ExplicitSettings(**settings),
        database=database,
        http=client,
        clock=clock,
        new_id=make_id,
        randomness=random.Random(1),  # noqa: S311 - jitter
    )
    container.engine_config = config or EngineConfig()
    container.is_alone = alone
    container.observer = observer = Observer()
    container.input_policy = policy
    container.new_callback_url = new_callback_url
    container.new_input_url = new_input_url
    container.providers = {
        name: wrap(provider) if name == "skillboss" else provider for name, provider in container.providers.items()
    }
    container.image_service = ImageService(
        downloader=ImageDownloader(exempt=exempt, pauses=()),
        store=ImageStore(folder / "pictures"),
        workers=ImageThreadPool(),
    )
    engine = container.engine
    try:
        if start:
            await engine.start()
        yield EngineHarness(
            database=database,
            clock=clock,
            server=server,
            observer=observer,
            ledger=container.ledger,
            image_service=container.image_service,
            lease=container.lease,
            job_store=container.job_store,
            worker_store=container.worker_store,
            engine=engine,
            generation=container.jobs,
        )
    finally:
        await engine.stop()
        await engine.release_lease()
        await container.close()
        await client.aclose()
        if own:
            await server.close()
