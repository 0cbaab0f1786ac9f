"""Pictures that jobs start from: fetched after the card is there, checked, stored and given to the provider."""

import asyncio
import hashlib
import itertools
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Connection, select

from bot.domain.errors import FaultKind, InputError, InputProblem, StaleJobError
from bot.domain.jobs import InteractionContext, Job, State
from bot.engine.callback_urls import hash_of
from bot.services.served_files import ServedFileService
from db.database import Database
from db.jobs import JobRepository
from db.tables import accounts, inputs
from sandbox.providers import Reve2ImgServer, derives_from
from tests.engine.edit_requests import editing, editing_of, reachable
from tests.engine.engine_harness import EngineHarness
from tests.support.clock import ManualClock
from tests.support.factories import make_context, make_id
from tests.support.image_server import ImageServer, a_photo, animated, bomb, drawn


async def held(harness: EngineHarness) -> int:
    """Return how many credits are held."""
    return await harness.database.read(lambda connection: connection.execute(select(accounts.c.held)).scalar() or 0)


async def kept(harness: EngineHarness) -> list[bytes]:
    """Return the files of all inputs that are stored, by job and position."""

    def read(connection: Connection) -> list[tuple[str, str]]:
        rows = connection.execute(select(inputs).order_by(inputs.c.job_id, inputs.c.position))
        return [(row.sha256, row.media_type) for row in rows if row.sha256]

    return [harness.image_service.path(*each).read_bytes() for each in await harness.database.read(read)]


