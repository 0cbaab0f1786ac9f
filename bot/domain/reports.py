"""Members' reports of pictures, and moderators' decisions about them."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

MAX_WORDS: Final = 500
"""Characters of a report's own words."""
REPORTS_A_DAY: Final = 10
"""Reports of a member within 24 hours, in a server."""
MISUSE_LIMIT: Final = 1
"""The same for a member with many dismissed reports."""
DISMISSED_FOR_MISUSE: Final = 5
"""Dismissed reports within `MISUSE_WINDOW` from which on a member is limited, if most of theirs were dismissed."""
MISUSE_WINDOW: Final = timedelta(days=30)
REPORT_DAY: Final = timedelta(days=1)


class ReportReason(StrEnum):
    """A reason to choose in the form."""

    SEXUAL = "sexual"
    VIOLENCE = "violence"
    HATE = "hate"
    PERSON = "person"  # shows a real person
    COPYRIGHT = "copyright"
    RULES = "rules"  # against the server's rules
    OTHER = "other"


class ReportOutcome(StrEnum):
    """The end of a case. All but the last two are moderators' decisions."""

    TAKEN_DOWN = "takedown"
    DISMISSED = "dismissed"
    BANNED_FROM_SHARING = "bansharing"  # taken down, too
    BANNED_FROM_STUDIO = "banstudio"  # taken down, too
    GONE = "gone"  # the picture was deleted meanwhile

    @property
    def takes_down(self) -> bool:
        """True if the picture is taken down."""
        return self not in (ReportOutcome.DISMISSED, ReportOutcome.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A member's report. `position` is the picture; None is all of the job."""

    case_id: str
    member_id: int
    reason: ReportReason
    at: datetime
    position: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCase:
    """All reports of a job until a decision; one card for the moderators.

    `closed_by` is the moderator; None while it is open, and if nobody decided. From `hidden_at` on the job's card shows
    no pictures, until it is closed.
    """

    id: str
    guild_id: int
    job_id: str
    at: datetime
    closed_at: datetime | None = None
    closed_by: int | None = None
    outcome: ReportOutcome | None = None
    hidden_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """A member's reports of the last time, by their outcome."""

    today: int = 0
    dismissed: int = 0
    upheld: int = 0

    @property
    def is_misuse(self) -> bool:
        """True if most of many reports were dismissed."""
        return self.dismissed >= DISMISSED_FOR_MISUSE and self.dismissed > self.upheld

    @property
    def limit(self) -> int:
        """The reports of a day."""
        return MISUSE_LIMIT if self.is_misuse else REPORTS_A_DAY


def reasons_of(reports: tuple[Report, ...]) -> list[tuple[ReportReason, int]]:
    """Return the reasons of reports with their numbers, most frequent first."""
    return Counter(each.reason for each in reports).most_common()


def positions_of(reports: tuple[Report, ...]) -> frozenset[int] | None:
    """Return the reported pictures, None for the whole job."""
    positions = {each.position for each in reports}
    return None if None in positions else frozenset(each for each in positions if each is not None)
