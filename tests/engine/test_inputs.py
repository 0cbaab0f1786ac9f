"""Input images: downloaded after the card, checked, stored and served."""

import asyncio
import hashlib
import itertools
import os
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Connection, select

from bot.domain.errors import FaultKind, InputError, InputProblem, StaleJobError
from bot.domain.images import ImageFile, InputChange, InputImage
from bot.domain.jobs import InteractionContext, Job, State
from bot.engine.callback_urls import hash_token
from bot.engine.config import EngineConfig
from bot.engine.input_publisher import PublishError
from bot.engine.maintenance import Maintenance
from bot.images.store_faults import PictureStoreError, StoreProblem
from bot.services.served_files import ServedFileService
from db.database import Database
from db.job_owners import JobOwnerRepository
from db.tables import accounts, inputs
from sandbox.providers import Reve2ImgServer, derives_from
from tests.engine.edit_requests import edit_harness, edit_request, publisher_of, serving_edit_harness
from tests.engine.engine_harness import EngineHarness
from tests.support.clock import ManualClock
from tests.support.factories import make_context, make_id, make_image_file, make_request
from tests.support.image_server import ImageServer, a_photo, animated, bomb, drawn


async def read_held(harness: EngineHarness) -> int:
    """Return the number of held credits."""
    return await harness.database.read(lambda connection: connection.execute(select(accounts.c.held)).scalar() or 0)


async def read_inputs(harness: EngineHarness) -> list[bytes]:
    """Return the files of all stored inputs, by job and position."""

    def read(connection: Connection) -> list[ImageFile]:
        rows = connection.execute(select(inputs).order_by(inputs.c.job_id, inputs.c.position))
        return [make_image_file(sha256=row.sha256, media_type=row.media_type) for row in rows if row.sha256]

    return [await harness.image_service.read(each) for each in await harness.database.read(read)]


