"""Appeals against refusals by a server's prompt rules."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

APPEALABLE_FOR: Final = timedelta(days=1)
"""The time for which a refused prompt is kept for an appeal."""
ALLOWED_FOR: Final = timedelta(days=1)
"""The time for which an allowed prompt passes."""


class AppealState(StrEnum):
    """An appeal's state; the last three are decisions."""

    OFFERED = "offered"  # the member may appeal
    WAITING = "waiting"  # for a moderator
    ALLOWED = "allowed"  # this prompt passes for a day
    EXCEPTION = "exception"  # the server's rules allow its words from now on
    KEPT = "kept"  # refused


DECISIONS: Final = (AppealState.ALLOWED, AppealState.EXCEPTION, AppealState.KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """A refusal with its prompt.

    `text` is empty once prompts of its age are erased. `at` is the time of the refusal. `decided_by` is the moderator.
    """

    block_id: str
    guild_id: int
    member_id: int
    text: str
    state: AppealState
    at: datetime
    appealed_at: datetime | None = None
    decided_by: int | None = None
    decided_at: datetime | None = None


def text_digest(text: str) -> str:
    """Return the digest of a prompt's words, without their spaces."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
