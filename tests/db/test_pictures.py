from datetime import timedelta

from sqlalchemy import Connection

from bot.domain.images import ResultImage
from db.database import Database
from db.pictures import ResultImageRepository
from tests.support.clock import START
from tests.support.factories import make_image, make_job
from tests.support.ledger import adding

MONTH = timedelta(days=30)
NOW = START + MONTH + timedelta(hours=1)


async def store(database: Database, *pictures: ResultImage, days_ago: float = 31) -> None:
    """Insert images stored some days ago."""

    def write(connection: Connection) -> None:
        ResultImageRepository(connection).add_all(pictures, NOW - timedelta(days=days_ago))

    await database.write(write)


async def remove_aged(database: Database, limit: int = 100) -> tuple[int, list[tuple[str, str]]]:
    """Remove images older than thirty days."""
    return await database.write(
        lambda connection: ResultImageRepository(connection).remove_stored_before(NOW - MONTH, NOW, limit)
    )


async def kept(database: Database, job_id: str) -> tuple[ResultImage, ...]:
    """Return a job's kept images."""
    return await database.read(lambda connection: ResultImageRepository(connection).list_for(job_id))


async def test_list_for_returns_one_jobs_images_in_order(database: Database) -> None:
    job, other = make_job(delivered_at=START), make_job(delivered_at=START)
    await database.write(adding(job, other))
    first, second = make_image(job, position=0), make_image(job, position=1, media_type="image/webp", size=2**33)
    await store(database, second, make_image(other), first)
    assert await kept(database, job.id) == (first, second)
    assert await kept(database, "nobody's") == ()


async def test_remove_stored_before_returns_files_of_old_images(database: Database) -> None:
    job = make_job(delivered_at=START)
    await database.write(adding(job))
    aged, fresh = make_image(job, position=0), make_image(job, position=1, media_type="image/jpeg")
    await store(database, aged)
    await store(database, fresh, days_ago=29)
    assert await remove_aged(database) == (1, [(aged.file.sha256, "image/png")])
    assert await kept(database, job.id) == (fresh,)
    assert await remove_aged(database) == (0, [])


async def test_remove_stored_before_keeps_files_of_younger_images(database: Database) -> None:
    old_job, young_job = make_job(delivered_at=START), make_job(delivered_at=START)
    await database.write(adding(old_job, young_job))
    old = make_image(old_job)
    young = make_image(young_job, sha256=old.file.sha256)
    await store(database, old)
    await store(database, young, days_ago=1)
    assert await remove_aged(database) == (1, [])
    assert await kept(database, old_job.id) == ()
    assert await kept(database, young_job.id) == (young,)


async def test_remove_stored_before_returns_shared_file_once(database: Database) -> None:
    job = make_job(delivered_at=START)
    await database.write(adding(job))
    one = make_image(job, position=0)
    await store(database, one, make_image(job, position=1, sha256=one.file.sha256))
    assert await remove_aged(database) == (2, [(one.file.sha256, "image/png")])


async def test_remove_stored_before_respects_limit_oldest_first(database: Database) -> None:
    job = make_job(delivered_at=START)
    await database.write(adding(job))
    pictures = [make_image(job, position=position) for position in range(3)]
    for picture, days in zip(pictures, (33, 35, 34), strict=True):
        await store(database, picture, days_ago=days)
    assert await remove_aged(database, limit=2) == (
        2,
        [(pictures[1].file.sha256, "image/png"), (pictures[2].file.sha256, "image/png")],
    )
    assert await remove_aged(database, limit=2) == (1, [(pictures[0].file.sha256, "image/png")])
