"""Restoring a backup in place of the database of the settings."""

import asyncio
import os
import secrets
import sqlite3
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.backup.archive import STORE_FAILED, BackupError, BackupReader, Manifest, open_backup, reason, require_space
from bot.backup.database_copy import has_foreign_objects, integrity_faults, is_disk_fault, sqlite_url
from bot.backup.targets import BackupContents, target_of
from bot.backup.workspace import open_workspace
from bot.container import end_restored_jobs
from bot.engine.restored_jobs import EndedJobs
from bot.factories import build_picture_store
from bot.images.local_copies import MOST_BYTES
from bot.images.store_faults import PictureStoreError
from bot.secret_key import SecretKeyError, find_secret_key
from bot.services.deletion_register import FILE_NAME as DELETIONS_FILE
from bot.services.deletion_register import DeletionRegister
from bot.settings import Settings
from db.audit import audit
from db.database import Database
from db.deletions import DeletionRepository
from db.job_deletions import JobDeletionRepository
from db.migrate import NewerDatabaseError, migrate

_DAMAGED: Final = "The backup is damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The result of a restore, or of a check.

    `aside` is the place of the earlier database. `damaged_pictures` were left out. `deletions` by members are newer
    than the backup, and so are `lost_deletions`, of another key than the present one, and `deleted_jobs`.
    """

    manifest: Manifest
    migrations: list[str]
    ended: EndedJobs
    pictures: int = 0
    damaged_pictures: int = 0
    aside: str | None = None
    deletions: int = 0
    lost_deletions: int = 0
    deleted_jobs: int = 0


async def restore_backup(settings: Settings, file: Path, now: datetime, *, force: bool) -> Restored:
    """Put a backup in place of the database, and store its pictures.

    Raises:
        BackupError: it cannot be restored; the database is as it was.
    """
    folder = _folder_of(settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = target_of(settings.database_address, now)
        with open_backup(file) as backup, open_workspace(folder) as temporary:
            async with target.reserve(force=force):
                staged = temporary / "atelier.db"
                restored = await _stage(settings, backup, staged, now)
                stored, damaged = await asyncio.to_thread(_store_pictures, settings, backup)
                aside = await target.replace(staged, BackupContents())
    except PictureStoreError as error:
        raise BackupError(STORE_FAILED.format(problem=error.problem)) from error
    except OSError as error:
        raise BackupError(f"The backup cannot be restored: {reason(error)}.") from error
    return replace(restored, pictures=stored, damaged_pictures=damaged, aside=aside)


async def check_backup(settings: Settings, file: Path, now: datetime) -> Restored:
    """Restore a backup to a temporary file only.

    Raises:
        BackupError: it could not be restored.
    """
    # Backups may be on a disk that is mounted for reading alone.
    folder = file.parent if os.access(file.parent, os.W_OK) else Path(tempfile.gettempdir())
    try:
        with open_backup(file) as backup, open_workspace(folder) as temporary:
            restored = await _stage(settings, backup, temporary / "atelier.db", now)
            checked = await asyncio.to_thread(_check_pictures, backup, temporary)
    except OSError as error:
        raise BackupError(f"The backup cannot be checked in {folder}: {reason(error)}.") from error
    return replace(restored, pictures=checked, damaged_pictures=len(backup.pictures) - checked)


def _folder_of(settings: Settings) -> Path:
    """Return the folder on the disk of the database, or of the data."""
    url = make_url(settings.database_address)
    is_file = url.get_backend_name() == "sqlite"
    return (Path(str(url.database)).resolve().parent if is_file else settings.data_dir).absolute()


async def _stage(settings: Settings, backup: BackupReader, file: Path, now: datetime) -> Restored:
    """Extract the database, prove it, migrate it, and end its live jobs."""
    # Twice: a migration may rewrite all of it.
    await asyncio.to_thread(require_space, file.parent, 2 * backup.manifest.database.size)
    await asyncio.to_thread(backup.extract_database, file)
    try:
        if await asyncio.to_thread(has_foreign_objects, file):
            raise BackupError(f"{_DAMAGED}: its database has more than tables.")
        database = await Database.open(sqlite_url(file))
        try:
            return await _prove(settings, database, backup.manifest, now)
        finally:
            await database.close()
    except NewerDatabaseError as error:
        newer = (
            f"This backup is from a newer version of Atelier ({backup.manifest.version}, revision {error.revision})."
        )
        raise BackupError(f"{newer} Install that version, and restore it there.") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        if is_disk_fault(error):
            raise BackupError(f"The disk of {file.parent.parent} is full, or fails.") from error
        raise BackupError(f"{_DAMAGED}: its database cannot be used ({type(error).__name__}).") from error


async def _prove(settings: Settings, database: Database, manifest: Manifest, now: datetime) -> Restored:
    if faults := await database.read(integrity_faults, long_running=True):
        raise BackupError(f"{_DAMAGED}: {faults[0]}.")
    migrations = await migrate(database)
    ended = await end_restored_jobs(settings, database, now)
    problems = await database.read(audit, long_running=True)
    if len(problems) > manifest.ledger_faults:
        raise BackupError(f"{_DAMAGED}: its ledger does not balance, and did when it was made. {problems[0]}.")
    register = await asyncio.to_thread(_register_of, settings)
    newer, lost = await asyncio.to_thread(lambda: (register.read(), register.read_of_other_keys()))
    job_ids = [*await asyncio.to_thread(register.read_jobs)]
    return Restored(
        manifest=manifest,
        migrations=migrations,
        ended=ended,
        deletions=len(await database.read(lambda connection: DeletionRepository(connection).list_forgotten(newer))),
        lost_deletions=len(await database.read(lambda connection: DeletionRepository(connection).list_forgotten(lost))),
        deleted_jobs=await database.read(lambda connection: JobDeletionRepository(connection).count_undeleted(job_ids)),
    )


def _register_of(settings: Settings) -> DeletionRegister:
    """Return the register of deletions, with the present key's name."""
    configured = settings.secret_key
    try:
        key = find_secret_key(None if configured is None else configured.get_secret_value(), settings.data_dir)
    except SecretKeyError as error:
        raise BackupError(str(error)) from None
    return DeletionRegister(settings.data_dir / DELETIONS_FILE, "" if key is None else key.name)


def _store_pictures(settings: Settings, backup: BackupReader) -> tuple[int, int]:
    """Store the missing pictures; return the stored and the damaged ones."""
    store = build_picture_store(settings)
    missing = [name for name in backup.pictures if store.find_size(name.sha256, name.media_type) is None]
    if not missing:
        return 0, 0
    # In a bucket they take no space of this disk but for the copies.
    needed = backup.size_of(missing) if settings.object_store is None else MOST_BYTES
    require_space(store.temporary(), needed)
    damaged = 0
    for name in missing:
        temporary = store.temporary() / f"restore-{secrets.token_hex(8)}"
        try:
            if backup.extract_picture(name, temporary):
                store.add(temporary, name)
            else:
                damaged += 1
        finally:
            temporary.unlink(missing_ok=True)
    return len(missing) - damaged, damaged


def _check_pictures(backup: BackupReader, folder: Path) -> int:
    """Return the number of undamaged pictures."""
    sound = 0
    for name in backup.pictures:
        file = folder / "picture"
        sound += backup.extract_picture(name, file)
        file.unlink()
    return sound
