"""Errors of reports and of their decisions."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class ReportError(AtelierError):
    """A picture cannot be reported, or a case not decided."""

    code = "report"


class NothingToReportError(ReportError):
    """The message has no picture of the studio."""

    code = "nothing_to_report"


class OwnPictureError(ReportError):
    """The picture is the member's own: they can delete it."""

    code = "own_picture"


class AlreadyReportedError(ReportError):
    """The member reported this picture before.

    `is_open`: the moderators have not decided yet.
    """

    code = "already_reported"

    def __init__(self, *, is_open: bool) -> None:
        super().__init__()
        self.is_open = is_open


class ReportLimitError(ReportError):
    """The member sent `limit` reports within a day already."""

    code = "report_limit"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class PicturesHiddenError(ReportError):
    """Members reported the pictures: they are hidden until a decision."""

    code = "pictures_hidden"


class CaseNotFoundError(ReportError):
    """There is no such case, or it is of another server."""

    code = "case_not_found"


class CaseClosedError(ReportError):
    """The case is decided. `by` is the moderator, None if nobody decided."""

    code = "case_closed"

    def __init__(self, *, outcome: str, by: int | None, at: datetime) -> None:
        super().__init__()
        self.outcome = outcome
        self.by = by
        self.at = at
