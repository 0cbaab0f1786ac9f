"""Search for pictures among the jobs visible to the asker."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from bot.domain.images import ResultImage
from bot.domain.jobs import Delivery
from db.database import Database
from db.fingerprints import FingerprintRepository, Viewer
from db.jobs import JobRepository
from db.pictures import ResultImageRepository
from tests.support.clock import START
from tests.support.factories import make_context, make_image, make_job

FINGERPRINT = f"{0xABCDEF << 100:064x}"
GUILD, MEMBER, OTHER = 2**60, 2**60 + 1, 2**60 + 2


async def find(database: Database, member: int, guild: int, sha256: str) -> list[list[str]]:
    """Return the jobs found by hash, and those found by fingerprint."""
    viewer = Viewer(member_id=member, guild_id=guild)

    def read(connection: Connection) -> list[list[str]]:
        repository = FingerprintRepository(connection)
        return [repository.find_exact(sha256, viewer), repository.find_alike(FINGERPRINT, viewer)]

    return await database.read(read)


@pytest.mark.parametrize(
    ("guild", "private", "delivery", "is_found"),
    [
        (GUILD, False, Delivery.CARD, True),
        (GUILD, True, Delivery.CARD, False),
        (GUILD, False, Delivery.DIRECT, False),
        (GUILD, False, None, False),
        (0, False, Delivery.CARD, False),
        (11, False, Delivery.CARD, False),
    ],
)
async def test_picture_of_another_member_is_found_only_if_public_in_this_server(
    database: Database, *, guild: int, private: bool, delivery: Delivery | None, is_found: bool
) -> None:
    place = make_context(guild_id=guild, member_id=MEMBER, private=private)
    job = make_job(place=place, delivery=delivery, delivered_at=START)
    made = make_image(job)
    picture = ResultImage(job_id=job.id, position=0, file=replace(made.file, fingerprint=FINGERPRINT))

    def write(connection: Connection) -> None:
        JobRepository(connection).add(job)
        ResultImageRepository(connection).add_all([picture], START)

    await database.write(write)
    found = [[job.id], [job.id]]
    assert await find(database, OTHER, GUILD, made.file.sha256) == (found if is_found else [[], []])
    assert await find(database, OTHER, 0, made.file.sha256) == [[], []]
    assert await find(database, MEMBER, GUILD, made.file.sha256) == found

    await database.write(lambda connection: ResultImageRepository(connection).remove_for(job.id, START))
    assert (await find(database, MEMBER, GUILD, made.file.sha256))[1] == []
