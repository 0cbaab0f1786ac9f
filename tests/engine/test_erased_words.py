"""Words of deleted and of old jobs: erased after their terms, not before."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from bot.domain.jobs import Job, State
from bot.domain.requests import KEEP_AS_IT_IS
from bot.engine.maintenance import Maintenance
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from db.database import Database
from db.tables import jobs
from tests.support.clock import START, ManualClock
from tests.support.factories import make_job, make_request
from tests.support.ledger import adding

REQUEST = make_request(
    prompt="my secret garden", negative="my cat", effect="film grain", preset="my style", aspect_ratio="16:9"
)


def days_ago(days: float) -> Job:
    """Return a delivered job of so many days ago."""
    then = START - timedelta(days=days)
    return make_job(request=REQUEST, state=State.DONE, created_at=then, finished_at=then, delivered_at=then, charged=12)


async def erase_words(database: Database, folder: Path, *, keep_days: int | None) -> None:
    """Run the duty once; words of deleted jobs are kept for seven days."""
    image_service = ImageService(
        downloader=ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=ImageStore(folder),
        workers=ImageThreadPool(),
    )
    maintenance = Maintenance(
        database=database,
        image_service=image_service,
        clock=ManualClock(),
        retention=timedelta(days=30),
        words_retention=None if keep_days is None else timedelta(days=keep_days),
        deleted_words_retention=timedelta(days=7),
    )
    await maintenance.erase_words()
    await image_service.close()


async def has_words(database: Database, job: Job) -> bool:
    """Return whether a job still has all of its words; else it must have none."""
    row = (await database.read(lambda connection: connection.execute(select(jobs).where(jobs.c.id == job.id)))).one()
    values = row._mapping
    assert values["options"]["aspect_ratio"] == "16:9"
    seen = (
        values["prompt"],
        values["options"].get("negative"),
        values["options"].get("effect"),
        values["options"].get("preset"),
    )
    if values["words_erased_at"] is None:
        assert seen == ("my secret garden", "my cat", "film grain", "my style")
        return True
    assert seen == ("", None, None, None)
    assert values["search_text"] is None
    return False


@pytest.mark.parametrize(("days", "kept"), [(6.9, True), (7.1, False)])
async def test_words_of_deleted_job_are_erased_after_the_term(
    database: Database, tmp_path: Path, days: float, kept: bool
) -> None:
    job = days_ago(20)
    await database.write(adding(job))
    deleted_at = START - timedelta(days=days)
    await database.write(
        lambda connection: connection.execute(jobs.update().values(deleted_at=deleted_at, search_text=None))
    )
    await erase_words(database, tmp_path, keep_days=None)
    assert await has_words(database, job) is kept


async def test_words_of_old_job_are_kept_without_a_term(database: Database, tmp_path: Path) -> None:
    job = days_ago(4000)
    await database.write(adding(job))
    await erase_words(database, tmp_path, keep_days=None)
    assert await has_words(database, job)


async def test_words_of_old_jobs_are_erased_in_batches(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.engine.maintenance._BATCH", 2)
    old, young = [days_ago(31) for _ in range(5)], days_ago(29)
    await database.write(adding(*old, young))
    await erase_words(database, tmp_path, keep_days=30)
    assert [await has_words(database, job) for job in (*old, young)] == [False] * 5 + [True]


async def test_job_without_delivery_keeps_its_words(database: Database, tmp_path: Path) -> None:
    # Its card is still to be shown.
    job = days_ago(31)
    await database.write(adding(job))
    await database.write(lambda connection: connection.execute(jobs.update().values(delivered_at=None)))
    await erase_words(database, tmp_path, keep_days=30)
    assert await has_words(database, job)


async def test_instruction_of_the_bot_is_kept(database: Database, tmp_path: Path) -> None:
    # It says that the job only processed a picture, and nobody typed it.
    then = START - timedelta(days=31)
    job = make_job(
        request=make_request(prompt=KEEP_AS_IT_IS, upscale=2),
        state=State.DONE,
        finished_at=then,
        delivered_at=then,
    )
    await database.write(adding(job))
    await erase_words(database, tmp_path, keep_days=30)
    kept = await database.read(lambda connection: connection.execute(select(jobs.c.prompt)).scalar_one())
    assert kept == KEEP_AS_IT_IS
