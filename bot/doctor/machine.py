"""Checks of the machine: free disk and memory."""

import os
import re
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from bot.doctor.finding import Finding
from bot.settings import Settings

MIB: Final = 1024 * 1024
NEEDED_DISK: Final = 1024 * MIB
"""Free disk below which pictures may soon fill it."""
LEAST_DISK: Final = 64 * MIB
"""Free disk below which the database itself may fail."""
NEEDED_MEMORY: Final = 700 * MIB
"""Memory of all processes while large pictures are decoded."""

# Limits of a container; "max" means none.
_CGROUP_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MEMINFO: Final = Path("/proc/meminfo")


async def check_disk(settings: Settings) -> list[Finding]:
    """Check the free disk below the data folder and the database."""
    url = make_url(settings.database_address)
    folders = [settings.data_dir, settings.picture_folder]
    if url.get_backend_name() == "sqlite":
        folders.append(Path(str(url.database)).parent)
    seen: set[int] = set()
    findings = []
    for folder in folders:
        try:
            device, disk = folder.stat().st_dev, os.statvfs(folder)
        except OSError:
            continue  # other checks report the folder
        if device not in seen:
            seen.add(device)
            inodes = disk.f_favail if disk.f_files else None  # some file systems count none
            findings.append(_disk(folder.absolute(), disk.f_bavail * disk.f_frsize, inodes))
    return findings


def _disk(folder: Path, free: int, inodes: int | None) -> Finding:
    if inodes == 0:
        what, remedy = f"the disk of {folder} has no inode free", "Delete files, or move DATA_DIR to another disk."
        return Finding(good=False, what=what, remedy=remedy)
    what = f"the disk of {folder} has {free // MIB:,} MiB free"
    if free >= NEEDED_DISK:
        return Finding(good=True, what=what)
    remedy = f"Free {NEEDED_DISK // MIB:,} MiB, move DATA_DIR to a larger disk, or lower PICTURE_RETENTION_DAYS."
    return Finding(good=free >= LEAST_DISK, what=what, remedy=remedy, is_warning=True)


async def check_memory(_: Settings) -> list[Finding]:
    """Compare the memory of the machine or container with the need."""
    total = memory_limit()
    return [] if total is None else [_memory(total)]


def _memory(total: int) -> Finding:
    what = f"the bot may use {total // MIB:,} MiB of memory"
    if total >= NEEDED_MEMORY:
        return Finding(good=True, what=what)
    remedy = f"Large pictures need up to {NEEDED_MEMORY // MIB:,} MiB: raise the container's limit, or add memory."
    return Finding(good=True, what=what, remedy=remedy, is_warning=True)


def memory_limit() -> int | None:
    """Return the container's or machine's memory; None if unknown."""
    limits = [int(text) for path in _CGROUP_LIMITS if (text := _read(path).strip()).isdecimal()]
    machine = re.search(r"^MemTotal:\s+(\d+) kB", _read(_MEMINFO), re.MULTILINE)
    if machine is not None:
        limits.append(int(machine[1]) * 1024)
    return min(limits, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
