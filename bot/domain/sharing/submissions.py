"""Submissions: pictures for the showcase, and moderators' decisions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from bot.domain.errors import SubmissionStateError

MAX_TITLE: Final = 80
"""Characters of a title."""
MAX_REASON: Final = 300
"""Characters of a decision's reason."""
MAX_PICTURES: Final = 10
"""Pictures of a submission: a gallery on Discord holds no more."""


class SubmissionState(StrEnum):
    """A submission's state. Those without a transition are final."""

    WAITING = "waiting"  # for a moderator
    CHANGES_ASKED = "changes"  # for its member
    APPROVED = "approved"  # in the showcase, or on its way there
    HIDDEN = "hidden"  # reported often; out of the showcase until a moderator decides
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # by its member
    TAKEN_DOWN = "takendown"

    @property
    def is_live(self) -> bool:
        """True while the pictures are, or may still get, in the showcase."""
        return bool(TRANSITIONS[self])

    @property
    def awaits_review(self) -> bool:
        """True while a moderator must decide."""
        return self in AWAITING_REVIEW


TRANSITIONS: Final[dict[SubmissionState, frozenset[SubmissionState]]] = {
    SubmissionState.WAITING: frozenset(
        {
            SubmissionState.APPROVED,
            SubmissionState.REFUSED,
            SubmissionState.CHANGES_ASKED,
            SubmissionState.WITHDRAWN,
            SubmissionState.TAKEN_DOWN,
        }
    ),
    # The member's revision is the same submission, so that the moderators see what they asked for.
    SubmissionState.CHANGES_ASKED: frozenset(
        {SubmissionState.WAITING, SubmissionState.WITHDRAWN, SubmissionState.TAKEN_DOWN}
    ),
    SubmissionState.APPROVED: frozenset(
        {SubmissionState.HIDDEN, SubmissionState.WITHDRAWN, SubmissionState.TAKEN_DOWN}
    ),
    SubmissionState.HIDDEN: frozenset(
        {SubmissionState.APPROVED, SubmissionState.WITHDRAWN, SubmissionState.TAKEN_DOWN}
    ),
    SubmissionState.REFUSED: frozenset(),
    SubmissionState.WITHDRAWN: frozenset(),
    SubmissionState.TAKEN_DOWN: frozenset(),
}
AWAITING_REVIEW: Final = (SubmissionState.WAITING, SubmissionState.HIDDEN)
LIVE: Final = tuple(state for state in SubmissionState if TRANSITIONS[state])


def check_transition(current: SubmissionState, wanted: SubmissionState) -> None:
    """Check a transition against the table.

    Raises:
        SubmissionStateError: the transition is not in the table.
    """
    if wanted not in TRANSITIONS[current]:
        raise SubmissionStateError(current, wanted)


class FlagKind(StrEnum):
    """A reason to look closely at a submission."""

    AGE_RESTRICTED = "age"  # made in an age-restricted channel
    FIRST = "first"  # the member's first submission in the server
    LIKE_TAKEN_DOWN = "takedown"  # similar to a picture on the list of takedowns
    PROMPT_RULE = "rule"  # a prompt rule in its dry run matches the prompt
    REPORTED = "reported"  # members reported the pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag of a submission; `detail` is a short word or a number."""

    kind: FlagKind
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionOptions:
    """The member's choices for a submission."""

    title: str = ""
    show_prompt: bool = True
    is_anonymous: bool = False
    is_spoiler: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Pictures of a job on their way to a server's showcase.

    `revision` grows with each transition. `positions` are pictures of the job, from 0. `is_age_restricted` is the
    job's flag, which no decision changes. `claimed_by` is the moderator at work until `claimed_until`. `decided_by` is
    the moderator of the latest decision; None if the server's rule, its member or members' reports decided.
    Times are aware UTC. `at` is the time of the latest transition, `waiting_since` that of the latest (re)submission.
    """

    id: str
    guild_id: int
    member_id: int
    job_id: str
    positions: tuple[int, ...]
    options: SubmissionOptions
    is_age_restricted: bool
    flags: tuple[Flag, ...]
    state: SubmissionState
    revision: int
    created_at: datetime
    waiting_since: datetime
    at: datetime
    claimed_by: int | None = None
    claimed_until: datetime | None = None
    decided_by: int | None = None
    reason: str = ""

    def is_claimed_by_other(self, moderator_id: int, now: datetime) -> bool:
        """Return whether another moderator holds the claim now."""
        return (
            self.claimed_by not in (None, moderator_id) and self.claimed_until is not None and self.claimed_until > now
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecord:
    """A member's submissions in a server, by their outcome."""

    approved: int = 0
    refused: int = 0
    taken_down: int = 0
    reports: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSummary:
    """A server's review queue: submissions, and since when the oldest waits."""

    waiting: int = 0
    oldest: datetime | None = None
