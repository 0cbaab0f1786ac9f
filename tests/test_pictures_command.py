"""`atelier pictures`: moves between a folder and a bucket, and checks."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection, insert
from typer.testing import CliRunner, Result

from bot.command_line import app
from bot.domain.images import ImageFile, ResultImage
from bot.images.store import ImageStore
from bot.settings import Settings
from db.database import Database
from db.migrate import migrate
from db.pictures import ResultImageRepository
from db.tables import workers
from tests.support.clock import START
from tests.support.factories import make_id, make_job, make_request
from tests.support.ledger import adding
from tests.support.s3_server import S3Server, new_name, s3_environment

PICTURES: Final = tuple(b"picture %d" % number for number in range(3))
INLINE: Final = "0" * 32


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder, without variables and `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty bucket; the environment has its key."""
    for name, value in s3_environment(s3_server.url).items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_server.make_bucket(new_name())}/atelier"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three pictures, and one without a row."""
    store = ImageStore(tmp_path / "data" / "pictures")
    files = [_store(store, content) for content in PICTURES]
    _store(store, b"without a row")
    store.keep_inline(b"not decoded", INLINE)

    def fill(connection: Connection) -> None:
        job = make_job(request=make_request(images=len(files)))
        adding(job)(connection)
        images = [ResultImage(job_id=job.id, position=position, file=file) for position, file in enumerate(files)]
        ResultImageRepository(connection).add_all(images, START)

    async def prepare() -> None:
        database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/data/atelier.db")
        try:
            await migrate(database)
            await database.write(fill)
        finally:
            await database.close()

    asyncio.run(prepare())
    return tmp_path / "data" / "pictures"


def _store(store: ImageStore, content: bytes) -> ImageFile:
    sha256 = hashlib.sha256(content).hexdigest()
    file = ImageFile(sha256=sha256, media_type="image/png", width=1, height=1, size=len(content))
    temporary = store.temporary() / sha256
    temporary.write_bytes(content)
    store.add(temporary, file)
    return file


def pictures(*arguments: str, store: str = "") -> Result:
    """Run the command; a traceback fails the test."""
    result = CliRunner().invoke(app, ["pictures", *arguments], env={"PICTURE_STORE_URL": store})
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def contents(folder: Path) -> list[bytes]:
    """Return the contents of all stored pictures."""
    return sorted(path.read_bytes() for path in folder.glob("??/??/*.png"))


def test_pictures_move_to_a_bucket_and_back(folder: Path, bucket: str, tmp_path: Path) -> None:
    before = contents(folder)
    moved = pictures("move", store=bucket)
    assert moved.exit_code == 0, moved.output
    assert "Copied 3 pictures; 0 were there before." in moved.stdout
    assert "All 3 pictures of the database are in their place." in moved.stdout
    assert "The old place is as it was" in moved.stdout
    assert contents(folder) == before

    again = pictures("move", "--delete", store=bucket)
    assert "Copied 0 pictures; 3 were there before." in again.stdout
    assert "Deleted 4 pictures at the old place." in again.stdout
    assert [path for path in folder.rglob("*") if path.is_file()] == []

    back = pictures("move", "--from", bucket)
    assert back.exit_code == 0, back.output
    assert contents(folder) == sorted(PICTURES)
    assert (folder / "inline" / INLINE).read_bytes() == b"not decoded"
    elsewhere = pictures("move", store=f"file://{tmp_path}/elsewhere")
    assert elsewhere.exit_code == 0
    assert contents(tmp_path / "elsewhere") == sorted(PICTURES)


def test_damaged_and_missing_pictures_are_named_and_nothing_is_deleted(folder: Path, bucket: str) -> None:
    damaged, missing, sound = sorted(folder.glob("??/??/*.png"), key=lambda path: path.read_bytes())[:3]
    damaged.write_bytes(b"picture X")
    missing.unlink()
    moved = pictures("move", "--delete", store=bucket)
    assert moved.exit_code == 1
    assert "At the old place 1 are damaged and 1 missing." in moved.output
    assert damaged.name in moved.output
    assert missing.name in moved.output
    assert "2 pictures of 3 missing or damaged." in moved.output
    assert sound.is_file()


def test_altered_picture_is_found_by_reading(folder: Path) -> None:
    assert pictures("check").exit_code == 0
    altered = min(folder.glob("??/??/*.png"), key=lambda path: path.read_bytes())
    altered.write_bytes(b"picture X")
    assert pictures("check").exit_code == 0
    read = pictures("check", "--read")
    assert read.exit_code == 1
    assert altered.name in read.output
    altered.unlink()
    assert "1 picture of 3 missing or damaged." in pictures("check").output


def test_pictures_of_a_running_bot_are_not_deleted(folder: Path, bucket: str, tmp_path: Path) -> None:
    async def run() -> None:
        database = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/data/atelier.db")
        lease = datetime.now(UTC) + timedelta(minutes=1)
        row = {"id": make_id(), "started_at": START, "expires_at": lease}
        await database.write(lambda connection: connection.execute(insert(workers), row))
        await database.close()

    asyncio.run(run())
    refused = pictures("move", "--delete", store=bucket)
    assert refused.exit_code == 1
    assert "A bot runs on this database. Stop it first" in refused.output
    assert len(contents(folder)) == 4
    assert pictures("move", store=bucket).exit_code == 0


def test_move_without_another_place_is_refused(folder: Path) -> None:
    assert "Set PICTURE_STORE_URL to the new place" in pictures("move").output
    assert "Set PICTURE_STORE_URL to the new place" in pictures("move", store=f"file://{folder}").output
    assert "--from takes s3://BUCKET/PREFIX" in pictures("move", "--from", "ftp://host/x").output


@pytest.mark.usefixtures("folder")
def test_unusable_store_is_one_line(bucket: str) -> None:
    moved = pictures("move", store=f"{bucket.rpartition('/')[0]}-elsewhere")
    assert moved.exit_code == 1
    assert "A place of pictures cannot be used (no_bucket). `atelier doctor` says more." in moved.output
