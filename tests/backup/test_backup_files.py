"""Truncated, damaged and hostile files, and those of other versions."""

import asyncio
import fcntl
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from bot.backup import BackupError, check_backup, create_backup, restored_lines
from bot.backup.archive import describe_file, open_backup, write_backup
from bot.images.store import ImageStore
from bot.secret_key import SecretKey
from bot.services.deletion_register import DeletionRegister
from db.database import Database
from db.migrate import MIGRATIONS
from tests.backup.studio import NOW, PICTURE, all_rows, open_studio, restore, settings_of, sqlite_settings
from tests.support.databases import SqliteDatabases

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a backup with a picture."""
    folder = _folder(tmp_path_factory)
    url = await SqliteDatabases(folder).create(migrated=True)
    async with open_studio(url, folder / "data") as studio:
        return await studio.backup(pictures=True)


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("backup")


def read(file: Path) -> bytes:
    """Return a file's content."""
    return file.read_bytes()


def found(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder with a pattern in their names."""
    return list(folder.rglob(pattern))


def rewrite(source: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a backup with other contents."""
    with zipfile.ZipFile(source) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    change(contents)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return target


def with_database(source: Path, folder: Path, change: Callable[[sqlite3.Connection], object]) -> Path:
    """Return a backup with a changed database and a fitting manifest."""
    file = folder / "changed.db"

    def replace(contents: dict[str, bytes]) -> None:
        file.write_bytes(contents["atelier.db"])
        with closing(sqlite3.connect(file)) as connection, connection:
            change(connection)
        contents["atelier.db"] = file.read_bytes()
        set_manifest(contents, database=describe_file(file).model_dump())

    return rewrite(source, folder / "changed.zip", replace)


def set_manifest(contents: dict[str, bytes], **values: Any) -> None:
    """Change the manifest among the contents of a backup."""
    contents["manifest.json"] = json.dumps(json.loads(contents["manifest.json"]) | values).encode()


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Use a folder like a running backup."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


async def refusal(file: Path, folder: Path) -> str:
    """Return the reason for refusing a file; nothing is left behind."""
    settings = sqlite_settings(folder / "to")
    with pytest.raises(BackupError) as caught:
        await restore(file, settings)
    left = [path.name for path in settings.data_dir.rglob("*") if path.is_file()]
    assert set(left) <= {"atelier.db.lock"}
    return str(caught.value)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
async def test_truncated_file_is_refused(backup: Path, tmp_path: Path, part: float) -> None:
    content = read(backup)
    file = tmp_path / "short.zip"
    file.write_bytes(content[: int(len(content) * part)])
    assert await refusal(file, tmp_path) == f"{file} is no backup of Atelier, or was cut off."


async def test_missing_file_is_named(tmp_path: Path) -> None:
    assert await refusal(tmp_path / "none.zip", tmp_path) == f"{tmp_path / 'none.zip'} is not there, or no file."
    assert await refusal(tmp_path, tmp_path) == f"{tmp_path} is not there, or no file."


async def test_changed_byte_is_found(backup: Path, tmp_path: Path) -> None:
    content = bytearray(read(backup))
    content[2000] ^= 0xFF
    file = tmp_path / "bit.zip"
    file.write_bytes(content)
    assert (await refusal(file, tmp_path)).startswith("The backup is damaged: ")


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "pictures/../../evil.png",
        f"pictures/{'a' * 64}.exe",
        f"pictures/{'A' * 64}.png",
        f"pictures/x/{'a' * 64}.png",
        "pictures/",
        "secret.key",
    ],
)
async def test_foreign_name_is_refused(backup: Path, tmp_path: Path, name: str) -> None:
    file = rewrite(backup, tmp_path / "hostile.zip", lambda contents: contents.update({name: b"evil"}))
    assert await refusal(file, tmp_path) == "This is no backup of Atelier: it has files that no backup has."
    assert not found(tmp_path, "*evil*")


async def test_symbolic_link_is_only_a_damaged_picture(backup: Path, tmp_path: Path) -> None:
    file = tmp_path / "link.zip"
    file.write_bytes(read(backup))
    with zipfile.ZipFile(file, "a") as archive:
        link = zipfile.ZipInfo(f"pictures/{'b' * 64}.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    settings = sqlite_settings(tmp_path / "to")
    restored = await restore(file, settings)
    assert (restored.pictures, restored.damaged_pictures) == (1, 1)
    (picture,) = settings.data_dir.glob("pictures/??/??/*")
    assert picture.read_bytes() == PICTURE


async def test_huge_database_is_refused_before_it_is_written(backup: Path, tmp_path: Path) -> None:
    """By its declared size: the disk has less."""
    file = tmp_path / "huge.zip"
    huge = 10**15

    def declare(contents: dict[str, bytes]) -> None:
        set_manifest(contents, database={"size": huge, "sha256": "0" * 64})

    rewrite(backup, file, declare)
    assert await refusal(file, tmp_path) == "The backup is damaged: its database differs from the manifest."
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("atelier.db", "manifest.json"):
            with zipfile.ZipFile(backup) as original:
                contents = {"manifest.json": original.read("manifest.json")}
            declare(contents)
            archive.writestr(name, contents["manifest.json"])
        archive.NameToInfo["atelier.db"].file_size = huge
    assert " MB are needed." in await refusal(file, tmp_path)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (b"{}", "This is no backup that this version of Atelier knows: its manifest is different."),
        (b"\xff\x00", "This is no backup that this version of Atelier knows: its manifest is different."),
        (b"[" * 60_000, "This is no backup that this version of Atelier knows: its manifest is different."),
        (b" " * 70_000, "This is no backup of Atelier: it has no manifest."),
    ],
    ids=["empty", "binary", "deep", "large"],
)
async def test_odd_manifest_is_refused(backup: Path, tmp_path: Path, manifest: bytes, reason: str) -> None:
    file = rewrite(backup, tmp_path / "odd.zip", lambda contents: contents.update({"manifest.json": manifest}))
    assert await refusal(file, tmp_path) == reason


