"""Errors of sharing and of its review."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class SharingError(AtelierError):
    """A picture cannot be shared, or a submission not changed."""

    code = "sharing"


class SubmissionNotFoundError(SharingError):
    """No such submission, or the member may not see it."""

    code = "submission_not_found"


class SubmissionStateError(SharingError):
    """The transition `wanted` is illegal from `state`."""

    code = "submission_state"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__()
        self.state = state
        self.wanted = wanted


class AlreadyDecidedError(SharingError):
    """Somebody else was faster.

    `state` is the submission's now. `by` is the moderator; None if its member, a rule or reports decided.
    """

    code = "already_decided"

    def __init__(self, *, state: str, by: int | None, at: datetime) -> None:
        super().__init__()
        self.state = state
        self.by = by
        self.at = at


class SubmissionClaimedError(SharingError):
    """The moderator `by` is at work on the submission until `until`."""

    code = "submission_claimed"

    def __init__(self, *, by: int, until: datetime) -> None:
        super().__init__()
        self.by = by
        self.until = until


class AlreadySharedError(SharingError):
    """The picture is in a submission already, with a `state`."""

    code = "already_shared"

    def __init__(self, *, submission_id: str, state: str) -> None:
        super().__init__()
        self.submission_id = submission_id
        self.state = state


class RefusedBeforeError(SharingError):
    """The server's moderators refused the picture, or took it down."""

    code = "refused_before"

    def __init__(self, *, reason: str) -> None:
        super().__init__()
        self.reason = reason


class SharingOffError(SharingError):
    """The server has no showcase channel, or no channel for the review.

    `is_review` tells which one is missing.
    """

    code = "sharing_off"

    def __init__(self, *, is_review: bool) -> None:
        super().__init__()
        self.is_review = is_review


class AnonymousOffError(SharingError):
    """The server's rules allow no anonymous submission."""

    code = "anonymous_off"


class PicksPostedError(SharingError):
    """The picks of this week are posted already."""

    code = "picks_posted"


class OwnVoteError(SharingError):
    """Members cannot vote for their own pictures."""

    code = "own_vote"


class SubmissionLimitError(SharingError):
    """The member's `limit` waiting submissions are reached."""

    code = "submission_limit"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class NotShareableError(SharingError):
    """A message has no pictures of the member's from here."""

    code = "not_shareable"


class AgeRestrictedShareError(SharingError):
    """Pictures of an age-restricted channel may not be shown in a channel.

    The channel is the server's showcase, or that of the review if `is_review`.
    """

    code = "age_restricted_share"

    def __init__(self, *, channel_id: int, is_review: bool) -> None:
        super().__init__()
        self.channel_id = channel_id
        self.is_review = is_review
