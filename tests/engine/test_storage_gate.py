"""Submits wait while finished images could not be stored."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from PIL import Image

from bot.domain.errors import FaultKind, ImageError, ImageProblem, StorageFullError
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import State
from bot.engine.config import EngineConfig
from bot.engine.storage_gate import StorageFault
from bot.images.disk_space import DiskSpace
from bot.images.download import NO_CONNECTION, ImageDownloader
from bot.images.url_policy import host_of
from db.database import Database
from db.pictures import ResultImageRepository
from sandbox.providers import Reve2ImgServer
from tests.engine.edit_requests import edit_harness, edit_request
from tests.engine.engine_harness import engine_harness
from tests.support.clock import START
from tests.support.factories import MEMBER, make_context, make_job
from tests.support.image_server import ImageServer
from tests.support.ledger import adding

GIGABYTE = 1_000_000_000


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


@pytest.mark.parametrize("answers", [{"good.example"}, set()])
async def test_single_dead_host_closes_provider_for_a_while_only(
    sqlite_database: Database, tmp_path: Path, answers: set[str]
) -> None:
    # A bad address in one answer must not stop the studio; a network that is down must.
    dead = ImageError(ImageProblem.UNREACHABLE, f"{NO_CONNECTION}: ConnectError")
    async with engine_harness(sqlite_database, tmp_path) as harness:

        async def probe(url: str) -> None:
            if host_of(url) not in answers:
                raise dead

        harness.image_service.probe_host = probe  # type: ignore[method-assign]
        gate = harness.storage_gate
        gate.record_success("skillboss", "https://good.example/a.png")
        bad = [f"https://bad.example/{number}.png" for number in range(2)]
        for url, patience in zip(bad, (300, 600), strict=True):
            gate.record_download_failure("skillboss", url, dead)
            harness.clock.advance(patience - 1)
            await gate.probe()
            assert gate.is_closed_for("skillboss")
            harness.clock.advance(1)
            await gate.probe()
            assert gate.is_closed_for("skillboss") is not bool(answers)
            gate.record_download_failure("skillboss", url, dead)  # the same job tries again
            assert gate.is_closed_for("skillboss") is not bool(answers)


async def test_failed_probe_does_not_close_what_a_download_opened(sqlite_database: Database, tmp_path: Path) -> None:
    dead = ImageError(ImageProblem.UNREACHABLE, f"{NO_CONNECTION}: ConnectError")
    async with engine_harness(sqlite_database, tmp_path) as harness:
        gate = harness.storage_gate

        async def probe(_: str) -> None:
            gate.record_success("skillboss", "https://good.example/a.png")
            raise dead

        harness.image_service.probe_host = probe  # type: ignore[assignment, method-assign]
        gate.record_download_failure("skillboss", "https://bad.example/b.png", dead)
        await gate.probe()
        assert not gate.is_closed_for("skillboss")


async def test_url_that_is_never_fetched_opens_no_provider(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:

        async def fail(_: str, **__: object) -> ImageFile:
            raise ImageError(ImageProblem.FORBIDDEN_ADDRESS, "scheme")

        async def probe(_: str) -> None:
            raise dead

        dead = ImageError(ImageProblem.UNREACHABLE, f"{NO_CONNECTION}: ConnectError")
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        harness.image_service.store_url = fail  # type: ignore[assignment, method-assign]
        harness.image_service.probe_host = probe  # type: ignore[assignment, method-assign]
        harness.storage_gate.record_download_failure("skillboss", "https://bad.example/b.png", dead)
        harness.server.finish(harness.server.jobs[0])
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert failed.fault is FaultKind.NO_PICTURES
        assert harness.storage_gate.is_closed_for("skillboss")


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
                (await harness.image_service.local_file(stored[0])).unlink()
            return stored[-1]

        harness.image_service.store_url = store_and_lose  # type: ignore[method-assign]
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(job.id, State.DONE, step=1)
        assert len(stored) == 2
        assert (await harness.image_service.local_file(stored[1])).is_file()


async def test_low_disk_refuses_new_jobs_and_finishes_running_ones(sqlite_database: Database, tmp_path: Path) -> None:
    # Half of the free space is kept for images that are paid for.
    free = [GIGABYTE]
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.image_service.space = DiskSpace([tmp_path], min_free=GIGABYTE // 2, free=lambda _: free[0])
        running, queued = [await harness.create_job() for _ in range(2)]
        await harness.wait_for(lambda: len(harness.server.jobs) == 2, step=1)
        free[0] = GIGABYTE // 2 - 1
        with structlog.testing.capture_logs() as logs:
            with pytest.raises(StorageFullError) as refusal:
                await harness.create_job()
            await harness.run_rounds(step=1)
        assert not refusal.value.own
        assert [entry["fault"] for entry in logs if entry["event"] == "storage.closed"] == [StorageFault.DISK_FULL]
        harness.server.finish(harness.server.jobs[0])
        harness.server.finish(harness.server.jobs[1])
        for job in (running, queued):
            await harness.wait_for_state(job.id, State.DONE, step=1)
        assert await harness.run_audit() == []
        free[0] = GIGABYTE
        await harness.wait_for(lambda: not harness.storage_gate.faults, step=1)
        await harness.create_job()
        await harness.wait_for(lambda: harness.count_submits() == 3, step=1)


async def test_paid_image_waits_while_disk_is_almost_full(sqlite_database: Database, tmp_path: Path) -> None:
    # The database must not meet a full disk because of it.
    free = [GIGABYTE]
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.image_service.space = DiskSpace([tmp_path], min_free=GIGABYTE // 2, free=lambda _: free[0])
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        free[0] = GIGABYTE // 4
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for_state(job.id, State.STORING, step=1)
        await harness.run_rounds(step=5)
        assert list((tmp_path / "pictures").rglob("*.png")) == []
        free[0] = GIGABYTE
        await harness.wait_for_state(job.id, State.DONE, step=5)


async def test_paid_image_without_space_for_long_fails_by_storage_and_comes_later(
    sqlite_database: Database, tmp_path: Path
) -> None:
    free = [GIGABYTE]
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.image_service.space = DiskSpace([tmp_path], min_free=GIGABYTE // 2, free=lambda _: free[0])
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED, step=1)
        free[0] = 0
        harness.server.finish(harness.server.jobs[0])
        failed = await harness.wait_for_state(job.id, State.FAILED, step=60)
        assert (failed.fault, failed.charged) == (FaultKind.STORAGE, 0)
        free[0] = GIGABYTE
        await harness.run_rounds(step=60)
        assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1
        assert await harness.run_audit() == []


async def test_all_images_together_are_limited(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        harness.image_service.space = DiskSpace([], total=1000)
        await harness.create_job()
        await harness.wait_for(lambda: harness.server.jobs, step=1)
        harness.server.finish(harness.server.jobs[0])
        await harness.wait_for(lambda: harness.storage_gate.shortage, step=1)
        with pytest.raises(StorageFullError):
            await harness.create_job()
        await harness.wait_for(lambda: harness.storage_gate.faults == (StorageFault.LIMIT_REACHED,), step=1)
        harness.image_service.space.set_stored(0)
        await harness.create_job()


async def test_input_without_room_stops_no_other_job(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        harness.image_service.space = DiskSpace([], total=100_000)
        url = image_host.put("large.png", png_of(Image.effect_noise((700, 700), 90)))
        with structlog.testing.capture_logs() as logs:
            large = await harness.create_job(request=edit_request(url))
            await harness.wait_for(lambda: any(entry["event"] == "input.not_stored" for entry in logs), step=1)
        assert harness.storage_gate.faults == ()
        await harness.create_job()
        await harness.wait_for(lambda: harness.server.jobs, step=1)
        assert (await harness.read_job(large.id)).state is State.HELD
        assert (await harness.wait_for_state(large.id, State.FAILED, step=10)).fault is FaultKind.STORAGE


async def test_members_images_are_limited(sqlite_database: Database, tmp_path: Path) -> None:
    # Others go on, and so does the member after a deletion.
    async with engine_harness(sqlite_database, tmp_path, config=EngineConfig(member_megabytes=1)) as harness:
        big = ImageFile(sha256="a" * 64, media_type="image/png", width=64, height=64, size=1_000_000)
        done = make_job(state=State.DONE, finished_at=START, delivered_at=START)
        image = ResultImage(job_id=done.id, position=0, file=big)
        await sqlite_database.write(adding(done))
        await sqlite_database.write(lambda connection: ResultImageRepository(connection).add_all([image], START))
        with pytest.raises(StorageFullError) as refusal:
            await harness.create_job()
        assert (refusal.value.own, refusal.value.limit) == (True, 1)
        await harness.create_job(place=make_context(member_id=MEMBER + 1))
        with pytest.raises(StorageFullError):
            await harness.create_job()
        await sqlite_database.write(lambda connection: ResultImageRepository(connection).remove_for(done.id, START))
        await harness.create_job()


async def test_simultaneous_inputs_cannot_exceed_members_limit(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # Bytes are reserved before a download, so three jobs at a time are counted together.
    noise = [Image.effect_noise((700, 700), 90 + number) for number in range(3)]
    config = EngineConfig(member_megabytes=1)
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, config=config) as harness:
        image_host.gate.clear()
        urls = [image_host.put(f"{number}.png", png_of(image)) for number, image in enumerate(noise)]
        sizes = [len(image_host.files[f"{number}.png"]) for number in range(3)]
        assert all(350_000 < size < 500_000 for size in sizes), sizes
        jobs = [await harness.create_job(request=edit_request(url)) for url in urls]
        await harness.wait_for(lambda: len(image_host.taken) == 3)
        image_host.gate.set()
        await harness.run_rounds(step=1)
        states = [await harness.read_job(job.id) for job in jobs]
        failed = [job for job in states if job.state is State.FAILED]
        assert [job.fault for job in failed] == [FaultKind.QUOTA]
        stored = sum(file.stat().st_size for file in (tmp_path / "pictures").rglob("*.png"))
        assert stored <= 1_000_000


def png_of(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
