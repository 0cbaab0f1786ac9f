"""Errors of members above a limit of the studio."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class LimitError(AtelierError):
    """A member does something more often than the studio allows."""

    code = "limit"


class TooManyRequestsError(LimitError):
    """The member reached the limit of a minute; `retry_at` is its end."""

    code = "too_many_requests"

    def __init__(self, retry_at: datetime) -> None:
        super().__init__()
        self.retry_at = retry_at


class SearchRunningError(LimitError):
    """Earlier searches of the member are still running."""

    code = "search_running"
