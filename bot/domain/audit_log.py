"""Entries of the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A change or a decision.

    `guild_id` is 0 for the operator's. `target_id` is the member, role or channel concerned. `detail` has the values
    before and after; no prompts, keys or tokens.
    """

    id: str
    guild_id: int
    actor_id: int
    action: str
    at: datetime
    target_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
