"""Lines for the operator about a backup or a move."""

from collections.abc import Iterator
from typing import Final

from bot.backup.creation import Created
from bot.backup.database_move import Moved
from bot.backup.restoration import Restored

_TIME = "%Y-%m-%d at %H:%M UTC"

_MEGABYTE: Final = 1_000_000


def created_lines(created: Created) -> Iterator[str]:
    """Yield the contents of a new backup."""
    manifest = created.manifest
    yield f"Wrote {created.file}, {_file_size(created.file.stat().st_size)}. Only you can read it; it holds prompts."
    parts = [_count(manifest.rows.get("jobs", 0), "job")]
    if manifest.pictures is not None:
        parts.append(f"{_count(manifest.pictures, 'picture')} ({_file_size(manifest.picture_bytes)})")
    else:
        parts.append("no pictures (--pictures adds them)")
    yield f"It has {' and '.join(parts)}. Secrets are left out: keep .env and secret.key elsewhere."
    if created.missing_pictures:
        yield f"{_count(created.missing_pictures, 'picture')} were missing or damaged, and left out."
    if manifest.ledger_faults:
        yield f"The ledger does not balance: {_count(manifest.ledger_faults, 'mistake')}. `atelier audit` lists them."
    else:
        yield "The copy is sound, and its ledger balances."


def restored_lines(restored: Restored) -> Iterator[str]:
    """Yield the changes by a restore."""
    manifest = restored.manifest
    jobs = _count(manifest.rows.get("jobs", 0), "job")
    yield f"Restored the backup of {manifest.made_at:{_TIME}} with {jobs}."
    if restored.aside is not None:
        yield f"The earlier database is kept: {restored.aside}. Delete it once you do not need it."
    yield from _details(restored)
    yield "What happened since is not in it: jobs, grants, bans, and what they cost in this month's budget."


def checked_lines(restored: Restored) -> Iterator[str]:
    """Yield the result of a check."""
    manifest = restored.manifest
    jobs = _count(manifest.rows.get("jobs", 0), "job")
    yield f"This backup of {manifest.made_at:{_TIME}} with {jobs} can be restored. Nothing was changed."
    yield from _details(restored)


def moved_lines(moved: Moved) -> Iterator[str]:
    """Yield the result of a move, and the next step."""
    rows, jobs = _count(sum(moved.rows.values()), "row"), _count(moved.rows["jobs"], "job")
    yield f"Moved {rows} of {_count(len(moved.rows), 'table')}, with {jobs}, to {moved.target}."
    if moved.ledger_faults:
        faults = _count(moved.ledger_faults, "mistake")
        yield f"Each table has as many rows as before. The ledger does not balance, as before: {faults}."
    else:
        yield "Each table has as many rows as before, and the ledger balances."
    if moved.aside is not None:
        yield f"The database that was there is kept: {moved.aside}. Delete it once you do not need it."
    if moved.live_jobs:
        yield f"{_count(moved.live_jobs, 'job')} not ended: the next start goes on with them."
    yield f"The old one is unchanged: {moved.source}. Start no bot on it: its jobs would be made twice."
    yield "Next: set DATABASE_URL to the new address, and start the bot. DATA_DIR stays: it has the secret key."


def _details(restored: Restored) -> Iterator[str]:
    ended = restored.ended
    if ended.waiting:
        yield f"{_count(ended.waiting, 'waiting job')}: cancelled, and nothing charged. They may have ended since."
    if ended.at_provider:
        risk = "nobody pays for them, and what they may have cost counts against the budget"
        yield f"{_count(ended.at_provider, 'job')} at providers: given up; {risk}."
    if restored.deletions:
        deletions = _count(restored.deletions, "deletion")
        yield f"{deletions} by members since then: the next start carries out again what is in the backup."
    if restored.lost_deletions:
        deletions = _count(restored.lost_deletions, "deletion")
        yield f"{deletions} by members since then, of another key: start with the secret.key or SECRET_KEY of before."
    if restored.deleted_jobs:
        yield f"{_count(restored.deleted_jobs, 'job')} deleted since then: the next start deletes them again."
    if restored.migrations:
        yield f"Upgraded: {', '.join(restored.migrations)}."
    if restored.pictures:
        yield f"Pictures: {restored.pictures}."
    if restored.damaged_pictures:
        yield f"{_count(restored.damaged_pictures, 'picture')} in it are damaged."


def _file_size(size: int) -> str:
    megabytes, small = divmod(size, _MEGABYTE)
    return f"{size / _MEGABYTE:,.1f} MB" if megabytes else f"{small / 1000:,.0f} KB"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
