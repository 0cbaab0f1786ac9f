"""Backups of SQLite and PostgreSQL, restored to either."""

import asyncio
import sqlite3
import stat
import zipfile
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from bot.backup import BackupError, create_backup
from bot.backup.targets import BackupContents, target_of
from db.audit import audit
from db.backup_columns import ERASED
from db.columns import metadata
from db.database import Database
from db.history import HistoryRepository, HistoryScope
from db.process_lock import hold_process_lock
from db.search_index import SearchIndex, find_prompts
from db.tables import presets, workers
from tests.backup.studio import (
    NOW,
    PICTURE,
    SECRETS,
    all_rows,
    open_studio,
    restore,
    settings_of,
    sqlite_settings,
)
from tests.support.databases import Databases
from tests.support.factories import GUILD, MEMBER, make_context, make_id

SCOPE = HistoryScope(GUILD, MEMBER)


@pytest.fixture(params=["sqlite", "postgresql"])
def targets(request: pytest.FixtureRequest) -> Databases:
    """Return the factory of each kind of target in turn."""
    maker: Databases = request.getfixturevalue(f"{request.param}_databases")
    return maker


async def rows_without_secrets(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows as a backup has them."""
    rows = await all_rows(url)
    for name, erased in ERASED.items():
        keys = [column.key for column in metadata.tables[name].columns]
        rows[name] = sorted(
            (tuple(erased.get(key, value) for key, value in zip(keys, row, strict=True)) for row in rows[name]),
            key=repr,
        )
    return rows


def names_with(folder: Path, part: str) -> list[str]:
    """Return the names in a folder with this part, hidden ones too."""
    return [each.name for each in folder.iterdir() if part in each.name]


def damage_index(file: Path) -> None:
    """Overwrite a part of a database file."""
    with closing(sqlite3.connect(file)) as connection:
        wanted = "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'ix_jobs_member'"
        page, size = connection.execute(wanted).fetchone()
    content = bytearray(file.read_bytes())
    content[(page - 1) * size + 8 : (page - 1) * size + 72] = b"\xff" * 64
    file.write_bytes(content)


async def test_index_of_prompts_is_left_out_and_built_again(
    database_url: str, targets: Databases, tmp_path: Path
) -> None:
    """A restored studio is searched alike, before and after."""
    async with open_studio(database_url, tmp_path / "from", live=False) as studio:
        await studio.database.write(lambda each: each.exec_driver_sql("UPDATE jobs SET search_text = 'a red fox'"))
        await SearchIndex(studio.database).extend()
        expected = await studio.database.read(lambda each: HistoryRepository(each, SCOPE, "red fox").list_latest(100))
        file = await studio.backup()
    assert expected
    url = await targets.create(migrated=False)
    await restore(file, settings_of(url, tmp_path / "to"))
    restored = await Database.open(url)
    for is_indexed in (False, True):
        found = await restored.read(lambda each: HistoryRepository(each, SCOPE, "red fox").list_latest(100))
        assert found == expected
        assert (await restored.read(lambda each: find_prompts(each, "red fox")) is not None) is is_indexed
        await SearchIndex(restored).extend()
    await restored.close()
    await targets.drop(url)


async def test_every_row_is_restored_without_its_secrets(database_url: str, targets: Databases, tmp_path: Path) -> None:
    """Times, JSON, truth values, large numbers and missing values."""
    async with open_studio(database_url, tmp_path / "from", live=False) as studio:
        await studio.database.write(lambda each: each.exec_driver_sql("UPDATE jobs SET delivered_at = finished_at"))
        expected = await rows_without_secrets(database_url)
        file = await studio.backup()
    target = await targets.create(migrated=False)
    try:
        restored = await restore(file, settings_of(target, tmp_path / "to"))
        assert await all_rows(target) == expected
        assert restored.manifest.rows == {name: len(rows) for name, rows in expected.items()}
        assert all(expected[name] for name in ("jobs", "attempts", "postings", "presets", "preferences", "inputs"))
        database = await Database.open(target)
        assert await database.read(audit) == []
        await database.close()
    finally:
        await targets.drop(target)


async def test_no_secret_is_in_the_file(database_url: str, tmp_path: Path) -> None:
    """Not even in unused parts of its pages."""
    async with open_studio(database_url, tmp_path / "data") as studio:
        file = await studio.backup(pictures=True)
    with zipfile.ZipFile(file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"a fox, done" in content
    assert [each for each in SECRETS if each.encode() in content] == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == [file.name]


async def test_backup_beside_writes_has_one_state(database_url: str, tmp_path: Path) -> None:
    """A job made meanwhile is in it with its hold, or not at all."""
    async with open_studio(database_url, tmp_path / "data", live=False) as studio:
        copying = asyncio.create_task(studio.backup())
        made = 0
        while not copying.done() or not made:
            await studio.harness.create_job(place=make_context(member_id=MEMBER + made))
            made += 1
    restored = await restore(await copying, sqlite_settings(tmp_path / "to"))
    assert restored.manifest.ledger_faults == 0
    assert restored.ended.waiting == restored.manifest.live_jobs < made


async def test_pictures_are_restored_once_and_damaged_ones_left_out(
    sqlite_databases: Databases, tmp_path: Path
) -> None:
    url = await sqlite_databases.create(migrated=True)
    async with open_studio(url, tmp_path / "from", live=False) as studio:
        file = await studio.backup(pictures=True)
        (stored,) = (tmp_path / "from" / "pictures").glob("??/??/*.png")
        stored.write_bytes(b"bits have fallen over")
        damaged = await create_backup(studio.settings, tmp_path / "damaged.zip", NOW, pictures=True)
    assert (damaged.manifest.pictures, damaged.missing_pictures) == (0, 2)
    settings = sqlite_settings(tmp_path / "to")
    assert (await restore(file, settings)).pictures == 1
    (picture,) = settings.data_dir.glob("pictures/??/??/*.png")
    assert picture.read_bytes() == PICTURE
    assert picture.name == stored.name
    assert (await restore(file, settings, force=True)).pictures == 0


async def test_used_database_is_replaced_by_force_alone_and_kept(database_url: str, tmp_path: Path) -> None:
    async with open_studio(database_url, tmp_path / "data", live=False) as studio:
        file = await studio.backup()
        await studio.database.write(lambda each: each.exec_driver_sql("UPDATE presets SET name = 'since'"))
    before = await all_rows(database_url)
    with pytest.raises(BackupError, match=r"in use already, and nothing was changed\. With --force"):
        await restore(file, studio.settings)
    assert await all_rows(database_url) == before

    restored = await restore(file, studio.settings, force=True)
    assert (await all_rows(database_url))["presets"][0][3] == "X"
    assert restored.aside is not None
    if database_url.startswith("sqlite"):
        assert await all_rows(f"sqlite+aiosqlite:///{restored.aside}") == before
    else:
        database = await Database.open(database_url)
        schema = restored.aside.removeprefix("schema ")
        wanted = select(presets.c.name).execution_options(schema_translate_map={None: schema})
        kept = await database.read(lambda each: each.execute(wanted).scalar())
        await database.close()
        assert kept == "since"


async def test_database_of_a_running_bot_is_left_alone(database_url: str, tmp_path: Path) -> None:
    async with open_studio(database_url, tmp_path / "data", live=False) as studio:
        file = await studio.backup()
        lease = {"id": make_id(), "started_at": NOW, "expires_at": NOW + timedelta(hours=1, seconds=9)}
        await studio.database.write(lambda each: each.execute(insert(workers), lease))
    before = await all_rows(database_url)
    with ExitStack() as running:
        if database_url.startswith("sqlite"):
            running.enter_context(hold_process_lock(Path(database_url.removeprefix("sqlite+aiosqlite:///"))))
        with pytest.raises(BackupError, match="A bot runs on this database"):
            await restore(file, studio.settings, force=True)
    assert await all_rows(database_url) == before


async def test_damaged_database_is_not_backed_up(tmp_path: Path, sqlite_databases: Databases) -> None:
    url = await sqlite_databases.create(migrated=True)
    async with open_studio(url, tmp_path / "data", live=False) as studio:
        pass
    damage_index(Path(url.removeprefix("sqlite+aiosqlite:///")))
    with pytest.raises(BackupError, match="The database is damaged, and nothing was written"):
        await create_backup(studio.settings, tmp_path / "no.zip", NOW, pictures=False)
    assert not names_with(tmp_path, "no.zip")


async def test_bot_that_starts_during_a_restore_keeps_its_database(
    postgresql_databases: Databases, tmp_path: Path
) -> None:
    url = await postgresql_databases.create(migrated=True)
    target = target_of(url, NOW)
    async with target.reserve(force=False):
        async with open_studio(url, tmp_path / "data", live=False) as studio:
            lease = {"id": make_id(), "started_at": NOW, "expires_at": NOW + timedelta(seconds=9)}
            await studio.database.write(lambda each: each.execute(insert(workers), lease))
        before = await all_rows(url)
        with pytest.raises(BackupError, match="A bot runs on this database"):
            await target.replace(tmp_path / "none.db", BackupContents())
    assert await all_rows(url) == before
