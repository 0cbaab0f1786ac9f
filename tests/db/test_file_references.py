"""Sums of stored images."""

from bot.domain.images import ImageFile, InputImage, ResultImage
from bot.domain.jobs import State
from db.database import Database
from db.file_references import stored_bytes
from db.pictures import ResultImageRepository
from tests.support.clock import START
from tests.support.factories import MEMBER, make_context, make_job, make_request
from tests.support.ledger import adding


def file(letter: str, size: int) -> ImageFile:
    """Return a file with this size."""
    return ImageFile(sha256=letter * 64, media_type="image/png", width=64, height=64, size=size)


async def test_stored_bytes_count_each_kept_file_once(database: Database) -> None:
    # Inputs and results, in all guilds of a member.
    here = make_job(state=State.DONE, finished_at=START)
    inputs = InputImage(file=file("a", 1)), InputImage(url="x")
    there = make_job(place=make_context(guild_id=2), request=make_request(inputs=inputs))
    other = make_job(place=make_context(member_id=MEMBER + 1))
    removed = make_job()
    await database.write(adding(here, there, other, removed))
    for job, letter, size in (
        (here, "a", 1),
        (other, "a", 1),
        (other, "b", 10),
        (here, "c", 100),
        (removed, "d", 1000),
    ):
        image = ResultImage(job_id=job.id, position=int(letter, 16) - 10, file=file(letter, size))
        await database.write(lambda connection, image=image: ResultImageRepository(connection).add_all([image], START))  # type: ignore[misc]
    await database.write(lambda connection: ResultImageRepository(connection).remove_for(removed.id, START))
    assert await database.read(stored_bytes) == 111
    assert await database.read(lambda connection: stored_bytes(connection, MEMBER)) == 101
    assert await database.read(lambda connection: stored_bytes(connection, MEMBER + 2)) == 0
