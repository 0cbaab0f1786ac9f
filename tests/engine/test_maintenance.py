"""Maintenance: unneeded rows and files are deleted, and no others."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from obstore.store import LocalStore
from sqlalchemy import Connection, select, update

from bot.domain.attachments import AttachmentInfo
from bot.domain.errors import FormGoneError, SearchGoneError
from bot.domain.images import ImageFile, InputImage, ResultImage
from bot.domain.jobs import Job, State
from bot.domain.presets import Preset, PresetScope, undo_token
from bot.domain.saved_forms import FilledForm, MessageForm, SavedForm
from bot.domain.searches import Search
from bot.engine.maintenance import Maintenance
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.local_copies import LocalCopies
from bot.images.object_client import ObjectClient
from bot.images.object_store import ObjectImageStore
from bot.images.picture_store import PictureStore
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from db.audit_results import AuditResult, AuditResultRepository
from db.database import Database
from db.incremental_audit import Checkpoint, CheckpointRepository
from db.inputs import InputImageRepository
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from db.presets import PresetRepository
from db.saved_forms import SavedFormRepository
from db.search_index import SearchIndex
from db.searches import SearchRepository
from db.tables import accounts, inputs
from sandbox.providers.pictures import draw_picture
from tests.support.clock import START, ManualClock, let_others_run
from tests.support.factories import MEMBER, make_id, make_job, make_request
from tests.support.ledger import adding, hold, make_job_for, make_ledger
from tests.support.polling import poll

RETENTION = timedelta(days=30)


@pytest.fixture(params=["folder", "objects"])
async def image_service(tmp_path: Path, request: pytest.FixtureRequest) -> ImageService:
    """Return an image service with a store in a folder.

    It is the folder itself, or an object store with files in it.
    """
    store: PictureStore = ImageStore(tmp_path)
    if request.param == "objects":
        objects = ObjectClient(lambda: LocalStore(tmp_path))
        store = ObjectImageStore(objects, LocalCopies(tmp_path / "copies"))
    return ImageService(
        downloader=ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=store,
        workers=ImageThreadPool(),
    )


async def store_image(image_service: ImageService, folder: Path, words: str, *, days_old: float) -> ImageFile:
    """Store a new image, as if `days_old` days ago."""
    image = await image_service.store_bytes(draw_picture(words, 0, width=64, height=64, format="png"))
    _age(folder, image.sha256, days_old)
    return image


def _age(folder: Path, sha256: str, days: float) -> None:
    (file,) = folder.glob(f"??/??/{sha256}.*")
    then = (START - timedelta(days=days)).timestamp()
    os.utime(file, (then, then))


async def add_result(database: Database, image: ImageFile, *, days_ago: float) -> ResultImage:
    """Record the image as the result of a finished job."""
    job = make_job(delivered_at=START)
    row = ResultImage(job_id=job.id, position=0, file=image)
    await database.write(adding(job))
    at = START - timedelta(days=days_ago)
    await database.write(lambda connection: ResultImageRepository(connection).add_all([row], at))
    return row


def maintenance(database: Database, image_service: ImageService) -> Maintenance:
    """Return the maintenance with a stopped clock."""
    return Maintenance(database=database, image_service=image_service, clock=ManualClock(), retention=RETENTION)


def stored_hashes(folder: Path) -> set[str]:
    """Return the hashes of the files in the store."""
    return {file.stem for file in folder.rglob("*.png")}


async def test_old_image_is_deleted_but_shared_file_stays(
    sqlite_database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    # A file of a newer job, or one stored again just now, outlives the older job's row.
    old, shared, again = [
        await store_image(image_service, tmp_path, words, days_old=age)
        for words, age in (("a", 31), ("b", 31), ("c", 0))
    ]
    for image in (old, shared, again):
        await add_result(sqlite_database, image, days_ago=31)
    await add_result(sqlite_database, shared, days_ago=1)
    await maintenance(sqlite_database, image_service).remove_old_images()
    assert stored_hashes(tmp_path) == {shared.sha256, again.sha256}
    await image_service.close()


async def test_orphaned_file_is_deleted_after_twenty_minutes(
    sqlite_database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    # Its row may be about to be written.
    orphan, young, kept = [
        await store_image(image_service, tmp_path, words, days_old=age)
        for words, age in (("a", 21 / 1440), ("b", 19 / 1440), ("c", 2))
    ]
    await add_result(sqlite_database, kept, days_ago=2)
    await maintenance(sqlite_database, image_service).remove_orphans()
    assert stored_hashes(tmp_path) == {young.sha256, kept.sha256}
    assert orphan.sha256 not in stored_hashes(tmp_path)
    await image_service.close()


async def test_interaction_token_is_erased_after_fifteen_minutes(
    sqlite_database: Database, image_service: ImageService
) -> None:
    # It is a secret and no longer useful.
    dead, alive = make_job(created_at=START - timedelta(minutes=16)), make_job(created_at=START - timedelta(minutes=14))
    for job in (dead, alive):
        await sqlite_database.write(adding(job))
    await maintenance(sqlite_database, image_service).erase_tokens()
    tokens = [
        (await sqlite_database.read(lambda connection, job=job: JobRepository(connection).get(job.id))).place.token  # type: ignore[misc]
        for job in (dead, alive)
    ]
    assert tokens == [None, alive.place.token]
    await image_service.close()


async def test_saved_form_is_purged_after_a_day(sqlite_database: Database, image_service: ImageService) -> None:
    # Its typed text is in no database any more.
    form = MessageForm(pictures=(AttachmentInfo(url="https://cdn.discordapp.com/secret"),))
    filled = FilledForm(form=form, prompt="x", chosen=(0,))
    old, young = (
        SavedForm(id=make_id(), member_id=MEMBER, filled=filled, created_at=START - timedelta(hours=hours))
        for hours in (25, 23)
    )
    for each in (old, young):
        await sqlite_database.write(lambda connection, each=each: SavedFormRepository(connection).add(each, most=9))  # type: ignore[misc]
    await maintenance(sqlite_database, image_service).erase_tokens()
    assert await sqlite_database.read(lambda connection: SavedFormRepository(connection).get(young.id)) == young
    with pytest.raises(FormGoneError):
        await sqlite_database.read(lambda connection: SavedFormRepository(connection).get(old.id))
    await image_service.close()


async def test_searches_older_than_thirty_days_are_purged(
    sqlite_database: Database, image_service: ImageService
) -> None:
    # The text of a search is private, and its paging buttons are hardly pressed for that long.
    old, young = (
        Search(id=make_id(), member_id=MEMBER, query="a fox", created_at=START - timedelta(days=days))
        for days in (31, 29)
    )
    for each in (old, young):
        await sqlite_database.write(lambda connection, each=each: SearchRepository(connection).add(each, most=9))  # type: ignore[misc]
    await maintenance(sqlite_database, image_service).purge_searches()
    assert await sqlite_database.read(lambda connection: SearchRepository(connection).get(young.id)) == young
    with pytest.raises(SearchGoneError):
        await sqlite_database.read(lambda connection: SearchRepository(connection).get(old.id))
    await image_service.close()


async def test_deleted_preset_is_purged_after_a_day(sqlite_database: Database, image_service: ImageService) -> None:
    # It can be restored for a day; presets in use stay.
    image_host = PresetScope(member_id=MEMBER)
    ages = {"kept": None, "deleted": timedelta(hours=23), "gone": timedelta(hours=25)}

    def write(connection: Connection) -> None:
        presets = PresetRepository(connection)
        for name, age in ages.items():
            preset = Preset(name=name, template="x")
            presets.save(image_host, preset, START - timedelta(days=9))
            if age is not None:
                presets.delete(image_host, preset, START - age)

    def known(connection: Connection) -> list[str]:
        found = PresetRepository(connection)
        return [name for name in ages if found.find_deleted(image_host, undo_token(image_host, name)) is not None]

    await sqlite_database.write(write)
    await maintenance(sqlite_database, image_service).purge_presets()
    assert await sqlite_database.read(known) == ["kept", "deleted"]
    await image_service.close()


async def add_job_with_input(
    database: Database, image: ImageFile, *, days_ago: float, url: str = "", **job: Any
) -> Job:
    """Record the image as a job's input; an ended job is done by default."""
    if "finished_at" in job:
        job = {"state": State.DONE, **job}
    at = START - timedelta(days=days_ago)
    made = make_job(request=make_request(inputs=(InputImage(url=url or None, file=image),)), created_at=at, **job)
    await database.write(adding(made))
    return made


