"""Checks of file permissions."""

import shlex
import stat
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from bot.doctor.finding import Finding
from bot.settings import ENV_FILE, Settings

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


async def check_permissions(settings: Settings) -> list[Finding]:
    """Check that `.env` and the data are readable by their owner alone."""
    url = make_url(settings.database_address)
    database = Path(str(url.database)) if url.get_backend_name() == "sqlite" else None
    folder = settings.data_dir
    findings = [_open_to_others(ENV_FILE, "chmod 600"), _open_to_others(folder, "chmod -R go=")]
    inside = database is not None and database.absolute().is_relative_to(folder.absolute())
    if database is not None and not (inside and _mode(folder) & _OTHERS == 0):
        # The log beside it holds the latest rows, and gets the mode of the database.
        findings.append(_open_to_others(database, "chmod 600"))
    found = [finding for finding in findings if finding is not None]
    return found or [Finding(good=True, what="other users of this machine can read neither .env nor the data")]


def _open_to_others(path: Path, command: str) -> Finding | None:
    mode = _mode(path)
    if mode & _OTHERS == 0:
        return None
    path = path.absolute()
    return Finding(
        good=True,
        what=f"{path} is open to other users of this machine (mode {mode:04o})",
        remedy=f"Run: {command} {shlex.quote(str(path))}",
        is_warning=True,
    )


def _mode(path: Path) -> int:
    """Return a file's permission bits; 0 if missing or out of reach."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
