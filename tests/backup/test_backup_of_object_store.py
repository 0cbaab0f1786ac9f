"""Backups with the pictures of an object store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.backup import BackupError, create_backup, created_lines
from bot.factories import build_picture_store
from bot.images.picture_store import StoredImageName
from bot.images.store_copy import copy_images
from bot.settings import Settings
from tests.backup.studio import NOW, PICTURE, open_studio, restore, settings_of
from tests.support.databases import SqliteDatabases
from tests.support.s3_server import ACCESS_KEY, REGION, SECRET_KEY, Fault, FaultyProxy, S3Server, new_name, open_proxy


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    """Yield a proxy before the server."""
    with open_proxy(s3_server.url) as proxy:
        yield proxy


def in_bucket(bucket: str, proxy: FaultyProxy) -> dict[str, Any]:
    """Return the settings of a bucket."""
    return {
        "picture_store_url": f"s3://{bucket}/atelier",
        "aws_endpoint_url": proxy.url,
        "aws_region": REGION,
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SecretStr(SECRET_KEY),
    }


async def test_pictures_go_from_bucket_to_bucket_by_a_backup(
    s3_server: S3Server, proxy: FaultyProxy, tmp_path: Path
) -> None:
    url = await SqliteDatabases(tmp_path).create(migrated=True)
    async with open_studio(url, tmp_path / "data", live=False) as studio:
        there = studio.settings.model_copy(update=in_bucket(s3_server.make_bucket(new_name()), proxy))
        _fill(studio.settings, there)
        created = await create_backup(there, tmp_path / "backup.zip", NOW, pictures=True)
        assert "1 picture (" in "\n".join(created_lines(created))

    elsewhere = settings_of(f"sqlite+aiosqlite:///{tmp_path}/new/atelier.db", tmp_path / "new")
    target = elsewhere.model_copy(update=in_bucket(s3_server.make_bucket(new_name()), proxy))
    assert (await restore(created.file, target)).pictures == 1
    (file,) = build_picture_store(target).files()
    with build_picture_store(target).borrowed(file.sha256, file.media_type) as path:
        assert path.read_bytes() == PICTURE
    assert (await restore(created.file, target, force=True)).pictures == 0  # it is there


async def test_backup_of_an_unreadable_bucket_is_refused(
    s3_server: S3Server, proxy: FaultyProxy, tmp_path: Path
) -> None:
    url = await SqliteDatabases(tmp_path).create(migrated=True)
    async with open_studio(url, tmp_path / "data", live=False) as studio:
        there = studio.settings.model_copy(update=in_bucket(s3_server.make_bucket(new_name()), proxy))
        proxy.faults = [Fault("GET", 403, "AccessDenied")]
        with pytest.raises(BackupError, match=r"^The picture store cannot be used \(denied\)"):
            await create_backup(there, tmp_path / "backup.zip", NOW, pictures=True)
        assert not (tmp_path / "backup.zip").exists()
        # Without pictures it needs no bucket.
        await create_backup(there, tmp_path / "backup.zip", NOW, pictures=False)


def _fill(source: Settings, target: Settings) -> None:
    store = build_picture_store(source)
    files = [(StoredImageName(sha256=file.sha256, media_type=file.media_type), file.size) for file in store.files()]
    copy_images(store, build_picture_store(target), files, lambda _: None)