async def test_input_is_downloaded_after_card_and_before_queue(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # Nothing is downloaded for a job whose card may never appear.
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        request = edit_request(image_host.put("a.png", drawn()))
        job = (await harness.job_service.create(context_of(1), request)).job
        await harness.run_rounds()
        assert (image_host.taken, job.prepared, await read_held(harness)) == ([], False, 20)

        await harness.job_service.mark_acknowledged(job.id, 1)
        at_provider = await harness.wait_for_state(job.id, State.RUNNING)

        assert at_provider.prepared
        assert image_host.taken == ["a.png"]
        assert await read_inputs(harness) == [drawn()]


async def test_input_url_works_until_job_has_ended(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # Each submit has a new URL, and only its hash is stored.
    photo = a_photo()
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public="http://127.0.0.1:1") as harness:
        job = await harness.create_job(request=edit_request(image_host.put("cat.png", photo)))
        await harness.wait_for_state(job.id, State.RUNNING)
        (asked,) = [each for each in reve2img.requests if each.method == "POST"]
        (url,) = reve2img.jobs[-1].submit_body["image_urls"]
        token = url.rpartition("/")[2]
        stored = await harness.database.read(
            lambda connection: connection.execute(select(inputs.c.token_hash)).scalar()
        )
        assert (stored, len(token)) == (hash_token(token), 43)
        assert asked is not None

        service = ServedFileService(database=sqlite_database, image_service=harness.image_service)
        served = await service.find(token)
        assert served is not None
        assert (await service.local_file(served)).read_bytes() == (await read_inputs(harness))[0]
        reve2img.store.fail(reve2img.jobs[-1], "no")
        await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert await service.find(token) is None


async def test_edit_returns_image_of_members_photo(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # From the member's photo through our own URL to the finished image.
    photo = a_photo("rocket.jpg")
    async with serving_edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        job = await harness.create_job(request=edit_request(image_host.put("rocket.jpg", photo), aspect_ratio="auto"))
        await harness.wait_for_state(job.id, State.RUNNING)
        made = await reve2img.finish_and_wait()
        assert [each.sha256 for each in made.inputs] == [hashlib.sha256((await read_inputs(harness))[0]).hexdigest()]
        done = await harness.wait_for_state(job.id, State.DONE, step=1)
        assert (done.charged, await read_held(harness), await harness.run_audit()) == (20, 0, [])
        (file,) = [each for each in (tmp_path / "pictures").rglob("*.png") if derives_from(each.read_bytes(), photo)]
        assert file.is_file()


async def test_provider_gets_published_copy_without_public_url(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # Never the original, which names the place; nor after it has expired.
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "51.5007 N"
    original = drawn("JPEG", exif=exif)
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None) as harness:
        url = image_host.put("a.jpg", original)
        job = await harness.create_job(request=edit_request(url))
        running = await harness.wait_for_state(job.id, State.RUNNING)
        (given,) = reve2img.jobs[-1].submit_body["image_urls"]
        assert given == running.request.inputs[0].provider_url
        assert given != url
        (made,) = (await reve2img.finish_and_wait()).inputs
        (kept,) = await read_inputs(harness)
        assert made.sha256 == hashlib.sha256(kept).hexdigest() != hashlib.sha256(original).hexdigest()
        assert image_host.taken.count("a.jpg") == 1


async def test_stored_result_is_published_without_public_url(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # An input from the store needs no download, and no address of the original.
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None) as harness:
        first = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        running = await harness.wait_for_state(first.id, State.RUNNING)
        stored = tuple(InputImage(file=each.file) for each in running.request.inputs)
        second = await harness.create_job(request=make_request(inputs=stored))
        assert not second.prepared
        await harness.wait_for_state(second.id, State.RUNNING)
        made = await reve2img.finish_and_wait()
        assert [each.sha256 for each in made.inputs] == [each.file.sha256 for each in stored if each.file]


async def test_unpublishable_input_fails_job_without_charge(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None) as harness:
        publisher = publisher_of(harness)
        publisher.error = PublishError(FaultKind.INPUT_UNPUBLISHED)
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        failed = await harness.wait_for_state(job.id, State.FAILED)
        assert (failed.fault, await read_held(harness)) == (FaultKind.INPUT_UNPUBLISHED, 0)
        assert (publisher.published[job.id], reve2img.jobs) == (1, [])


async def test_publication_is_retried_and_given_up_after_minutes(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None) as harness:
        publisher = publisher_of(harness)
        publisher.error = PublishError()
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        await harness.wait_for(lambda: publisher.published[job.id] == 3, step=1)
        assert not (await harness.read_job(job.id)).prepared
        publisher.error = None
        await harness.wait_for_state(job.id, State.RUNNING, step=1)
        assert publisher.published[job.id] == 4

        publisher.error = PublishError()
        job = await harness.create_job(request=edit_request(image_host.put("b.png", drawn())))
        failed = await harness.wait_for_state(job.id, State.FAILED, step=10)
        assert (failed.fault, await read_held(harness)) == (FaultKind.INPUT_UNPUBLISHED, 20)
        assert (harness.clock.now() - job.created_at).total_seconds() == pytest.approx(600, abs=60)


async def test_publication_waits_as_long_as_discord_asks(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None) as harness:
        publisher = publisher_of(harness)
        publisher.error = PublishError(retry_after=1200)
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        await harness.wait_for(lambda: publisher.published[job.id] == 1)
        publisher.error, limited = None, harness.clock.now()
        await harness.wait_for_state(job.id, State.RUNNING, step=10)
        assert publisher.published[job.id] == 2
        assert (harness.clock.now() - limited).total_seconds() >= 1200


async def test_publication_that_expires_in_queue_is_repeated(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    config = EngineConfig(active_per_member=1)
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None, config=config) as harness:
        publisher = publisher_of(harness)
        first = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        await harness.wait_for_state(first.id, State.RUNNING)
        publisher.hours = 0.5
        second = await harness.create_job(request=edit_request(image_host.put("b.png", drawn())))
        await harness.wait_for(lambda: publisher.published[second.id] == 1)
        publisher.hours = 24
        await harness.wait_for(lambda: publisher.published[second.id] == 2, step=60)
        reve2img.finish()
        await harness.wait_for_state(second.id, State.RUNNING, step=1)
        assert len(reve2img.jobs) == 2
        assert reve2img.jobs[-1].submit_body["image_urls"] == [
            (await harness.read_job(second.id)).request.inputs[0].provider_url
        ]


async def test_publication_that_would_expire_at_once_fails_job(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None) as harness:
        publisher_of(harness).hours = 0.1
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        assert (await harness.wait_for_state(job.id, State.FAILED)).fault is FaultKind.INPUT_UNPUBLISHED


@pytest.mark.parametrize("recorded", [False, True])
async def test_crash_around_publication_submits_once(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    reve2img: Reve2ImgServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    recorded: bool,
) -> None:
    # The process dies after Discord took the copy: before or after the database knows its address.
    clock = ManualClock()
    request = edit_request(image_host.put("a.png", drawn()))
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None, clock=clock) as harness:

        async def crash(*_: object) -> None:
            raise RuntimeError("killed")

        if recorded:
            monkeypatch.setattr(harness.job_store, "claim_batch", crash)
        else:
            monkeypatch.setattr(harness.input_store, "mark_published", crash)
        job = await harness.create_job(request=request)
        await harness.wait_for(lambda: publisher_of(harness).published[job.id] == 1)
        await harness.settle()
        assert reve2img.jobs == []
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None, clock=clock) as harness:
        running = await harness.wait_for_state(job.id, State.RUNNING, step=1)
        assert publisher_of(harness).published[job.id] == (0 if recorded else 1)
        assert len(reve2img.jobs) == 1
        assert reve2img.jobs[0].submit_body["image_urls"] == [running.request.inputs[0].provider_url]


