"""The composition root: every part is built and wired here."""

from bot.container.foundation import new_id
from bot.container.product import Container
from bot.container.startup import command_payload, end_restored_jobs, open_database, run, sync_commands

__all__ = ["Container", "command_payload", "end_restored_jobs", "new_id", "open_database", "run", "sync_commands"]
