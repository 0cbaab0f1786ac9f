"""Jobs while the object store cannot be used: nothing is lost or charged."""

from datetime import timedelta
from pathlib import Path

import obstore
import pytest
import structlog
from obstore.store import MemoryStore

from bot.domain.errors import FaultKind
from bot.domain.images import ImageFile
from bot.domain.jobs import State
from bot.engine.maintenance import Maintenance
from bot.engine.storage_gate import StorageFault
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.local_copies import LocalCopies
from bot.images.object_client import ObjectClient
from bot.images.object_store import ObjectImageStore
from bot.images.store_faults import PictureStoreError, StoreProblem
from bot.images.thread_pool import ImageThreadPool
from db.database import Database
from sandbox.providers.pictures import draw_picture
from tests.engine.engine_harness import engine_harness
from tests.support.clock import START, ManualClock


class FailingStore(ObjectClient):
    """A store in memory with a switch; `objects` is its content."""

    def __init__(self) -> None:
        self.objects = MemoryStore()
        self.problem: StoreProblem | None = None
        self.calls = 0
        super().__init__(self._open)

    def _open(self) -> MemoryStore:
        return self.objects

    @property
    def _store(self) -> MemoryStore:
        self.calls += 1
        if self.problem is not None:
            raise PictureStoreError(self.problem)
        return self.objects

    def keys(self) -> list[str]:
        """Return the keys of all objects."""
        return [each["path"] for page in obstore.list(self.objects) for each in page]


@pytest.fixture
def objects() -> FailingStore:
    """Return a store without faults."""
    return FailingStore()


async def test_paid_picture_waits_for_the_store_and_arrives(
    sqlite_database: Database, tmp_path: Path, objects: FailingStore
) -> None:
    store = ObjectImageStore(objects, LocalCopies(tmp_path / "copies"))
    async with engine_harness(sqlite_database, tmp_path, store=store) as harness:
        paid = await harness.create_job()
        await harness.wait_for_state(paid.id, State.QUEUED, step=1)
        objects.problem = StoreProblem.DENIED
        with structlog.testing.capture_logs() as logs:
            harness.server.finish(harness.server.jobs[0])
            await harness.wait_for_state(paid.id, State.STORING, step=1)
            await harness.wait_for(lambda: harness.storage_gate.faults, step=1)
        assert harness.storage_gate.faults == (StorageFault.OBJECT_STORE,)
        (closed,) = [entry for entry in logs if entry["event"] == "storage.closed"]
        assert closed["problem"] == StoreProblem.DENIED
        assert "atelier doctor" in closed["remedy"]

        later = await harness.create_job()
        await harness.run_rounds(step=5)
        assert harness.count_submits() == 1
        assert (await harness.snapshots.get(later.id)).waits_for_storage
        waiting = await harness.read_job(paid.id)
        assert (waiting.state, waiting.charged) == (State.STORING, None)

        objects.problem = None
        await harness.wait_for_state(paid.id, State.DONE, step=5)
        await harness.wait_for(lambda: len(harness.server.jobs) == 2, step=1)
        harness.server.finish(harness.server.jobs[1])
        await harness.wait_for_state(later.id, State.DONE, step=5)
        assert await harness.run_audit() == []
        assert len(objects.keys()) == 1  # the same prompt made the same picture


async def test_job_fails_free_while_the_store_is_away(
    sqlite_database: Database, tmp_path: Path, objects: FailingStore
) -> None:
    objects.problem = StoreProblem.NETWORK
    store = ObjectImageStore(objects, LocalCopies(tmp_path / "copies"))
    async with engine_harness(sqlite_database, tmp_path, store=store) as harness:
        job = await harness.create_job()
        failed = await harness.wait_for_state(job.id, State.FAILED, step=30)
        assert (failed.fault, failed.charged, harness.count_submits()) == (FaultKind.STORAGE, 0, 0)
        assert await harness.run_audit() == []


async def test_store_that_fails_after_the_upload_delays_the_end(
    sqlite_database: Database, tmp_path: Path, objects: FailingStore
) -> None:
    # The store is asked again right before the row is written.
    seconds = [0.0]
    store = ObjectImageStore(objects, LocalCopies(tmp_path / "copies"), monotonic=lambda: seconds[0])
    async with engine_harness(sqlite_database, tmp_path, store=store) as harness:
        store_url = harness.image_service.store_url

        async def store_and_lose_the_store(url: str, **options: object) -> ImageFile:
            file = await store_url(url, **options)  # type: ignore[arg-type] # as the caller gives them
            seconds[0] += 40
            objects.problem = StoreProblem.SERVER
            harness.image_service.store_url = store_url  # type: ignore[method-assign]
            return file

        harness.image_service.store_url = store_and_lose_the_store  # type: ignore[method-assign]
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for(lambda: harness.storage_gate.faults, step=1)
        assert (await harness.read_job(job.id)).state is State.STORING
        objects.problem = None
        await harness.wait_for_state(job.id, State.DONE, step=5)
        assert await harness.run_audit() == []


async def test_sweep_of_a_store_that_is_away_is_one_line(
    sqlite_database: Database, tmp_path: Path, objects: FailingStore
) -> None:
    service = ImageService(
        downloader=ImageDownloader(),
        store=ObjectImageStore(objects, LocalCopies(tmp_path)),
        workers=ImageThreadPool(),
    )
    maintenance = Maintenance(
        database=sqlite_database, image_service=service, clock=ManualClock(), retention=timedelta(days=30)
    )
    objects.problem = StoreProblem.NETWORK
    with structlog.testing.capture_logs() as logs:
        for duty in ("temporary", "orphans"):
            await maintenance._run_duty(duty)
    assert [(entry["event"], entry["duty"], entry["problem"]) for entry in logs] == [
        ("maintenance.store_failed", duty, StoreProblem.NETWORK) for duty in ("temporary", "orphans")
    ]
    await service.close()


async def test_picture_that_cannot_be_deleted_is_noted_and_the_rest_does_not_wait(
    tmp_path: Path, objects: FailingStore
) -> None:
    service = ImageService(
        downloader=ImageDownloader(),
        store=ObjectImageStore(objects, LocalCopies(tmp_path)),
        workers=ImageThreadPool(),
    )
    files = [
        await service.store_bytes(draw_picture(words, 0, width=64, height=64, format="png")) for words in ("a", "b")
    ]
    objects.problem, objects.calls = StoreProblem.NETWORK, 0
    for file in files:
        assert not await service.discard(file.sha256, file.media_type, older_than=START)
    assert service.take_unrecorded() == {(file.sha256, file.media_type) for file in files}
    assert objects.calls == 1  # for the first one alone
    await service.close()