async def test_expired_input_url_is_refused_before_hold(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, public=None) as harness:
        url = image_host.put("a.png", drawn(), until=harness.clock.now() - timedelta(hours=1))
        with pytest.raises(InputError) as refusal:
            await harness.job_service.create(context_of(1), edit_request(url))
        assert refusal.value.problem is InputProblem.EXPIRED
        assert (await read_held(harness), image_host.taken) == (0, [])


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
async def test_first_frame_of_animation_becomes_png(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer, file_format: str
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        job = await harness.create_job(request=edit_request(image_host.put("a", animated(file_format))))
        running = await harness.wait_for_state(job.id, State.RUNNING)
        (file,) = await read_inputs(harness)
        assert [each.changes for each in running.request.inputs] == [{InputChange.FIRST_FRAME}]
    with Image.open(BytesIO(file)) as image:
        assert (image.format, image.size, getattr(image, "n_frames", 1)) == ("PNG", (48, 32), 1)
        red, green, blue = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert red > 200
    assert max(green, blue) < 60


async def test_stored_input_is_upright_and_has_no_metadata(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8825)[1] = "N"
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        job = await harness.create_job(
            request=edit_request(image_host.put("a.jpg", drawn("JPEG", (96, 64), exif=exif)))
        )
        await harness.wait_for_state(job.id, State.RUNNING)
        (file,) = await read_inputs(harness)
    assert b"a maker" not in file
    with Image.open(BytesIO(file)) as image:
        assert (image.size, dict(image.getexif())) == ((64, 96), {})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"%PDF-1.7 not a picture", FaultKind.INPUT_UNUSABLE),
        (b"", FaultKind.INPUT_UNUSABLE),
        (bomb, FaultKind.INPUT_TOO_LARGE),
        (bytes(20 * 1024 * 1024 + 1), FaultKind.INPUT_TOO_LARGE),
        (drawn(size=(1, 1)), FaultKind.INPUT_TOO_SMALL),
        (drawn()[:-30], FaultKind.INPUT_BROKEN),
    ],
    ids=["pdf", "empty", "bomb", "heavy", "tiny", "cut-off"],
)
async def test_unusable_input_fails_job_without_charge(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    reve2img: Reve2ImgServer,
    content: bytes | Callable[[], bytes],
    fault: FaultKind,
) -> None:
    # The attachment's name and metadata do not matter.
    data = content() if callable(content) else content
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        job = await harness.create_job(request=edit_request(image_host.put("a.png", data)))
        failed = await harness.wait_for_state(job.id, State.FAILED, step=0.5)
        assert (failed.fault, failed.charged, await read_held(harness), await harness.run_audit()) == (fault, 0, 0, [])
        assert (reve2img.jobs, await read_inputs(harness)) == ([], [])


