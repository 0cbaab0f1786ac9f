"""Exports in parts within a limit, each sent once."""

import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import Connection, insert

from bot.domain.errors import DeletionRunningError, ExportRunningError, ExportTooSoonError
from bot.domain.exports import Export
from bot.domain.images import ImageFile, ResultImage
from bot.domain.jobs import Job, State
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.services.export_parts import ExportBuilder, ExportPart
from bot.services.exports import ExportService
from bot.services.member_limits import MemberLimits
from db.database import Database
from db.deletions import DeletionRepository
from db.exports import ExportRepository
from db.member_records import MemberRecords
from db.pictures import ResultImageRepository
from db.tables import exports, forms
from tests.support.clock import START, ManualClock
from tests.support.factories import MEMBER, make_image_file, make_job, make_request
from tests.support.ledger import adding

LIMIT = 512 * 1024


class Member:
    """A messenger with its parts; it may be closed, or fail at times."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, zipfile.ZipFile, int]] = []
        self.closed = False
        self.failures: list[str] = []

    async def send_part(self, export: Export, part: ExportPart) -> bool:
        """Keep a part; fail as told, before or after."""
        del export
        trouble = self.failures.pop(0) if self.failures else ""
        if trouble == "before":
            raise ConnectionError
        if self.closed:
            return False
        content = part.path.read_bytes()
        self.parts.append((part.filename, zipfile.ZipFile(io.BytesIO(content)), len(content)))
        if trouble == "after":
            raise ConnectionError
        return True

    async def was_sent(self, export: Export, number: int) -> bool:
        """Return whether a part is here."""
        return export.filename(number) in [name for name, _, _ in self.parts]

    def documents(self, name: str) -> list[Any]:
        """Return the records of a document in all parts."""
        return [
            record
            for _, archive, _ in self.parts
            if name in archive.namelist()
            for record in json.loads(archive.read(name))
        ]

    def pictures(self) -> dict[str, bytes]:
        """Return the pictures of all parts."""
        return {
            name: archive.read(name)
            for _, archive, _ in self.parts
            for name in archive.namelist()
            if not name.endswith(".json")
        }


async def no_answer(part: ExportPart) -> bool:
    """Reach nobody."""
    del part
    return False


@pytest.fixture
async def image_service(tmp_path: Path) -> AsyncIterator[ImageService]:
    """Yield an image service with a store in a folder."""
    service = ImageService(
        downloader=ImageDownloader(verify=httpx.create_ssl_context(verify=False, trust_env=False)),
        store=ImageStore(tmp_path),
        workers=ImageThreadPool(),
    )
    yield service
    await service.close()


def service_of(
    database: Database, images: ImageService, member: Member, clock: ManualClock, worker: str = "w" * 32
) -> ExportService:
    """Return the service of a process."""
    return ExportService(
        database=database,
        builder=ExportBuilder(database=database, image_service=images, limit=LIMIT),
        messenger=member,
        limits=MemberLimits(clock=clock),
        clock=clock,
        worker_id=worker,
    )


def noise(size: int) -> bytes:
    """Return a PNG of random pixels, three bytes each."""
    out = io.BytesIO()
    Image.frombytes("RGB", (size, size), os.urandom(3 * size * size)).save(out, "png")
    return out.getvalue()


async def add_jobs(database: Database, images: ImageService, *sizes: int) -> list[Job]:
    """Insert a finished job with a picture for each size; 0 is a lost file."""
    made = []
    for number, size in enumerate(sizes):
        job = make_job(
            request=make_request(prompt=f"picture {number}"),
            state=State.DONE,
            finished_at=START,
            delivered_at=START,
            charged=12,
        )
        file: ImageFile = await images.store_bytes(noise(size)) if size else make_image_file()
        picture = ResultImage(job_id=job.id, position=0, file=file)

        def write(connection: Connection, picture: ResultImage = picture) -> None:
            ResultImageRepository(connection).add_all([picture], START)

        await database.write(adding(job))
        await database.write(write)
        made.append(job)
    return made


async def test_export_is_split_into_parts_within_the_limit(database: Database, image_service: ImageService) -> None:
    made = await add_jobs(database, image_service, 300, 300, 300, 0)  # about 270 kB each
    member, clock = Member(), ManualClock()
    service = service_of(database, image_service, member, clock)
    await service.request(MEMBER, "en-US", no_answer)
    await service.send_due()
    assert [name.rpartition("-")[2] for name, _, _ in member.parts] == ["1.zip", "2.zip", "3.zip"]
    assert all(size <= LIMIT for _, _, size in member.parts)
    assert [each["job"] for each in member.documents("jobs.json")] == [job.id for job in made]
    assert len(member.pictures()) == 3
    (missing,) = member.documents("missing-pictures.json")
    assert missing["picture"] == f"pictures/{made[3].id}-1"


async def test_picture_over_the_limit_is_made_to_fit(database: Database, image_service: ImageService) -> None:
    await add_jobs(database, image_service, 500)  # about 750 kB
    member, clock = Member(), ManualClock()
    service = service_of(database, image_service, member, clock)
    await service.request(MEMBER, "en-US", no_answer)
    await service.send_due()
    ((name, content),) = member.pictures().items()
    assert name.endswith(".jpg")
    assert len(content) < LIMIT


@pytest.mark.parametrize("trouble", ["before", "after"])
async def test_failed_part_is_tried_again_and_sent_once(
    database: Database, image_service: ImageService, trouble: str
) -> None:
    await add_jobs(database, image_service, 300, 300)
    member, clock = Member(), ManualClock()
    member.failures = ["", trouble]
    service = service_of(database, image_service, member, clock)
    await service.request(MEMBER, "en-US", no_answer)
    await service.send_due()
    await service.send_due()  # not yet: it waits a while
    assert len(member.parts) == (1 if trouble == "before" else 2)
    clock.advance(11)
    await service.send_due()
    assert [name.rpartition("-")[2] for name, _, _ in member.parts] == ["1.zip", "2.zip"]
    assert len(member.pictures()) == 2


async def test_next_process_goes_on_after_the_sent_parts(database: Database, image_service: ImageService) -> None:
    await add_jobs(database, image_service, 300, 300)
    member, clock = Member(), ManualClock()
    member.failures = ["", "before"]
    first = service_of(database, image_service, member, clock)
    await first.request(MEMBER, "en-US", no_answer)
    await first.send_due()
    await service_of(database, image_service, member, clock, "n" * 32).send_due()
    assert [name.rpartition("-")[2] for name, _, _ in member.parts] == ["1.zip", "2.zip"]


async def test_closed_direct_messages_allow_another_try_at_once(
    database: Database, image_service: ImageService
) -> None:
    member, clock = Member(), ManualClock()
    member.closed = True
    service = service_of(database, image_service, member, clock)
    await service.request(MEMBER, "en-US", no_answer)
    with pytest.raises(ExportRunningError):
        await service.request(MEMBER, "en-US", no_answer)
    await service.send_due()
    member.closed = False
    await service.request(MEMBER, "en-US", no_answer)
    await service.send_due()
    assert len(member.parts) == 1
    with pytest.raises(ExportTooSoonError) as caught:
        await service.request(MEMBER, "en-US", no_answer)
    assert caught.value.again_at == START + timedelta(days=1)


async def test_export_stops_where_the_member_is_deleted(database: Database, image_service: ImageService) -> None:
    await add_jobs(database, image_service, 300, 300)
    clock = ManualClock()

    class Deleted(Member):
        """A member with a deletion after the first part."""

        async def send_part(self, export: Export, part: ExportPart) -> bool:
            """Keep the part, then delete the export."""
            sent = await super().send_part(export, part)
            await database.write(lambda connection: ExportRepository(connection).delete(MEMBER))
            return sent

    member = Deleted()
    service = service_of(database, image_service, member, clock)
    await service.request(MEMBER, "en-US", no_answer)
    await service.send_due()
    assert len(member.parts) == 1
    assert await database.read(lambda connection: connection.execute(exports.select()).all()) == []


async def test_no_file_of_an_export_is_left_behind(
    database: Database, image_service: ImageService, tmp_path: Path
) -> None:
    await add_jobs(database, image_service, 300, 300)
    member, clock = Member(), ManualClock()
    member.failures = ["", "before"]
    service = service_of(database, image_service, member, clock)
    await service.request(MEMBER, "en-US", no_answer)
    await service.send_due()
    assert [name for _, _, names in os.walk(tmp_path) for name in names if name.startswith("export-")] == []


async def test_export_has_everything_typed_into_a_refused_form(database: Database) -> None:
    content = {"prompt": "a fox", "model": None, "options": {"negative": "text"}, "card": {"urls": ["signed"]}}
    form = {"id": "f" * 32, "member_id": MEMBER, "content": content, "created_at": START}
    await database.write(lambda connection: connection.execute(insert(forms), form))
    about = await database.read(lambda connection: MemberRecords(connection, MEMBER).about())
    typed = {"prompt": "a fox", "model": None, "options": {"negative": "text"}}
    assert about["refused_forms"] == [{"created_at": START.isoformat(), **typed}]


async def test_export_during_a_deletion_is_refused(database: Database, image_service: ImageService) -> None:
    await database.write(lambda connection: DeletionRepository(connection).add(MEMBER, START))
    service = service_of(database, image_service, Member(), ManualClock())
    with pytest.raises(DeletionRunningError):
        await service.request(MEMBER, "en", no_answer)
