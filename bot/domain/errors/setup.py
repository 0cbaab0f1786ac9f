"""Errors of the fields of a server's setup."""

from bot.domain.errors.base import AtelierError


class SetupError(AtelierError):
    """A field of the setup cannot be read."""

    code = "setup"


class UnknownTimeZoneError(SetupError):
    """No time zone has this name, or several may be meant: the suggestions."""

    code = "unknown_time_zone"

    def __init__(self, typed: str, suggestions: tuple[str, ...]) -> None:
        super().__init__()
        self.typed = typed
        self.suggestions = suggestions


class RefusalReasonsError(SetupError):
    """There are more than `most` reasons, or one is longer than `longest`."""

    code = "refusal_reasons"

    def __init__(self, *, most: int, longest: int) -> None:
        super().__init__()
        self.most = most
        self.longest = longest


class ModeratorRoleError(SetupError):
    """A role names no moderators: it is everyone's or a bot's."""

    code = "moderator_role"

    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role
