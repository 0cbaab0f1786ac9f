"""Pauses: no new hold and no new submit, while running jobs go on."""

import asyncio
from pathlib import Path

import pytest

from bot.domain.errors import StudioPausedError
from bot.domain.jobs import State
from bot.domain.pauses import PauseScope
from bot.engine.config import EngineConfig
from bot.services.pauses import PauseService
from db.database import Database
from db.pauses import PauseRepository
from sandbox.providers import Reve2ImgServer
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.engine.gated_provider import Gates
from tests.support.clock import START
from tests.support.factories import GUILD, make_context, make_id, make_request


def pauses_in(database: Database) -> PauseService:
    """Return the service of another process, such as the command line."""
    return PauseService(
        database=database,
        now=lambda: START,
        new_id=make_id,
        models=["reve-2.0", "nano-banana-pro"],
        providers=["skillboss", "reve2img"],
    )


@pytest.fixture
def shell(other: Database) -> PauseService:
    """Return the command line's service."""
    return pauses_in(other)


async def refused(harness: EngineHarness, **place: int) -> StudioPausedError:
    """Return the refusal of a new job."""
    with pytest.raises(StudioPausedError) as caught:
        await harness.create_job(place=make_context(**place))
    return caught.value


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        (PauseScope.ALL, ""),
        (PauseScope.GUILD, str(GUILD)),
        (PauseScope.STUDIO, str(GUILD)),
        (PauseScope.MODEL, "reve-2.0"),
        (PauseScope.PROVIDER, "skillboss"),
    ],
)
async def test_queued_job_waits_for_a_pause_of_another_process_to_end(
    database: Database, shell: PauseService, tmp_path: Path, scope: PauseScope, name: str
) -> None:
    async with engine_harness(database, tmp_path, start=False) as harness:
        queued = await harness.create_job()
        await shell.begin(scope, name, reason="new prices")
        await harness.engine.start()
        await harness.run_rounds(step=1)
        assert (await harness.read_job(queued.id)).state is State.HELD
        assert harness.count_submits() == 0
        shown = (await harness.snapshots.get(queued.id)).pause
        assert shown is not None
        assert (shown.scope, shown.reason) == (scope, "new prices")
        assert (await refused(harness)).pause == shown

        await shell.end(scope, name)
        await harness.wait_for(lambda: harness.server.jobs, step=1)
        assert (await harness.snapshots.get(queued.id)).pause is None
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(queued.id, State.DONE, step=1)
        assert await harness.run_audit() == []


async def test_pause_of_a_server_or_model_leaves_others_alone(
    database: Database, shell: PauseService, tmp_path: Path
) -> None:
    async with engine_harness(database, tmp_path) as harness:
        await shell.begin(PauseScope.STUDIO, str(GUILD))
        await shell.begin(PauseScope.MODEL, "nano-banana-pro")
        await refused(harness)
        elsewhere = await harness.create_job(place=make_context(guild_id=GUILD + 1))
        await harness.wait_for_state(elsewhere.id, State.QUEUED, step=1)


async def test_running_job_finishes_while_paused(database: Database, shell: PauseService, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path) as harness:
        running = await harness.create_job()
        await harness.wait_for_state(running.id, State.QUEUED, step=1)
        await shell.begin(PauseScope.ALL)
        await refused(harness)
        harness.server.finish(harness.server.jobs[0])
        done = await harness.wait_for_state(running.id, State.DONE, step=1)
        assert done.charged == running.price
        assert await harness.run_audit() == []


async def test_pause_during_a_submit_lets_it_finish_and_holds_back_the_next(
    database: Database, shell: PauseService, tmp_path: Path
) -> None:
    gates = Gates()
    config = EngineConfig(active_per_provider=1)
    async with engine_harness(database, tmp_path, wrap=gates, config=config) as harness:
        gates.gated.after.clear()
        sent, waiting = await harness.create_job(), await harness.create_job()
        await gates.gated.waiting.wait()
        await shell.begin(PauseScope.PROVIDER, "skillboss")
        gates.gated.open()
        await harness.wait_for_state(sent.id, State.QUEUED)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(sent.id, State.DONE, step=1)
        await harness.run_rounds(step=1)
        assert (await harness.read_job(waiting.id)).state is State.HELD
        assert harness.count_submits() == 1


async def test_paused_providers_queued_jobs_go_to_the_other_one(
    database: Database, shell: PauseService, tmp_path: Path, reve2img: Reve2ImgServer
) -> None:
    async with engine_harness(database, tmp_path, second=reve2img, start=False) as harness:
        queued = await harness.create_job()
        await shell.begin(PauseScope.PROVIDER, "skillboss")
        assert (await harness.snapshots.get(queued.id)).pause is None
        await harness.engine.start()
        moved = await harness.wait_for_state(queued.id, State.RUNNING, step=1)
        assert moved.provider == "reve2img"
        assert harness.count_submits() == 0


async def test_paused_queued_job_can_be_cancelled(database: Database, shell: PauseService, tmp_path: Path) -> None:
    async with engine_harness(database, tmp_path, start=False) as harness:
        queued = await harness.create_job()
        await shell.begin(PauseScope.ALL)
        await harness.engine.start()
        await harness.cancel(queued.id)
        await harness.wait_for_state(queued.id, State.CANCELLED, step=1)
        assert await harness.run_audit() == []


async def test_paused_queued_job_is_released_at_the_hard_deadline(
    database: Database, shell: PauseService, tmp_path: Path
) -> None:
    config = EngineConfig(hard_deadline=600.0)
    async with engine_harness(database, tmp_path, start=False, config=config) as harness:
        queued = await harness.create_job()
        await shell.begin(PauseScope.ALL)
        await harness.engine.start()
        await harness.wait_for_state(queued.id, State.LOST, step=30)
        account = await database.read(
            lambda each: harness.ledger.available(each, GUILD, queued.place.member_id, harness.clock.now())
        )
        assert account.held == 0
        assert await harness.run_audit() == []


async def test_concurrent_jobs_and_a_pause_leave_no_job_after_it(
    database: Database, shell: PauseService, tmp_path: Path
) -> None:
    """Each one is created before the pause is stored, or refused."""
    async with engine_harness(database, tmp_path, start=False) as harness:

        async def create(member: int) -> bool:
            try:
                await harness.job_service.create(make_context(member_id=member), make_request())
            except StudioPausedError:
                return False
            return True

        first = [asyncio.create_task(create(member)) for member in range(100, 110)]
        pause = asyncio.create_task(shell.begin(PauseScope.ALL))
        second = [asyncio.create_task(create(member)) for member in range(110, 120)]
        await pause
        assert not await create(99)
        made = sum(await asyncio.gather(*first, *second))
        queued = await database.read(lambda each: PauseRepository(each).list())
        assert queued.of_all is not None
        assert made == await database.read(lambda each: each.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one())
        assert await harness.run_audit() == []


async def test_claim_concurrent_with_a_pause_sends_nothing_after_it(
    database: Database, other: Database, tmp_path: Path
) -> None:
    shell = pauses_in(other)
    async with engine_harness(database, tmp_path, start=False, alone=False) as harness:
        for member in range(100, 120):
            await harness.create_job(place=make_context(member_id=member))

        async def claim() -> int:
            return len((await harness.job_store.claim_batch(1, {"skillboss": 100})).claims)

        early = [asyncio.create_task(claim()) for _ in range(5)]
        pause = asyncio.create_task(shell.begin(PauseScope.ALL))
        late = [asyncio.create_task(claim()) for _ in range(5)]
        await pause
        assert await claim() == 0
        await asyncio.gather(*early, *late)
        assert await claim() == 0
