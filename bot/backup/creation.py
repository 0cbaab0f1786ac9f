"""Making a backup while the bot runs."""

import asyncio
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot import __version__
from bot.backup.archive import (
    BackupError,
    Manifest,
    describe_file,
    naming_the_database,
    reason,
    require_new,
    write_backup,
)
from bot.backup.database_copy import (
    copy_to_file,
    copy_without_secrets,
    integrity_faults,
    is_damage,
    is_disk_fault,
    kept_pictures,
    sqlite_url,
)
from bot.backup.workspace import open_workspace
from bot.factories import build_picture_store
from bot.images.picture_store import StoredImageName
from bot.settings import Settings
from db.audit import audit
from db.database import Database
from db.migrate import current_revision, pending_migrations
from db.restored_jobs import RestoredJobRepository

_FOLDER: Final = "backups"
_DAMAGED: Final = "The database is damaged, and nothing was written. Keep the file, and restore an earlier backup."


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The result of a backup."""

    file: Path
    manifest: Manifest
    missing_pictures: int


async def create_backup(settings: Settings, file: Path | None, now: datetime, *, pictures: bool) -> Created:
    """Write a backup of the database, and of the pictures if wanted.

    `file` may be a folder; without it, the backup goes to `backups` in the data folder.

    Raises:
        BackupError: it cannot be made; nothing is left behind.
    """
    folder = settings.data_dir / _FOLDER if file is None else file.parent
    try:
        target = await asyncio.to_thread(_choose_file, settings, file, now)
        folder = target.parent
        # Beside the backup: a copy of the database may be too large for the system's folder.
        with open_workspace(folder) as workspace:
            copy = workspace / "atelier.db"
            manifest, wanted = await _copy_database(settings, copy, now, pictures=pictures)
            store = build_picture_store(settings)
            written = await asyncio.to_thread(write_backup, target, manifest, copy, wanted, workspace, store=store)
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {folder}: {reason(error)}.") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        if is_disk_fault(error):
            raise BackupError(f"The disk of {folder} is full, or fails.") from error
        if is_damage(error):
            raise BackupError(_DAMAGED) from error
        raise
    return Created(file=target, manifest=written, missing_pictures=len(wanted) - (written.pictures or 0))


def _choose_file(settings: Settings, file: Path | None, now: datetime) -> Path:
    """Return the path of a new file in an existing folder."""
    url = make_url(settings.database_address)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        raise BackupError(f"There is no database yet: {url.database} does not exist.")
    folder = settings.data_dir / _FOLDER
    if file is None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen = file or folder
    target = chosen / f"atelier-{now:%Y%m%dT%H%M%SZ}.zip" if chosen.is_dir() else chosen
    require_new(target)
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent} is no folder.")
    return target


async def _copy_database(
    settings: Settings, file: Path, now: datetime, *, pictures: bool
) -> tuple[Manifest, list[StoredImageName]]:
    """Copy the database to a file and check the copy."""
    with naming_the_database():
        rows, made_from = await _copy_source(settings, file)
    copy = await Database.open(sqlite_url(file))
    try:
        if faults := await copy.read(integrity_faults):
            raise BackupError(f"The copy of the database is damaged: {faults[0]}.")
        problems = await copy.read(audit)
        live = await copy.read(lambda connection: RestoredJobRepository(connection).count_live())
        revision = await copy.read(current_revision)
        wanted = await copy.read(kept_pictures) if pictures else []
    finally:
        await copy.close()
    manifest = Manifest.model_validate(
        {
            "version": __version__,
            "revision": revision,
            "made_at": now,
            "made_from": made_from,
            "database": await asyncio.to_thread(describe_file, file),
            "rows": rows,
            "live_jobs": live,
            "ledger_faults": len(problems),
            "pictures": len(wanted) if pictures else None,
        }
    )
    return manifest, wanted


async def _copy_source(settings: Settings, file: Path) -> tuple[dict[str, int], str]:
    """Copy the database; return the numbers of rows by table, and its kind."""
    source = await Database.open(settings.database_address)
    try:
        if await source.read(current_revision) is None:
            raise BackupError("This database is empty. Name Atelier's in DATABASE_URL or DATA_DIR.")
        if await pending_migrations(source):
            raise BackupError(
                "This database is from an older version of Atelier. Make the backup with that version, or run"
                " `atelier migrate` first."
            )
        if await source.read(integrity_faults, long_running=True):
            raise BackupError(_DAMAGED)
        return await copy_to_file(source, file, copy_without_secrets), source.dialect
    finally:
        await source.close()
