"""Errors of members' data: exports and deletions."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class PrivacyError(AtelierError):
    """A member's data cannot be exported or deleted now."""

    code = "privacy"


class ExportRunningError(PrivacyError):
    """The member's export is being built and sent."""

    code = "export_running"


class ExportTooSoonError(PrivacyError):
    """The member had an export already.

    The next one is possible at `again_at`.
    """

    code = "export_too_soon"

    def __init__(self, again_at: datetime) -> None:
        super().__init__()
        self.again_at = again_at


class DeletionRunningError(PrivacyError):
    """Everything about the member is being deleted, so nothing new is stored."""

    code = "deletion_running"
