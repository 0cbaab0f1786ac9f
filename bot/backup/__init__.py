"""Backups of the database and the pictures, and moves of the database."""

from bot.backup.archive import BackupError
from bot.backup.creation import Created, create_backup
from bot.backup.database_move import Moved, move_database
from bot.backup.report import checked_lines, created_lines, moved_lines, restored_lines
from bot.backup.restoration import Restored, check_backup, restore_backup

__all__ = [
    "BackupError",
    "Created",
    "Moved",
    "Restored",
    "check_backup",
    "checked_lines",
    "create_backup",
    "created_lines",
    "move_database",
    "moved_lines",
    "restore_backup",
    "restored_lines",
]