async def test_a_picture_is_fetched_after_the_card_and_before_the_line(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """Nothing is fetched for a job whose card may never appear; then the picture is stored, and its turn comes."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        request = editing_of(shelf.put("a.png", drawn()))
        job = (await harness.generation.create(a_place_of(1), request)).job
        await harness.quiet()
        assert (shelf.taken, job.prepared, await held(harness)) == ([], False, 20)

        await harness.generation.mark_acknowledged(job.id, 1)
        at_provider = await harness.until(job.id, State.RUNNING)

        assert at_provider.prepared
        assert shelf.taken == ["a.png"]
        assert await kept(harness) == [drawn()]


async def test_the_provider_fetches_it_from_us_until_the_job_has_ended(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """Its address is new with each submit, only its hash is stored, and it is dead afterwards."""
    photo = a_photo()
    async with editing(sqlite_database, tmp_path, shelf, reve2img, public="http://127.0.0.1:1") as harness:
        job = await harness.asked(request=editing_of(shelf.put("cat.png", photo)))
        await harness.until(job.id, State.RUNNING)
        (asked,) = [each for each in reve2img.requests if each.method == "POST"]
        (url,) = reve2img.jobs[-1].submit_body["image_urls"]
        token = url.rpartition("/")[2]
        stored = await harness.database.read(
            lambda connection: connection.execute(select(inputs.c.token_hash)).scalar()
        )
        assert (stored, len(token)) == (hash_of(token), 43)
        assert asked is not None

        service = ServedFileService(database=sqlite_database, image_service=harness.image_service)
        served = await service.find(token)
        assert served is not None
        assert served.path.read_bytes() == (await kept(harness))[0]
        reve2img.store.fail(reve2img.jobs[-1], "no")
        await harness.until(job.id, State.FAILED, step=1)
        assert await service.find(token) is None


async def test_a_whole_edit(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """From the member's photo through our own address to a finished picture that shows that photo."""
    photo = a_photo("rocket.jpg")
    async with reachable(sqlite_database, tmp_path, shelf, reve2img) as harness:
        job = await harness.asked(request=editing_of(shelf.put("rocket.jpg", photo), aspect_ratio="auto"))
        await harness.until(job.id, State.RUNNING)
        made = await reve2img.finish_and_wait()
        assert [each.sha256 for each in made.inputs] == [hashlib.sha256((await kept(harness))[0]).hexdigest()]
        done = await harness.until(job.id, State.DONE, step=1)
        assert (done.charged, await held(harness), await harness.problems()) == (20, 0, [])
        (file,) = [each for each in (tmp_path / "pictures").rglob("*.png") if derives_from(each.read_bytes(), photo)]
        assert file.is_file()


async def test_without_an_address_of_ours_the_signed_one_is_given(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """The provider fetches the attachment itself, which was checked all the same."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img, public=None) as harness:
        url = shelf.put("a.png", drawn())
        job = await harness.asked(request=editing_of(url))
        await harness.until(job.id, State.RUNNING)
        assert reve2img.jobs[-1].submit_body["image_urls"] == [url]
        assert await kept(harness) == [drawn()]


@pytest.mark.parametrize(
    ("hours", "name", "problem"),
    [
        (1, "a.png", InputProblem.SHORT_LIVED),
        (-1, "a.png", InputProblem.EXPIRED),
        (24, "a.gif", InputProblem.ANIMATED),
    ],
)
async def test_what_no_provider_could_fetch_is_refused_before_anything_is_held(
    sqlite_database: Database,
    tmp_path: Path,
    shelf: ImageServer,
    reve2img: Reve2ImgServer,
    hours: int,
    name: str,
    problem: InputProblem,
) -> None:
    """An address that ends before the job may, or a picture that we would have to change first."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img, public=None) as harness:
        url = shelf.put(name, drawn(), until=harness.clock.now() + timedelta(hours=hours))
        with pytest.raises(InputError) as refusal:
            await harness.generation.create(a_place_of(1), editing_of(url))
        assert refusal.value.problem is problem
        assert (await held(harness), shelf.taken) == (0, [])


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
async def test_of_an_animation_the_first_frame_is_edited(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer, file_format: str
) -> None:
    """It becomes a PNG, which every provider takes."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        job = await harness.asked(request=editing_of(shelf.put("a", animated(file_format))))
        await harness.until(job.id, State.RUNNING)
        (file,) = await kept(harness)
    with Image.open(BytesIO(file)) as image:
        assert (image.format, image.size, getattr(image, "n_frames", 1)) == ("PNG", (48, 32), 1)
        red, green, blue = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert red > 200
    assert max(green, blue) < 60


async def test_an_animation_under_another_name_is_told_where_it_cannot_be_given(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """Without an address of ours the provider would get the animation, so the job fails and costs nothing."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img, public=None) as harness:
        job = await harness.asked(request=editing_of(shelf.put("a.png", animated())))
        failed = await harness.until(job.id, State.FAILED)
        assert (failed.fault, await held(harness)) == (FaultKind.INPUT_UNUSABLE, 0)


async def test_where_a_photo_was_taken_goes_nowhere(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """A phone's photo lies on its side and knows its place: what providers get stands upright and knows nothing."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8825)[1] = "N"
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        job = await harness.asked(request=editing_of(shelf.put("a.jpg", drawn("JPEG", (96, 64), exif=exif))))
        await harness.until(job.id, State.RUNNING)
        (file,) = await kept(harness)
    assert b"a maker" not in file
    with Image.open(BytesIO(file)) as image:
        assert (image.size, dict(image.getexif())) == ((64, 96), {})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"%PDF-1.7 not a picture", FaultKind.INPUT_UNUSABLE),
        (b"", FaultKind.INPUT_UNUSABLE),
        (bomb(), FaultKind.INPUT_TOO_LARGE),
        (bytes(20 * 1024 * 1024 + 1), FaultKind.INPUT_TOO_LARGE),
        (drawn(size=(1, 1)), FaultKind.INPUT_TOO_SMALL),
        (drawn()[:-30], FaultKind.INPUT_UNUSABLE),
    ],
    ids=["pdf", "empty", "bomb", "heavy", "tiny", "cut-off"],
)
async def test_what_is_no_use_ends_the_job_and_costs_nothing(
    sqlite_database: Database,
    tmp_path: Path,
    shelf: ImageServer,
    reve2img: Reve2ImgServer,
    content: bytes,
    fault: FaultKind,
) -> None:
    """Whatever its name and its metadata said."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        job = await harness.asked(request=editing_of(shelf.put("a.png", content)))
        failed = await harness.until(job.id, State.FAILED, step=0.5)
        assert (failed.fault, failed.charged, await held(harness), await harness.problems()) == (fault, 0, 0, [])
        assert (reve2img.jobs, await kept(harness)) == ([], [])


@pytest.mark.parametrize("status", [404, 403])
async def test_a_picture_that_is_gone_is_told_at_once(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer, status: int
) -> None:
    """Its message was deleted, or its address ran out. Of two, the card can tell which."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        shelf.statuses["b.png"] = status
        urls = shelf.put("a.png", drawn()), shelf.put("b.png", drawn())
        job = await harness.asked(request=editing_of(*urls))
        failed = await harness.until(job.id, State.FAILED)
        again = await harness.job(job.id)
        assert (failed.fault, await held(harness)) == (FaultKind.INPUT_GONE, 0)
        assert [each.file is not None for each in again.request.inputs] == [True, False]


async def test_a_hiccup_is_waited_out(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """Discord answers 503 for a while; what had come meanwhile is not fetched again."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        shelf.statuses["b.png"] = 503
        job = await harness.asked(request=editing_of(shelf.put("a.png", drawn()), shelf.put("b.png", drawn("JPEG"))))
        await harness.when(lambda: shelf.taken.count("b.png") >= 3, step=1)
        del shelf.statuses["b.png"]
        await harness.until(job.id, State.RUNNING, step=1)
        assert shelf.taken.count("a.png") == 1


async def test_what_stays_unreachable_fails_after_two_minutes(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """A card that says nothing new for longer is worse than one that says what to do."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        shelf.statuses["a.png"] = 503
        job = await harness.asked(request=editing_of(shelf.put("a.png", drawn())))
        failed = await harness.until(job.id, State.FAILED, step=0.25)
        assert failed.fault is FaultKind.INPUT_UNREACHABLE
        assert 120 <= (harness.clock.now() - job.created_at).total_seconds() <= 200
        assert len(shelf.taken) <= 12


async def test_cancel_works_while_a_picture_is_fetched(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """It does not wait for a server that hangs."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        shelf.gate.clear()
        job = await harness.asked(request=editing_of(shelf.put("a.png", drawn())))
        await harness.when(lambda: shelf.taken)
        await harness.cancel(job.id)
        await harness.until(job.id, State.CANCELLED)
        assert await held(harness) == 0


async def test_a_crash_between_store_and_journal_fetches_again(
    sqlite_database: Database,
    tmp_path: Path,
    shelf: ImageServer,
    reve2img: Reve2ImgServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file lies there, the row knows nothing: the next process does it all once more, and stores one file."""
    url = shelf.put("a.png", drawn())
    clock = ManualClock()
    async with editing(sqlite_database, tmp_path, shelf, reve2img, clock=clock) as harness:
        crashed = asyncio.Event()

        async def crash(*_: object) -> Job:
            crashed.set()
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(harness.job_store, "mark_prepared", crash)
        job = await harness.asked(request=editing_of(url))
        await asyncio.wait_for(crashed.wait(), 60)
        monkeypatch.setattr("bot.engine.engine._GRACE_SECONDS", 0.0)
        assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1
        assert not (await harness.job(job.id)).prepared
    async with editing(sqlite_database, tmp_path, shelf, reve2img, clock=clock) as harness:
        await harness.until(job.id, State.RUNNING)
        assert shelf.taken == ["a.png", "a.png"]
        assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1
        assert len(reve2img.jobs) == 1


async def test_whoever_was_overtaken_changes_nothing(
    database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """A worker that comes back with a picture after another has taken the job is rejected by the fence."""
    async with editing(database, tmp_path, shelf, reve2img, start=False) as harness:
        request = editing_of(shelf.put("a.png", drawn()))
        job = (await harness.generation.create(a_place_of(1), request)).job
        await database.write(lambda connection: JobRepository(connection).take_over(make_id(), 9))
        taken = await harness.job(job.id)
        assert taken.fence > job.fence
        stored = (await harness.image_service.store_input(request.inputs[0].url or "")).file
        with pytest.raises(StaleJobError):
            await harness.job_store.mark_prepared(job, {0: stored})
        with pytest.raises(StaleJobError):
            await harness.job_store.mark_inputs_failed(job, FaultKind.INPUT_GONE, {})
        again = await harness.job(job.id)
        assert (again.prepared, again.state, again.request.inputs[0].file) == (False, State.HELD, None)
        await harness.job_store.mark_prepared(taken, {0: stored})
        assert (await harness.job(job.id)).prepared


async def test_many_take_turns(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """More jobs than are fetched for at a time are all fetched for in the end."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        url = shelf.put("a.png", drawn())
        numbers = itertools.count(1)
        made = [await harness.asked(place=a_place_of(next(numbers)), request=editing_of(url)) for _ in range(40)]
        for job in made:
            await harness.until(job.id, State.RUNNING, step=0.2)


def a_place_of(member: int) -> InteractionContext:
    """Return a place of a member of their own."""
    return make_context(member_id=member)


async def test_a_file_that_is_deleted_with_another_job_is_fetched_again(
    sqlite_database: Database, tmp_path: Path, shelf: ImageServer, reve2img: Reve2ImgServer
) -> None:
    """While a second picture is waited for, nobody knows of the first: whoever deletes the same one takes its file."""
    async with editing(sqlite_database, tmp_path, shelf, reve2img) as harness:
        first, second = shelf.put("a.png", drawn()), shelf.put("b.png", drawn(size=(64, 64)))
        shelf.statuses["b.png"] = 503
        job = await harness.asked(request=editing_of(first, second))
        await harness.when(lambda: "b.png" in shelf.taken)
        await harness.idle()
        (stored,) = await harness.image_service.files()
        later = stored.modified + timedelta(minutes=2)
        assert await harness.image_service.discard(stored.sha256, stored.media_type, older_than=later)

        del shelf.statuses["b.png"]
        await harness.until(job.id, State.RUNNING, step=1)
        assert await kept(harness) == [drawn(), drawn(size=(64, 64))]
