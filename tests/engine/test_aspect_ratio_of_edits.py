"""An edit has the form of its picture as a person sees it, whatever Discord said of its sides."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bot.domain.errors import StaleJobError
from bot.domain.images import ImageFile
from bot.domain.jobs import Job, State
from bot.domain.requests import GenerationRequest
from db.database import Database
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from sandbox.providers import Reve2ImgServer
from sandbox.providers.sizes import pixels
from tests.engine.edit_requests import editing, editing_of, reachable
from tests.engine.engine_harness import EngineHarness
from tests.support.factories import make_context, make_id
from tests.support.image_server import ImageServer, drawn, lying

UPRIGHT = ImageFile(sha256="0" * 64, media_type="image/png", width=64, height=96, size=9)


async def made(
    harness: EngineHarness, reve2img: Reve2ImgServer, request: GenerationRequest
) -> tuple[Job, tuple[int, int]]:
    """Have the picture made; return its job as it is stored then, and the picture's sides."""
    job = await harness.asked(request=request)
    await harness.until(job.id, State.RUNNING)
    await reve2img.finish_and_wait()
    done = await harness.until(job.id, State.DONE, step=1)
    assert (done.price, done.charged, await harness.problems()) == (20, 20, [])
    (picture,) = await harness.database.read(lambda connection: ResultImageRepository(connection).list_for(job.id))
    with Image.open(harness.image_service.path(picture.file.sha256, picture.file.media_type)) as image:
        return done, image.size


@pytest.mark.parametrize("said", ["3:2", "2:3"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
async def test_a_photo_that_lies_is_edited_upright(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer, orientation: int, said: str
) -> None:
    """Discord may say the sides of its pixels or those that are seen; what is made stands as the photo is seen."""
    async with reachable(sqlite_database, tmp_path, shelf, reve2img) as harness:
        url = shelf.put("a.jpg", lying(drawn(), orientation))
        done, size = await made(harness, reve2img, editing_of(url, aspect_ratio=said, keep_aspect_ratio=True))
    assert (done.request.aspect_ratio, reve2img.jobs[-1].submit_body["aspect_ratio"]) == ("2:3", "2:3")
    assert size == pixels("2:3")


@pytest.mark.parametrize("ratio", ["16:9", "auto"])
async def test_a_chosen_ratio_is_left_alone(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer, ratio: str
) -> None:
    """It is what its member wants, also where the provider is to choose."""
    async with reachable(sqlite_database, tmp_path, shelf, reve2img) as harness:
        url = shelf.put("a.jpg", lying(drawn(), 6))
        done, size = await made(harness, reve2img, editing_of(url, aspect_ratio=ratio))
    assert (done.request.aspect_ratio, reve2img.jobs[-1].submit_body["aspect_ratio"]) == (ratio, ratio)
    assert size == pixels(ratio, auto=2 / 3)


async def test_the_first_of_several_pictures_counts(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """It is the one that is changed; the others are only to go by. What Discord said of its sides was wrong."""
    async with reachable(sqlite_database, tmp_path, shelf, reve2img) as harness:
        urls = shelf.put("a.png", drawn(size=(64, 64))), shelf.put("b.png", drawn(size=(64, 96)))
        done, size = await made(harness, reve2img, editing_of(*urls, aspect_ratio="16:9", keep_aspect_ratio=True))
    assert (done.request.aspect_ratio, size) == ("1:1", pixels("1:1"))


async def test_whoever_was_overtaken_changes_no_ratio(
    database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """The ratio is written with the files, or not at all; the rest of what was asked for stays."""
    async with editing(database, tmp_path, shelf, reve2img, start=False) as harness:
        url = shelf.put("a.png", drawn())
        request = editing_of(url, aspect_ratio="3:2", images=2, effect="sepia", keep_aspect_ratio=True)
        job = (await harness.generation.create(make_context(), request)).job
        await database.write(lambda connection: JobRepository(connection).take_over(make_id(), 9))
        with pytest.raises(StaleJobError):
            await harness.job_store.mark_prepared(job, {0: UPRIGHT})
        assert (await harness.job(job.id)).request == request

        prepared = await harness.job_store.mark_prepared(await harness.job(job.id), {0: UPRIGHT})
        stored = await harness.job(job.id)
        inputs = (replace(request.inputs[0], file=UPRIGHT),)
        assert prepared == stored
        assert stored.request == replace(request, aspect_ratio="2:3", inputs=inputs)
        assert (stored.prepared, stored.price) == (True, job.price)