async def test_other_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("holiday.jpg", b"x")
    assert await refusal(tmp_path / "other.zip", tmp_path) == "This is no backup of Atelier: it has no manifest."


async def test_other_content_with_the_old_checksum_is_refused(backup: Path, tmp_path: Path) -> None:
    def flip(contents: dict[str, bytes]) -> None:
        contents["atelier.db"] = contents["atelier.db"][:-1] + b"\x01"

    file = rewrite(backup, tmp_path / "flipped.zip", flip)
    assert await refusal(file, tmp_path) == "The backup is damaged: its database differs from the manifest."


async def test_file_that_is_no_database_is_refused(backup: Path, tmp_path: Path) -> None:
    def replace(contents: dict[str, bytes]) -> None:
        (tmp_path / "text").write_bytes(b"no database" * 100)
        contents["atelier.db"] = (tmp_path / "text").read_bytes()
        set_manifest(contents, database=describe_file(tmp_path / "text").model_dump())

    file = rewrite(backup, tmp_path / "text.zip", replace)
    assert await refusal(file, tmp_path) == "The backup is damaged: its database cannot be used (DatabaseError)."


async def test_trigger_is_refused(backup: Path, tmp_path: Path) -> None:
    trigger = "CREATE TRIGGER evil AFTER UPDATE ON jobs BEGIN DELETE FROM postings; END"
    file = with_database(backup, tmp_path, lambda each: each.execute(trigger))
    assert await refusal(file, tmp_path) == "The backup is damaged: its database has more than tables."


async def test_books_that_no_longer_balance_are_refused(backup: Path, tmp_path: Path) -> None:
    file = with_database(backup, tmp_path, lambda each: each.execute("UPDATE accounts SET granted = 1000000"))
    assert (await refusal(file, tmp_path)).startswith("The backup is damaged: its ledger does not balance")


async def test_backup_of_newer_version_is_named(backup: Path, tmp_path: Path) -> None:
    file = with_database(backup, tmp_path, lambda each: each.execute("UPDATE alembic_version SET version_num = '9999'"))
    said = await refusal(file, tmp_path)
    assert said.startswith(
        "This backup is from a newer version of Atelier (0.1.0, revision 9999). Install that version"
    )


async def test_backup_of_older_version_is_upgraded(backup: Path, tmp_path: Path) -> None:
    """Its database has the tables of the first migration alone."""
    old = tmp_path / "old.db"
    database = await Database.open(f"sqlite+aiosqlite:///{old}")

    def first(connection: Connection) -> None:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "0001")

    await database.write(first)
    await database.close()

    def replace(contents: dict[str, bytes]) -> None:
        contents["atelier.db"] = old.read_bytes()
        set_manifest(contents, database=describe_file(old).model_dump(), rows={})

    file = rewrite(backup, tmp_path / "old.zip", replace)
    settings = sqlite_settings(tmp_path / "to")
    restored = await restore(file, settings)
    assert restored.migrations[0] == "0002"
    assert (await all_rows(settings.database_address))["jobs"] == []


async def test_check_changes_nothing(backup: Path, tmp_path: Path) -> None:
    settings = sqlite_settings(tmp_path / "to")
    checked = await check_backup(settings, backup, NOW)
    assert (checked.pictures, checked.ended.waiting, checked.aside) == (1, 1, None)
    assert not settings.data_dir.exists()
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]


async def test_existing_file_is_not_replaced(backup: Path, tmp_path: Path) -> None:
    url = await SqliteDatabases(tmp_path).create(migrated=True)
    async with open_studio(url, tmp_path / "data", live=False) as studio:
        before = read(backup)
        with pytest.raises(BackupError, match=r"exists already\. Choose another name"):
            await create_backup(studio.settings, backup, NOW, pictures=False)
        assert read(backup) == before
        with pytest.raises(BackupError, match="is no folder"):
            await create_backup(studio.settings, tmp_path / "none" / "x.zip", NOW, pictures=False)


