"""Check of the space for pictures against the operator's limits."""

from bot.doctor.finding import Finding
from bot.images.disk_space import MEGABYTE, DiskSpace, FreeBytes, Shortage, free_bytes
from bot.settings import Settings
from db.database import Database
from db.faults import DATABASE_FAULTS
from db.file_references import stored_bytes


async def check_picture_space(settings: Settings, free: FreeBytes = free_bytes) -> list[Finding]:
    """Compare free disk and stored pictures with their limits."""
    space = DiskSpace(
        settings.storage_folders,
        min_free=settings.min_free_disk_mb * MEGABYTE,
        total=settings.max_stored_mb * MEGABYTE,
        free=free,
    )
    stored = await _stored(settings)
    space.set_stored(stored or 0)
    taken = f"pictures take {(stored or 0) // MEGABYTE:,} of {settings.max_stored_mb:,} MB (MAX_STORED_MB)"
    match space.shortage():
        case None:
            # Other checks report the database.
            return [] if stored is None else [Finding(good=True, what=taken)]
        case Shortage.TOTAL:
            what = f"{taken}: no new job is accepted"
            remedy = "Raise MAX_STORED_MB, or lower PICTURE_RETENTION_DAYS."
        case Shortage.DISK:
            what = f"less than {settings.min_free_disk_mb:,} MB (MIN_FREE_DISK_MB) of disk is free: no job is accepted"
            remedy = "Free space on the disk of DATA_DIR and of the database, or lower MIN_FREE_DISK_MB."
    return [Finding(good=False, what=what, remedy=remedy)]


async def _stored(settings: Settings) -> int | None:
    """Return the bytes of all stored pictures; None before the first start."""
    try:
        database = await Database.open(settings.database_address)
        try:
            return await database.read(stored_bytes, long_running=True)
        finally:
            await database.close()
    except DATABASE_FAULTS:
        return None
