"""Live jobs of a backup: never submitted, charged or shown again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, func, select

from bot.backup import create_backup
from bot.domain.errors import FaultKind
from bot.domain.jobs import Delivery, State
from db.audit import audit
from db.database import Database
from db.jobs import JobRepository
from db.tables import accounts, budgets, pictures, risks
from sandbox.providers import MANUAL, SkillBossServer
from tests.backup.studio import NOW, open_studio, restore, settings_of, sqlite_settings
from tests.engine.engine_harness import engine_harness
from tests.support.clock import START, ManualClock
from tests.support.databases import Databases

AT_PROVIDER = ("queued", "running", "storing", "submitting", "unknown")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Yield an open database."""
    database = await Database.open(url)
    try:
        yield database
    finally:
        await database.close()


async def test_live_jobs_end_without_a_charge(database_url: str, databases: Databases, tmp_path: Path) -> None:
    async with open_studio(database_url, tmp_path / "from") as studio:
        file = await studio.backup()
        ids = {name: job.id for name, job in studio.jobs.items()}
    target = await databases.create(migrated=False)
    restored = await restore(file, settings_of(target, tmp_path / "to"))
    assert (restored.ended.waiting, restored.ended.at_provider) == (1, 5)
    assert restored.manifest.live_jobs == 6

    def read(connection: Connection) -> None:
        assert audit(connection) == []
        stored = {name: JobRepository(connection).get(id_) for name, id_ in ids.items()}
        assert stored["held"].state is State.CANCELLED
        ends = {(stored[name].state, stored[name].fault) for name in AT_PROVIDER}
        assert ends == {(State.FAILED, FaultKind.RESTORED)}
        assert {stored[name].charged for name in ("held", *AT_PROVIDER)} == {0}
        asked = {name for name in AT_PROVIDER if stored[name].reconcile_at is not None}
        assert asked == {"queued", "running", "storing"}
        assert connection.execute(select(func.sum(accounts.c.held))).scalar() == 0
        booked = connection.execute(select(risks.c.job_id, risks.c.amount, risks.c.cause)).all()
        assert {tuple(row) for row in booked} == {(ids[name], 12, "restored") for name in AT_PROVIDER}
        month = connection.execute(
            select(budgets.c.held, budgets.c.captured, budgets.c.at_risk).where(budgets.c.guild_id == 0)
        ).one()
        assert tuple(month) == (0, 12, 60)
        assert all(job.delivered_at is not None for job in stored.values())
        assert {name for name, job in stored.items() if job.delivery is Delivery.HISTORY} == {"done"}

    async with opened(target) as database:
        await database.read(read)
    await databases.drop(target)


async def test_provider_is_asked_for_a_job_of_the_backup_and_never_paid_again(
    sqlite_databases: Databases, tmp_path: Path
) -> None:
    """Its member pays nothing, and the budget has the cost."""
    server = SkillBossServer(key="key", latency=MANUAL)
    await server.start()
    url = await sqlite_databases.create(migrated=True)
    settings = sqlite_settings(tmp_path / "to", skillboss_api_url=server.url, skillboss_wholesale_key="key")
    async with opened(url) as database, engine_harness(database, tmp_path / "from", server=server) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        file = (await create_backup(settings_of(url, tmp_path / "from"), None, START, pictures=False)).file
        server.finish()
        await harness.wait_for_state(job.id, State.DONE, step=1)
    submits = len(server.jobs)
    await restore(file, settings)

    clock = ManualClock(NOW + timedelta(hours=2))
    async with (
        opened(settings.database_address) as database,
        engine_harness(database, tmp_path / "to", server=server, clock=clock) as harness,
    ):
        assert (await harness.read_job(job.id)).charged == 0

        def is_stored(connection: Connection) -> bool:
            return connection.execute(select(pictures.c.job_id)).scalar() == job.id

        for _ in range(100):
            if await database.read(is_stored):
                break
            await harness.pass_time(5)
        month = await database.read(
            lambda each: each.execute(
                select(budgets.c.captured, budgets.c.at_risk).where(budgets.c.guild_id == 0)
            ).one()
        )
        assert tuple(month) == (12, 0)
        assert await harness.run_audit() == []
        assert harness.observer.changes == []
    assert len(server.jobs) == submits
    await server.close()
