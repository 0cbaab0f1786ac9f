"""Backups: one file with the database, and the pictures if wanted."""

from bot.backup.archive import BackupError
from bot.backup.creation import Created, create_backup
from bot.backup.report import checked_lines, created_lines, restored_lines
from bot.backup.restoration import Restored, check_backup, restore_backup

__all__ = [
    "BackupError",
    "Created",
    "Restored",
    "check_backup",
    "checked_lines",
    "create_backup",
    "created_lines",
    "restore_backup",
    "restored_lines",
]
