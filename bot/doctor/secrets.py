"""Checks of secrets in files and of the bot's own key."""

import shlex

from sqlalchemy import make_url

from bot.doctor.finding import Finding
from bot.secret_key import KEY_FILE, SecretKeyError, load_secret_key
from bot.settings import Settings
from bot.settings.secret_files import file_setting, is_open_to_others


async def check_secret_files(settings: Settings) -> list[Finding]:
    """List the secrets from files, and check their permissions."""
    files = settings.secret_files
    if not files:
        return []
    findings = [Finding(good=True, what=f"read from files: {', '.join(sorted(name.upper() for name in files))}")]
    for name, path in files.items():
        if is_open_to_others(path):
            what = f"{file_setting(name).upper()}: other users of this machine can read the file"
            remedy = f"Run: chmod o= {shlex.quote(str(path.absolute()))}"
            findings.append(Finding(good=True, what=what, remedy=remedy, is_warning=True))
    return findings


async def check_secret_key(settings: Settings) -> list[Finding]:
    """Check the file of the key, and the need of a shared one."""
    if settings.secret_key is not None:
        return [Finding(good=True, what="SECRET_KEY is set")]
    path = settings.data_dir / KEY_FILE
    if path.exists():
        try:
            load_secret_key(None, settings.data_dir)
        except SecretKeyError as error:
            return [Finding(good=False, what=str(error))]
    if make_url(settings.database_address).get_backend_name() != "sqlite":
        what = f"SECRET_KEY is not set: processes on several machines need the same, and {KEY_FILE} is in DATA_DIR"
        remedy = f"Set SECRET_KEY for all processes, to the content of {KEY_FILE} if there is one."
        return [Finding(good=True, what=what, remedy=remedy, is_warning=True)]
    there = f"is in {path.absolute()}: keep a copy apart from backups" if path.exists() else "will be made at the start"
    return [Finding(good=True, what=f"the bot's own key {there}")]