@pytest.mark.parametrize("status", [404, 403])
async def test_missing_input_fails_job_at_once(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer, status: int
) -> None:
    # Its message was deleted, or its URL expired.
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        image_host.statuses["b.png"] = status
        urls = image_host.put("a.png", drawn()), image_host.put("b.png", drawn())
        job = await harness.create_job(request=edit_request(*urls))
        failed = await harness.wait_for_state(job.id, State.FAILED)
        again = await harness.read_job(job.id)
        assert (failed.fault, await read_held(harness)) == (FaultKind.INPUT_GONE, 0)
        assert [each.file is not None for each in again.request.inputs] == [True, False]


async def test_input_download_is_retried_after_server_errors(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # Inputs downloaded meanwhile are not downloaded again.
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        image_host.statuses["b.png"] = 503
        job = await harness.create_job(
            request=edit_request(image_host.put("a.png", drawn()), image_host.put("b.png", drawn("JPEG")))
        )
        await harness.wait_for(lambda: image_host.taken.count("b.png") >= 3, step=1)
        del image_host.statuses["b.png"]
        await harness.wait_for_state(job.id, State.RUNNING, step=1)
        assert image_host.taken.count("a.png") == 1


async def test_unreachable_input_fails_job_after_two_minutes(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        image_host.statuses["a.png"] = 503
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        failed = await harness.wait_for_state(job.id, State.FAILED, step=0.25)
        assert failed.fault is FaultKind.INPUT_UNREACHABLE
        assert 120 <= (harness.clock.now() - job.created_at).total_seconds() <= 200
        assert len(image_host.taken) <= 12


async def test_cancel_interrupts_input_download(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        image_host.gate.clear()
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        await harness.wait_for(lambda: image_host.taken)
        await harness.cancel(job.id)
        await harness.wait_for_state(job.id, State.CANCELLED)
        assert await read_held(harness) == 0


async def test_cancelled_download_leaves_no_file(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # One input is stored when the job is cancelled, and no row refers to it.
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        image_host.statuses["b.png"] = 503
        urls = image_host.put("a.png", drawn()), image_host.put("b.png", drawn("PNG", (70, 70)))
        job = await harness.create_job(request=edit_request(*urls))
        await harness.wait_for(lambda: list((tmp_path / "pictures").rglob("*.png")))
        await harness.cancel(job.id)
        await harness.wait_for_state(job.id, State.CANCELLED, step=1)
        (file,) = (tmp_path / "pictures").rglob("*.png")
        os.utime(file, (0, 0))
        await maintenance_of(harness).remove_unused_images()
        assert list((tmp_path / "pictures").rglob("*.png")) == []


async def test_files_of_unusable_request_go_within_minutes(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # Three good files and a broken one.
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        good = [image_host.put(f"{side}.png", drawn("PNG", (side, side))) for side in (70, 80, 90)]
        job = await harness.create_job(request=edit_request(*good, image_host.put("bad.png", b"no picture")))
        await harness.wait_for_state(job.id, State.FAILED)
        stored = list((tmp_path / "pictures").rglob("*.png"))
        assert len(stored) == 3
        for file in stored:
            os.utime(file, (0, 0))
        housekeeping = maintenance_of(harness)
        await housekeeping.remove_unused_images()
        assert len(await read_inputs(harness)) == 3
        harness.clock.advance(601)
        await housekeeping.remove_unused_images()
        assert list((tmp_path / "pictures").rglob("*.png")) == []


def maintenance_of(harness: EngineHarness) -> Maintenance:
    """Return the maintenance of a harness's images."""
    return Maintenance(
        database=harness.database,
        image_service=harness.image_service,
        clock=harness.clock,
        retention=timedelta(days=30),
    )


async def test_crash_between_file_and_row_downloads_input_again(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    reve2img: Reve2ImgServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One file is stored in the end.
    url = image_host.put("a.png", drawn())
    clock = ManualClock()
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, clock=clock) as harness:
        crashed = asyncio.Event()

        async def crash(*_: object, **__: object) -> Job:
            crashed.set()
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(harness.input_store, "mark_prepared", crash)
        job = await harness.create_job(request=edit_request(url))
        await asyncio.wait_for(crashed.wait(), 60)
        monkeypatch.setattr("bot.engine.engine._GRACE_SECONDS", 0.0)
        assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1
        assert not (await harness.read_job(job.id)).prepared
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img, clock=clock) as harness:
        await harness.wait_for_state(job.id, State.RUNNING)
        assert image_host.taken == ["a.png", "a.png"]
        assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1
        assert len(reve2img.jobs) == 1


async def test_late_worker_cannot_mark_job_prepared(
    database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # Another worker has taken the job: the fence rejects the write.
    async with edit_harness(database, tmp_path, image_host, reve2img, start=False) as harness:
        request = edit_request(image_host.put("a.png", drawn()))
        job = (await harness.job_service.create(context_of(1), request)).job
        await database.write(lambda connection: JobOwnerRepository(connection).take_over(make_id(), 9))
        taken = await harness.read_job(job.id)
        assert taken.fence > job.fence
        stored = await harness.image_service.store_input(request.inputs[0].url or "", member=1)
        with pytest.raises(StaleJobError):
            await harness.input_store.mark_prepared(job, {0: stored})
        with pytest.raises(StaleJobError):
            await harness.input_store.mark_inputs_failed(job, FaultKind.INPUT_GONE, {})
        again = await harness.read_job(job.id)
        assert (again.prepared, again.state, again.request.inputs[0].file) == (False, State.HELD, None)
        await harness.input_store.mark_prepared(taken, {0: stored})
        assert (await harness.read_job(job.id)).prepared


async def test_more_jobs_than_concurrent_downloads_are_all_prepared(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        url = image_host.put("a.png", drawn())
        numbers = itertools.count(1)
        made = [await harness.create_job(place=context_of(next(numbers)), request=edit_request(url)) for _ in range(40)]
        for job in made:
            await harness.wait_for_state(job.id, State.RUNNING, step=0.2)


def context_of(member: int) -> InteractionContext:
    """Return an interaction of a new member."""
    return make_context(member_id=member)


async def test_input_file_deleted_with_another_job_is_downloaded_again(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # While a second input is awaited, no row refers to the first: deleting the same image removes its file.
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        first, second = image_host.put("a.png", drawn()), image_host.put("b.png", drawn(size=(64, 64)))
        image_host.statuses["b.png"] = 503
        job = await harness.create_job(request=edit_request(first, second))
        await harness.wait_for(lambda: "b.png" in image_host.taken)
        await harness.wait_until_idle()
        (stored,) = [file async for page in harness.image_service.files() for file in page]
        later = stored.modified + timedelta(minutes=2)
        assert await harness.image_service.discard(stored.sha256, stored.media_type, older_than=later)

        del image_host.statuses["b.png"]
        await harness.wait_for_state(job.id, State.RUNNING, step=1)
        assert await read_inputs(harness) == [drawn(), drawn(size=(64, 64))]


async def test_input_is_kept_again_after_the_store_failed(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        keep, failures = harness.image_service.keep, [PictureStoreError(StoreProblem.SERVER)]

        async def fail_once(image_file: ImageFile) -> bool:
            if failures:
                raise failures.pop()
            return await keep(image_file)

        harness.image_service.keep = fail_once  # type: ignore[method-assign]
        job = await harness.create_job(request=edit_request(image_host.put("a.png", drawn())))
        await harness.wait_for_state(job.id, State.RUNNING, step=1)
        assert failures == []
        assert await read_inputs(harness) == [drawn()]
