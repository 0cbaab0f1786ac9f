"""An engine with a real database, real providers and a manual clock.

Providers are reached over real sockets; only the test moves the time.
"""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bot.container import Container
from bot.domain.attachments import SERVED, InputPolicy
from bot.domain.jobs import Attempt, InteractionContext, Job, State
from bot.domain.requests import GenerationRequest
from bot.engine.callback_urls import hash_token, input_url_for, new_token
from bot.engine.card_store import CardStore
from bot.engine.claimer import CallbackUrl, no_callback_url
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.health import HealthRegistry
from bot.engine.input_publisher import InputPublisher
from bot.engine.input_store import InputStore
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.observer import CardLookup
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.storage_gate import StorageGate
from bot.engine.worker_store import WorkerStore
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.picture_store import PictureStore
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.providers.base import Provider
from bot.providers.transport import provider_client
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import Actor, JobService
from bot.settings import Settings
from db.audit import audit
from db.database import Database
from sandbox.providers import MANUAL, Reve2ImgServer, SkillBossServer
from tests.support.catalogue import SEED_MODELS_FILE
from tests.support.clock import ManualClock, let_others_run
from tests.support.factories import MEMBER, make_context, make_id, make_request

NO_KEYS: Mapping[str, Any] = MappingProxyType({})


class Observer:
    """Records changes of jobs; `card` is the result of every card look-up."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.card: CardLookup | None = CardLookup(exists=True, message_id=1)

    def on_job_changed(self, job_id: str) -> None:
        """Record the change."""
        self.changes.append(job_id)

    async def find_card(self, job: Job) -> CardLookup | None:
        """Return `card`."""
        del job
        return self.card


@dataclass(slots=True, kw_only=True)
class EngineHarness:
    """The engine's parts, wired by the product's container."""

    database: Database
    clock: ManualClock
    server: SkillBossServer
    observer: Observer
    ledger: Ledger
    image_service: ImageService
    lease: Lease
    job_store: JobStore
    input_store: InputStore
    card_store: CardStore
    worker_store: WorkerStore
    reconciliations: ReconciliationStore
    engine: Engine
    job_service: JobService
    snapshots: JobSnapshotService
    storage_gate: StorageGate
    health: HealthRegistry
    publisher: InputPublisher | None = None

    async def create_job(
        self, *, place: InteractionContext | None = None, request: GenerationRequest | None = None
    ) -> Job:
        """Create a job and acknowledge its card."""
        snapshot = await self.job_service.create(place or make_context(), request or make_request())
        await self.job_service.mark_acknowledged(snapshot.job.id, 1)
        return snapshot.job

    async def read_job(self, job_id: str) -> Job:
        """Return the stored job."""
        return (await self.job_store.get(job_id))[0]

    async def read_attempt(self, job_id: str) -> Attempt:
        """Return the job's last stored attempt."""
        attempt = (await self.job_store.get(job_id))[1]
        assert attempt is not None
        return attempt

    async def wait_for_state(self, job_id: str, state: State, *, step: float = 0.0) -> Job:
        """Return the job once it has a state and its next step is scheduled.

        `step` seconds pass each time the job has another state and nothing runs. So the time that passes does not
        depend on the machine's speed.
        """
        for _ in checks(step):
            job = await self.read_job(job_id)
            if job.state is state:
                await self.settle()
                return job
            await self.pass_time(step)
        raise AssertionError(f"the job stays {job.state}, waiting for {state}")

    async def wait_for(self, condition: Callable[[], object], *, step: float = 0.0) -> None:
        """Return once the condition is true.

        `step` seconds pass each time it is false and nothing runs.
        """
        for _ in checks(step):
            if condition():
                return
            await self.pass_time(step, unless=condition)
        raise AssertionError("the condition stays false")

    async def run_rounds(self, *, step: float = 0.0, rounds: int = 20) -> None:
        """Let everything run; `step` seconds pass in each round."""
        for _ in range(rounds):
            await self.pass_time(step)

    async def pass_time(self, seconds: float, *, unless: Callable[[], object] = bool) -> None:
        """Let running work end, then let seconds pass and their work end.

        Without seconds, only let transactions end.
        """
        if not seconds:
            await self.settle()
            return
        await self.wait_until_idle(unless=unless)
        self.clock.advance(seconds)
        await self.wait_until_idle(unless=unless)

    async def settle(self) -> None:
        """Return once no transaction runs and none follows.

        HTTP requests may still run.
        """
        await self._wait_for_transactions()
        await self.database.read(lambda _: None)  # takes a moment, so that sockets can deliver

    async def _wait_for_transactions(self) -> None:
        await let_others_run(5)
        while self.database._running:
            await asyncio.wait(self.database._running)
            await let_others_run(5)

    async def wait_for_dispatch(self) -> None:
        """Return once the engine has finished its first dispatch.

        If two engines share a database, the first dispatch of one might otherwise claim a job made for the other.
        """
        await self.settle()
        while self.engine._claims.is_claiming:
            await self.settle()

    async def wait_until_idle(self, *, unless: Callable[[], object] = bool) -> None:
        """Return once the engine only waits for time or for an outside event.

        It also returns once `unless` is true.
        """
        await self._wait_for_transactions()
        last = time.monotonic() + 60
        while (busy := self._running_tasks()) and not unless():
            assert time.monotonic() < last, f"still running: {busy}"
            await self.settle()

    def _running_tasks(self) -> list[asyncio.Task[None]]:
        engine = self.engine
        tasks = [*engine._duties, *engine._executor._queue._running.values()]
        tasks += [task for task in (engine._dispatch, engine._execution) if task is not None]
        return [task for task in tasks if not task.done() and not self.clock.holds(task)]

    async def cancel(self, job_id: str) -> None:
        """Press Cancel as the job's member."""
        await self.job_service.cancel(job_id, Actor(member_id=MEMBER))

    async def run_audit(self) -> list[str]:
        """Return the audit's mistakes."""
        return await self.database.read(audit)

    def count_submits(self) -> int:
        """Return the number of submits to the provider."""
        return len([each for each in self.server.requests if each.method == "POST" and each.path == "/v1/run"])


