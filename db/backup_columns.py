"""Parts of the database left out of backups.

Secrets, addresses with secrets in them, and rows that live for minutes. Servers' keys are left out although they are
encrypted: a removed one must not come back with an older backup. Prompts stay too, and `/privacy` documents that.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Table

from db.columns import metadata
from db.tables import attempts, audit_checkpoints, drafts, exports, forms, guild_keys, inputs, jobs, searches, workers

LEFT_OUT: Final = frozenset(table.name for table in (audit_checkpoints, workers, drafts, exports, forms, searches))
"""Tables without rows in a backup."""

ERASED: Final[Mapping[str, Mapping[str, Any]]] = {
    jobs.name: {"token": None, "owner": None},
    attempts.name: {"webhook_hash": None, "result": []},
    guild_keys.name: {"ciphertext": ""},
    inputs.name: {"url": None, "provider_url": None, "token_hash": None},
}
"""Columns without their values in a backup, with the value in their place."""


def copied_tables() -> list[Table]:
    """Return the tables of a backup, in the order of their references."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]
