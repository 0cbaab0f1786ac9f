"""Input and result images on the list of takedowns."""

from pathlib import Path

from sqlalchemy import Connection, insert, select

from bot.domain.errors import FaultKind
from bot.domain.jobs import State
from bot.domain.takedowns import EVERYWHERE, Takedown, TakedownKind, TakenPicture
from bot.images.sanitize import sanitize_with_hash
from db.database import Database
from db.tables import accounts, inputs, pictures, takedown_jobs
from db.takedowns import TakedownRepository
from sandbox.providers import Reve2ImgServer
from tests.engine.edit_requests import edit_harness, edit_request
from tests.engine.engine_harness import EngineHarness, engine_harness
from tests.support.clock import START
from tests.support.factories import make_id, make_request
from tests.support.image_server import ImageServer, a_photo


async def list_pictures(database: Database, *listed: TakenPicture) -> str:
    """Store a takedown of pictures everywhere; return its id."""
    takedown = Takedown(
        id=make_id(),
        code="ABCD-2345",
        guild_id=EVERYWHERE,
        kind=TakedownKind.OPERATOR,
        actor_id=0,
        reason="",
        at=START,
    )
    await database.write(lambda connection: TakedownRepository(connection).add(takedown, listed))
    return takedown.id


async def held(harness: EngineHarness) -> int:
    """Return the held credits."""
    return await harness.database.read(lambda connection: connection.execute(select(accounts.c.held)).scalar() or 0)


async def test_taken_down_input_fails_the_job_before_its_submit(
    sqlite_database: Database, tmp_path: Path, image_host: ImageServer, reve2img: Reve2ImgServer
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(a_photo("rocket.jpg"))
    look = sanitize_with_hash(photo).file
    await list_pictures(sqlite_database, TakenPicture(sha256="0" * 64, fingerprint=look.fingerprint))
    async with edit_harness(sqlite_database, tmp_path, image_host, reve2img) as harness:
        job = await harness.create_job(request=edit_request(image_host.put("a.jpg", a_photo("rocket.jpg"))))
        failed = await harness.wait_for_state(job.id, State.FAILED)
        assert (failed.fault, failed.charged, await held(harness)) == (FaultKind.INPUT_TAKEN_DOWN, 0, 0)
        assert reve2img.jobs == []
        stored = select(inputs.c.sha256)
        assert await sqlite_database.read(lambda connection: connection.execute(stored).scalar()) is None

        other = await harness.create_job(request=edit_request(image_host.put("b.png", a_photo())))
        await harness.wait_for_state(other.id, State.RUNNING)


async def test_taken_down_result_is_not_stored_and_not_charged(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        first = await harness.create_job(request=make_request(images=2))
        await harness.wait_for_state(first.id, State.QUEUED)
        await harness.server.finish_and_wait()
        await harness.wait_for_state(first.id, State.DONE, step=1)
        made = select(pictures.c.sha256, pictures.c.fingerprint).order_by(pictures.c.position)
        one, two = await sqlite_database.read(lambda connection: connection.execute(made).all())

        await list_pictures(sqlite_database, TakenPicture(sha256=one.sha256))
        again = await harness.create_job(request=make_request(images=2))
        await harness.wait_for_state(again.id, State.QUEUED)
        await harness.server.finish_and_wait()
        done = await harness.wait_for_state(again.id, State.DONE, step=1)
        assert done.charged == done.price // 2
        of_again = select(pictures.c.sha256).where(pictures.c.job_id == again.id)
        assert await sqlite_database.read(lambda connection: connection.execute(of_again).scalars().all()) == [
            two.sha256
        ]
        assert await harness.run_audit() == []


async def test_result_of_a_job_in_a_takedown_is_refused(sqlite_database: Database, tmp_path: Path) -> None:
    async with engine_harness(sqlite_database, tmp_path) as harness:
        job = await harness.create_job()
        await harness.wait_for_state(job.id, State.QUEUED)
        takedown_id = await list_pictures(sqlite_database)

        def add(connection: Connection) -> None:
            connection.execute(insert(takedown_jobs).values(takedown_id=takedown_id, job_id=job.id))

        await sqlite_database.write(add)
        await harness.server.finish_and_wait()
        failed = await harness.wait_for_state(job.id, State.FAILED, step=1)
        assert (failed.fault, failed.charged, await held(harness)) == (FaultKind.TAKEN_DOWN, 0, 0)
        assert await harness.run_audit() == []