async def test_input_is_deleted_after_same_retention_as_results(
    sqlite_database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    # A file shared by a result and an input outlives the older one; a live job's input stays.
    old, new, shared, made, live = [
        await store_image(image_service, tmp_path, words, days_old=31) for words in ("a", "b", "c", "d", "e")
    ]
    for image in (old, shared, made):
        await add_job_with_input(sqlite_database, image, days_ago=31, delivered_at=START, finished_at=START)
    await add_job_with_input(sqlite_database, new, days_ago=1, delivered_at=START, finished_at=START)
    await add_job_with_input(sqlite_database, live, days_ago=31)
    await add_result(sqlite_database, shared, days_ago=1)
    await add_result(sqlite_database, made, days_ago=31)
    await maintenance(sqlite_database, image_service).remove_old_images()
    assert stored_hashes(tmp_path) == {new.sha256, shared.sha256, live.sha256}
    await image_service.close()


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.LOST])
async def test_input_of_job_without_images_is_deleted_after_minutes(
    sqlite_database: Database, image_service: ImageService, tmp_path: Path, state: State
) -> None:
    # Long enough to press Again; repeated failing jobs must not fill the disk. Nobody need have seen their cards.
    aged, fresh, shared, done = [
        await store_image(image_service, tmp_path, words, days_old=1) for words in ("a", "b", "c", "d")
    ]
    for image, minutes in ((aged, 11), (shared, 11), (fresh, 9)):
        ended: dict[str, Any] = {"state": state, "finished_at": START - timedelta(minutes=minutes)}
        await add_job_with_input(sqlite_database, image, days_ago=1, **ended)
    for image in (done, shared):
        await add_job_with_input(sqlite_database, image, days_ago=1, delivered_at=START, finished_at=START)
    await maintenance(sqlite_database, image_service).remove_unused_images()
    assert stored_hashes(tmp_path) == {fresh.sha256, shared.sha256, done.sha256}
    await image_service.close()


