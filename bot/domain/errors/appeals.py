"""Errors of appeals against refused prompts."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class AppealError(AtelierError):
    """An appeal cannot be made or decided."""

    code = "appeal"


class AppealGoneError(AppealError):
    """The refused prompt is no longer kept, or it is another member's."""

    code = "appeal_gone"


class AppealBegunError(AppealError):
    """The member appealed already; a moderator has not decided."""

    code = "appeal_begun"


class AppealDecidedError(AppealError):
    """A moderator decided: `by` at the time `at`, with an outcome `state`."""

    code = "appeal_decided"

    def __init__(self, *, state: str, by: int | None, at: datetime | None) -> None:
        super().__init__()
        self.state = state
        self.by = by
        self.at = at


class OwnAppealError(AppealError):
    """Nobody but an admin decides about their own appeal."""

    code = "own_appeal"