def checks(step: float) -> Iterator[None]:
    """Yield once per check: 2,000 times if time passes, else for a minute."""
    last = time.monotonic() + 60
    looks = itertools.count()
    while next(looks) < 2_000 or (not step and time.monotonic() < last):
        yield


def some_input_url() -> CallbackUrl:
    """Return a URL below a public one without a server."""
    token = new_token()
    return CallbackUrl(url=input_url_for("https://studio.example", token), hash=hash_token(token))


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
    new_input_url: Callable[[], CallbackUrl | None] = some_input_url,
    publisher: InputPublisher | None = None,
    budget: int = 100_000,
    keys: Mapping[str, Any] = NO_KEYS,
    exempt: Collection[str] = (),
    store: PictureStore | None = None,
) -> AsyncIterator[EngineHarness]:
    """Build a harness and, by default, start its engine.

    A given server and clock outlive the harness. One that is not `alone` shares its database with others, by
    leases of 15 seconds. The caller starts and closes the `second` provider, which is used if SkillBoss cannot
    do the job. Without `skillboss` the operator has no key for it. The `policy` names the hosts of members'
    images, and `new_input_url` builds URLs for providers; without them the `publisher` does. `keys` are settings of
    other providers, whose images come from the addresses `exempt`. `store` replaces the folder of pictures.
    """
    clock = clock or ManualClock()
    own = server is None
    server = server or SkillBossServer(key="key", latency=MANUAL)
    if own:
        await server.start()
    client = provider_client()
    exempt = [server.url, *exempt]
    settings: dict[str, Any] = {
        "communities": "*",
        "skillboss_api_url": server.url,
        "monthly_budget": budget,
        "models_file": SEED_MODELS_FILE,
    }
    settings |= keys
    if skillboss:
        settings["skillboss_wholesale_key"] = "key"
    if second is not None:
        settings |= {"reve2img_api_key": "key", "reve2img_api_url": second.url}
        exempt.append(second.url)
    if policy.extra_origin is not None:
        exempt.append(policy.extra_origin)
    container = Container(
        Settings(**settings),
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
    container.input_publisher = publisher
    container.providers = {
        name: wrap(provider) if name == "skillboss" else provider for name, provider in container.providers.items()
    }
    container.image_service = ImageService(
        downloader=ImageDownloader(exempt=exempt, pauses=()),
        store=store or ImageStore(folder / "pictures"),
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
            input_store=container.input_store,
            card_store=container.card_store,
            worker_store=container.worker_store,
            reconciliations=container.reconciliations,
            engine=engine,
            job_service=container.jobs,
            snapshots=container.snapshots,
            storage_gate=container.storage_gate,
            health=container.health,
            publisher=publisher,
        )
    finally:
        await engine.stop()
        await engine.release_lease()
        await container.close()
        await client.aclose()
        if own:
            await server.close()