async def test_image_of_job_that_ended_before_its_row_is_deleted(
    sqlite_database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    # One that was stored just now may be another job's, and is looked at again later.
    old, young, recorded = [
        await store_image(image_service, tmp_path, words, days_old=age)
        for words, age in (("a", 0.1), ("b", 0), ("c", 0.1))
    ]
    await add_result(sqlite_database, recorded, days_ago=1)
    image_service.note_unrecorded([old, young, recorded])
    housekeeping = maintenance(sqlite_database, image_service)
    await housekeeping.remove_unused_images()
    assert stored_hashes(tmp_path) == {young.sha256, recorded.sha256}
    _age(tmp_path, young.sha256, 0.1)
    await housekeeping.remove_unused_images()
    assert stored_hashes(tmp_path) == {recorded.sha256}
    await image_service.close()


async def test_old_image_used_as_input_stays(
    sqlite_database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    # The sweep for orphans keeps it too.
    image = await store_image(image_service, tmp_path, "a", days_old=31)
    await add_result(sqlite_database, image, days_ago=31)
    await add_job_with_input(sqlite_database, image, days_ago=1, delivered_at=START, finished_at=START)
    await maintenance(sqlite_database, image_service).remove_old_images()
    await maintenance(sqlite_database, image_service).remove_orphans()
    assert stored_hashes(tmp_path) == {image.sha256}
    await image_service.close()


async def test_input_urls_of_ended_jobs_are_erased(
    sqlite_database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    # They are signed, and tokens are secrets: a live job keeps its own.
    image = await store_image(image_service, tmp_path, "a", days_old=0)
    secret = "https://cdn.discordapp.com/attachments/1/2/a.png?hm=secret"
    ended = await add_job_with_input(sqlite_database, image, days_ago=0, url=secret, finished_at=START)
    alive = await add_job_with_input(sqlite_database, image, days_ago=0, url=secret)

    def hand_out(connection: Connection) -> None:
        InputImageRepository(connection).set_token_hash(ended.id, 0, "1" * 64)
        InputImageRepository(connection).set_token_hash(alive.id, 0, "2" * 64)

    await sqlite_database.write(hand_out)
    await maintenance(sqlite_database, image_service).erase_tokens()
    left = await sqlite_database.read(
        lambda connection: {row.job_id: (row.url, row.token_hash) for row in connection.execute(select(inputs))}
    )
    assert left == {ended.id: (None, None), alive.id: (secret, "2" * 64)}
    await image_service.close()


async def test_audit_result_is_stored(sqlite_database: Database, image_service: ImageService) -> None:
    """So that every process can show it, also after a restart."""
    duties = maintenance(sqlite_database, image_service)
    await duties.audit_ledger()
    job, ledger = make_job_for(), make_ledger()
    await sqlite_database.write(lambda connection: hold(connection, ledger, job))
    found = [await _audit_result(sqlite_database)]
    await sqlite_database.write(lambda connection: connection.execute(update(accounts).values(held=13)))
    await duties.audit_ledger()
    found.append(await _audit_result(sqlite_database))
    assert found == [AuditResult(at=START, problems=0), AuditResult(at=START, problems=1)]


async def test_sound_audit_leaves_a_checkpoint_and_a_wrong_one_does_not(
    sqlite_database: Database, image_service: ImageService
) -> None:
    """The next audit starts from the latest sound one."""

    async def checkpoint() -> Checkpoint | None:
        return await sqlite_database.read(lambda connection: CheckpointRepository(connection).find())

    duties = maintenance(sqlite_database, image_service)
    assert await checkpoint() is None
    await duties.audit_ledger()
    sound = await checkpoint()
    assert sound is not None
    await sqlite_database.write(lambda connection: hold(connection, make_ledger(), make_job_for()))
    await sqlite_database.write(lambda connection: connection.execute(update(accounts).values(held=13)))
    await duties.audit_ledger()
    assert await checkpoint() == sound


async def test_audit_runs_a_day_after_the_latest_of_any_process(
    sqlite_database: Database, image_service: ImageService
) -> None:
    """A process that starts every day audits too."""
    clock, found = ManualClock(), []
    for pause in (0.0, 3600.0, 22 * 3600.0, 3600.0):
        clock.advance(pause)
        process = Maintenance(
            database=sqlite_database, image_service=image_service, clock=clock, retention=timedelta(days=30)
        )
        await process._run_duty("audit")
        result = await _audit_result(sqlite_database)
        assert result is not None
        found.append((result.at - START) / timedelta(hours=1))
    assert found == [0, 0, 0, 24]


async def test_audit_waits_for_an_hour_after_the_start(sqlite_database: Database, image_service: ImageService) -> None:
    clock = ManualClock()
    process = Maintenance(
        database=sqlite_database, image_service=image_service, clock=clock, retention=timedelta(days=30)
    )
    running = asyncio.create_task(process.run())
    found = []
    for pause in (0.0, 3599.0, 1.0):
        clock.advance(pause)
        while not clock.holds(running) or process._queue._running:
            await let_others_run(1)
        found.append(await _audit_result(sqlite_database))
    running.cancel()
    await asyncio.wait({running})
    assert [result is not None for result in found] == [False, False, True]


async def test_duties_do_not_wait_for_the_index(
    sqlite_database: Database, image_service: ImageService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL its creation waits for all older transactions."""
    built = asyncio.Event()

    async def extend(_: SearchIndex) -> None:
        await built.wait()

    monkeypatch.setattr(SearchIndex, "extend", extend)
    job = make_job(created_at=START - timedelta(hours=1))
    await sqlite_database.write(adding(job))
    process = Maintenance(
        database=sqlite_database, image_service=image_service, clock=ManualClock(), retention=timedelta(days=30)
    )
    running = asyncio.create_task(process.run())

    async def is_erased() -> bool:
        stored = await sqlite_database.read(lambda connection: JobRepository(connection).get(job.id))
        return stored.place.token is None

    await poll(is_erased)
    built.set()
    running.cancel()
    await asyncio.wait({running})


async def test_index_that_cannot_be_built_is_tried_again_after_an_hour(
    sqlite_database: Database, image_service: ImageService, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    clock = ManualClock()

    async def extend(_: SearchIndex) -> None:
        tries.append(clock.monotonic())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SearchIndex, "extend", extend)
    process = Maintenance(
        database=sqlite_database, image_service=image_service, clock=clock, retention=timedelta(days=30)
    )
    indexing = asyncio.create_task(process._index_queue.run())
    process._index_queue.set("index")
    for pause in (0.0, 60.0, 3539.0, 1.0):
        clock.advance(pause)
        await let_others_run(20)
    indexing.cancel()
    await asyncio.wait({indexing})
    assert [at - tries[0] for at in tries] == [0.0, 3600.0]


async def _audit_result(database: Database) -> AuditResult | None:
    return await database.read(lambda connection: AuditResultRepository(connection).find())