async def test_missing_database_is_not_created(tmp_path: Path) -> None:
    settings = sqlite_settings(tmp_path / "data")
    with pytest.raises(BackupError, match="There is no database yet"):
        await create_backup(settings, None, NOW, pictures=False)
    assert not settings.data_dir.exists()


async def test_empty_database_is_named_as_such(tmp_path: Path) -> None:
    settings = sqlite_settings(tmp_path)
    (tmp_path / "atelier.db").touch()
    with pytest.raises(BackupError, match="This database is empty"):
        await create_backup(settings, None, NOW, pictures=False)


async def test_copy_left_by_a_killed_backup_is_deleted_by_the_next(tmp_path: Path) -> None:
    url = await SqliteDatabases(tmp_path).create(migrated=True)
    folder = tmp_path / "backups"
    folder.mkdir()
    made = folder / ".atelier-backup.young", folder / ".atelier-backup.old", folder / ".atelier-backup.used"
    for path in made:
        path.mkdir()
        (path / "atelier.db").write_text("prompts")
    for path in made[1:]:
        os.utime(path, (0, 0))
    with lock(made[2]):
        created = await create_backup(settings_of(url, tmp_path), folder, NOW, pictures=False)
    assert {path.name for path in folder.iterdir()} == {created.file.name, made[0].name, made[2].name}


async def test_cancelled_backup_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = await SqliteDatabases(tmp_path).create(migrated=True)
    folder = tmp_path / "backups"
    folder.mkdir()

    async def stop(*_: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr("bot.backup.creation.copy_to_file", stop)
    with pytest.raises(asyncio.CancelledError):
        await create_backup(settings_of(url, tmp_path), folder, NOW, pictures=False)
    assert list(folder.iterdir()) == []


async def test_name_that_is_taken_meanwhile_is_not_replaced(backup: Path, tmp_path: Path) -> None:
    taken, link = tmp_path / "taken.zip", tmp_path / "link.zip"
    taken.write_bytes(b"another backup")
    link.symlink_to(tmp_path / "nowhere")
    with open_backup(backup) as opened:
        manifest = opened.manifest.model_copy(update={"pictures": None})
    for number, file in enumerate((taken, link)):
        workspace = tmp_path / f"work-{number}"
        workspace.mkdir()
        with pytest.raises(BackupError, match="exists already"):
            write_backup(file, manifest, backup, [], workspace, store=ImageStore(tmp_path))
    assert (taken.read_bytes(), link.is_symlink(), link.exists()) == (b"another backup", True, False)


@pytest.mark.parametrize("name", ["a" * 300 + ".zip", "a" * 300 + "/x.zip"])
async def test_name_that_no_disk_takes_is_no_fault_of_the_database(tmp_path: Path, name: str) -> None:
    url = await SqliteDatabases(tmp_path).create(migrated=True)
    with pytest.raises(BackupError, match=r"cannot be written to .*: File name too long"):
        await create_backup(settings_of(url, tmp_path), tmp_path / name, NOW, pictures=False)


async def test_unreachable_database_is_named(backup: Path, tmp_path: Path) -> None:
    settings = settings_of("postgresql+asyncpg://atelier@localhost:1/atelier", tmp_path)
    with pytest.raises(BackupError, match=r"^The database cannot be reached: .*`atelier doctor`"):
        await create_backup(settings, tmp_path, NOW, pictures=False)
    with pytest.raises(BackupError, match=r"^The database at localhost cannot be reached: .*`atelier doctor`"):
        await restore(backup, settings)


async def test_restore_counts_jobs_deleted_since_the_backup(backup: Path, tmp_path: Path) -> None:
    settings = sqlite_settings(tmp_path / "to")
    register = DeletionRegister(settings.data_dir / "deletions.txt", "")
    register.add_job("f" * 32, NOW)

    def register_one(connection: sqlite3.Connection) -> None:
        (job_id,) = connection.execute("SELECT id FROM jobs WHERE deleted_at IS NULL").fetchone()
        register.add_job(job_id, NOW)

    with_database(backup, tmp_path, register_one)
    restored = await restore(backup, settings)
    assert restored.deleted_jobs == 1
    assert "1 job deleted since then: the next start deletes them again." in "\n".join(restored_lines(restored))


@pytest.mark.parametrize("kept", [True, False])
async def test_restore_names_deletions_since_the_backup(backup: Path, tmp_path: Path, kept: bool) -> None:
    settings = sqlite_settings(tmp_path / "to", secret_key="k" * 32 if kept else None)
    DeletionRegister(settings.data_dir / "deletions.txt", SecretKey(b"k" * 32).name).add(-7, NOW)
    restored = await restore(backup, settings)
    assert (restored.deletions, restored.lost_deletions) == ((1, 0) if kept else (0, 1))
    said = "\n".join(restored_lines(restored))
    assert "1 deletion by members since then" in said
    assert ("start with the secret.key or SECRET_KEY of before" in said) is not kept
    assert not (settings.data_dir / "secret.key").exists()
