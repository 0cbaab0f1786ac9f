"""Submits wait while finished images could not be stored."""

from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.domain.errors import FaultKind, ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.domain.jobs import State
from bot.engine.storage_gate import StorageFault
from bot.images.download import ImageDownloader
from db.database import Database
from tests.engine.engine_harness import engine_harness


def break_folder(folder: Path) -> None:
    """Put a file where the pictures' folder should be."""
    pictures = folder / "pictures"
    if pictures.exists():
        pictures.rename(folder / "aside")
    pictures.touch()


def repair_folder(folder: Path) -> None:
    """Undo `break_folder`."""
    (folder / "pictures").unlink()
    if (folder / "aside").exists():
        (folder / "aside").rename(folder / "pictures")


async def test_unwritable_folder_at_start_costs_no_image(sqlite_database: Database, tmp_path: Path) -> None:
    # The job waits, its card says so, and it starts by itself once the folder is writable.
    break_folder(tmp_path)
    with structlog.testing.capture_logs() as logs:
        async with engine_harness(sqlite_database, tmp_path) as harness:
            job = await harness.create_job()
            await harness.run_rounds(step=1)
            assert (await harness.read_job(job.id)).state is State.HELD
            assert harness.count_submits() == 0
            assert (await harness.snapshots.get(job.id)).waits_for_storage
            repair_folder(tmp_path)
            await harness.wait_for(lambda: harness.server.jobs, step=1)
            harness.server.finish(harness.server.jobs[0])
            await harness.wait_for_state(job.id, State.DONE, step=1)
            assert await harness.run_audit() == []
    closed, opened = [entry for entry in logs if entry["event"].startswith("storage.")]
    assert (closed["fault"], closed["log_level"]) == (StorageFault.UNWRITABLE, "error")
    assert "writable" in closed["remedy"]
    assert opened["event"] == "storage.open"


async def test_unwritable_folder_loses_one_submit_at_most(sqlite_database: Database, tmp_path: Path) -> None:
    # The image that is paid for is downloaded again and again, and arrives once the folder is writable.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        paid = await harness.create_job()
        await harness.wait_for_state(paid.id, State.QUEUED, step=1)
        break_folder(tmp_path)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(paid.id, State.STORING, step=1)
        later = [await harness.create_job() for _ in range(3)]
        await harness.run_rounds(step=5)
        assert harness.count_submits() == 1
        assert (await harness.read_job(paid.id)).state is State.STORING
        repair_folder(tmp_path)
        await harness.wait_for_state(paid.id, State.DONE, step=5)
        await harness.wait_for(lambda: len(harness.server.jobs) == 4, step=1)
        for made in harness.server.jobs[1:]:
            harness.server.finish(made)
        for job in later:
            await harness.wait_for_state(job.id, State.DONE, step=5)


async def test_job_fails_free_after_soft_deadline_of_closed_storage(sqlite_database: Database, tmp_path: Path) -> None:
    break_folder(tmp_path)
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        failed = await harness.wait_for_state(job.id, State.FAILED, step=30)
        assert (failed.fault, failed.charged, harness.count_submits()) == (FaultKind.STORAGE, 0, 0)
        assert await harness.run_audit() == []


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ImageError(ImageProblem.FORBIDDEN_ADDRESS, "resolved"), StorageFault.FORBIDDEN_ADDRESS),
        (ImageError(ImageProblem.UNREACHABLE, "no connection: TimeoutError"), StorageFault.UNREACHABLE),
    ],
)
async def test_unreachable_image_host_pauses_submits_until_it_answers(
    sqlite_database: Database, tmp_path: Path, error: ImageError, fault: StorageFault
) -> None:
    # A host with a forbidden address is not the image's fault: the paid image is not given up.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        store, probe = harness.image_service.store_url, harness.image_service.probe_host

        async def fail(_: str, **__: object) -> ImageFile:
            raise error

        harness.image_service.store_url = harness.image_service.probe_host = fail  # type: ignore[assignment, method-assign]
        paid = await harness.create_job()
        await harness.wait_for_state(paid.id, State.QUEUED, step=1)
        with structlog.testing.capture_logs() as logs:
            harness.server.finish(harness.server.jobs[0])
            await harness.wait_for(lambda: harness.storage_gate.faults, step=1)
            waiting = await harness.create_job()
            await harness.run_rounds(step=5)
        assert harness.storage_gate.faults == (fault,)
        assert (await harness.read_job(waiting.id)).state is State.HELD
        assert (await harness.snapshots.get(waiting.id)).waits_for_storage
        (closed,) = [entry for entry in logs if entry["event"] == "storage.closed"]
        assert (closed["fault"], closed["host"], closed["provider"]) == (fault, "127.0.0.1", "skillboss")
        harness.image_service.probe_host = probe  # type: ignore[method-assign]
        await harness.wait_for(lambda: harness.count_submits() == 2, step=1)
        harness.image_service.store_url = store  # type: ignore[method-assign]
        await harness.wait_for_state(paid.id, State.DONE, step=5)


async def test_host_with_proxy_address_is_refused_as_resolved(tmp_path: Path) -> None:
    """Every name resolves to 198.18/15."""
    lookups: list[str] = []

    async def lookup(host: str, _port: int) -> list[str]:
        lookups.append(host)
        return ["198.18.0.7"]

    downloader = ImageDownloader(lookup=lookup, pauses=())
    for call in (
        downloader.fetch("https://cdn.example/a.png", into=tmp_path),
        downloader.probe("https://cdn.example/a"),
    ):
        with pytest.raises(ImageError) as refusal:
            await call
        assert (refusal.value.problem, refusal.value.detail) == (ImageProblem.FORBIDDEN_ADDRESS, "resolved")
    await downloader.close()
    assert lookups == ["cdn.example"] * 2


async def test_error_status_of_image_host_pauses_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    # It can be reached, so other images may well be fetched.
    async with engine_harness(sqlite_database, tmp_path) as harness:

        async def fail(_: str, **__: object) -> ImageFile:
            raise ImageError(ImageProblem.UNREACHABLE, "status 503")

        harness.image_service.store_url = fail  # type: ignore[assignment, method-assign]
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(job.id, State.STORING, step=1)
        await harness.create_job()
        await harness.wait_for(lambda: harness.count_submits() == 2, step=1)
        assert harness.storage_gate.faults == ()


async def test_image_deleted_before_its_row_is_downloaded_again(sqlite_database: Database, tmp_path: Path) -> None:
    # Deleting the same image elsewhere removes its file while no row refers to this job's copy.
    async with engine_harness(sqlite_database, tmp_path) as harness:
        store, stored = harness.image_service.store_url, list[ImageFile]()

        async def store_and_lose(url: str, **options: Any) -> ImageFile:
            stored.append(await store(url, **options))
            if len(stored) == 1:
                harness.image_service.path(stored[0].sha256, stored[0].media_type).unlink()
            return stored[-1]

        harness.image_service.store_url = store_and_lose  # type: ignore[method-assign]
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(job.id, State.DONE, step=1)
        assert len(stored) == 2
        assert harness.image_service.path(stored[1].sha256, stored[1].media_type).is_file()
