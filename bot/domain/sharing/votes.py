"""Votes for submissions in the showcase."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

VOTES_SHOWN_AFTER: Final = timedelta(seconds=5)
"""Delay of a post's edit after a vote: votes of that time share one edit."""
OLD_VOTES_SHOWN_AFTER: Final = timedelta(seconds=60)
"""The same for posts older than an hour: Discord limits their edits more."""
OLD_POST: Final = timedelta(hours=1)

MOST_POSTS: Final = 50
"""The latest posts: their reactions are read, and they follow a change of the votes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteResult:
    """A member's vote after a press, and the count."""

    has_voted: bool
    count: int
