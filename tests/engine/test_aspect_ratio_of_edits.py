"""An edit has the aspect ratio of its displayed input image."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bot.domain.errors import StaleJobError
from bot.domain.images import ImageFile
from bot.domain.jobs import Job, State
from bot.domain.requests import GenerationRequest
from bot.images.decoder_values import SanitizedImage
from db.database import Database
from db.job_owners import JobOwnerRepository
from db.pictures import ResultImageRepository
from sandbox.providers import Reve2ImgServer
from sandbox.providers.sizes import pixels
from tests.engine.edit_requests import edit_harness, edit_request, serving_edit_harness
from tests.engine.engine_harness import EngineHarness
from tests.support.factories import make_context, make_id
from tests.support.image_server import ImageServer, drawn, lying

UPRIGHT = ImageFile(sha256="0" * 64, media_type="image/png", width=64, height=96, size=9)


async def finish_edit(
    harness: EngineHarness, reve2img: Reve2ImgServer, request: GenerationRequest
) -> tuple[Job, tuple[int, int]]:
    """Return the finished job and the sides of its image."""
    job = await harness.create_job(request=request)
    await harness.wait_for_state(job.id, State.RUNNING)
    await reve2img.finish_and_wait()
    done = await harness.wait_for_state(job.id, State.DONE, step=1)
    assert (done.price, done.charged, await harness.run_audit()) == (20, 20, [])
    (picture,) = await harness.database.read(lambda connection: ResultImageRepository(connection).list_for(job.id))
    with Image.open(await harness.image_service.local_file(picture.file)) as image:
        return done, image.size


@pytest.mark.parametrize("said", ["3:2", "2:3"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
async def test_edit_of_rotated_photo_has_displayed_aspect_ratio(
    sqlite_database: Database,
    tmp_path: Path,
    image_host: ImageServer,
    reve2img: Reve2ImgServer,
    orientation: int,
    said: str,
) -> None:
    # Discord may report the sides of the pixels or the displayed sides.
    async with serving_edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        url = image_host.put("a.jpg", lying(drawn(), orientation))
        done, size = await finish_edit(harness, reve2img, edit_request(url, aspect_ratio=said, keep_aspect_ratio=True))
    assert (done.request.aspect_ratio, reve2img.jobs[-1].submit_body["aspect_ratio"]) == ("2:3", "2:3")
    assert size == pixels("2:3")


@pytest.mark.parametrize("ratio", ["16:9", "auto"])
async def test_chosen_aspect_ratio_of_edit_is_kept(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer, ratio: str
) -> None:
    # A choice left to the provider is kept too.
    async with serving_edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        url = image_host.put("a.jpg", lying(drawn(), 6))
        done, size = await finish_edit(harness, reve2img, edit_request(url, aspect_ratio=ratio))
    assert (done.request.aspect_ratio, reve2img.jobs[-1].submit_body["aspect_ratio"]) == (ratio, ratio)
    assert size == pixels(ratio, auto=2 / 3)


async def test_edit_of_several_images_has_aspect_ratio_of_first(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # The first image is edited, the others are references. Discord's sides are wrong here.
    async with serving_edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        urls = image_host.put("a.png", drawn(size=(64, 64))), image_host.put("b.png", drawn(size=(64, 96)))
        done, size = await finish_edit(
            harness, reve2img, edit_request(*urls, aspect_ratio="16:9", keep_aspect_ratio=True)
        )
    assert (done.request.aspect_ratio, size) == ("1:1", pixels("1:1"))


async def test_late_worker_does_not_change_aspect_ratio(
    database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    # The ratio is written with the files or not at all; other options stay.
    async with edit_harness(database, tmp_path, image_host, reve2img, start=False) as harness:
        request = edit_request(
            image_host.put("a.png", drawn()), aspect_ratio="3:2", images=2, effect="sepia", keep_aspect_ratio=True
        )
        job = (await harness.job_service.create(make_context(), request)).job
        await database.write(lambda connection: JobOwnerRepository(connection).take_over(make_id(), 9))
        with pytest.raises(StaleJobError):
            await harness.input_store.mark_prepared(job, {0: SanitizedImage(file=UPRIGHT)})
        assert (await harness.read_job(job.id)).request == request

        kept = SanitizedImage(file=UPRIGHT)
        prepared = await harness.input_store.mark_prepared(await harness.read_job(job.id), {0: kept})
        stored = await harness.read_job(job.id)
        inputs = (replace(request.inputs[0], file=UPRIGHT),)
        assert prepared == stored
        assert stored.request == replace(request, aspect_ratio="2:3", inputs=inputs)
        assert (stored.prepared, stored.price) == (True, job.price)
