"""Errors of duels."""

from datetime import datetime

from bot.domain.errors.base import AtelierError


class DuelError(AtelierError):
    """A duel cannot be made, or this cannot be done with it."""

    code = "duel"


class SameModelError(DuelError):
    """A model was chosen twice for a duel."""

    code = "same_model"

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model


class DuelGoneError(DuelError):
    """There is no such duel any more."""

    code = "duel_gone"


class VoteClosedError(DuelError):
    """The vote of a duel is not open.

    `ended_at` is None if it has not begun.
    """

    code = "vote_closed"

    def __init__(self, ended_at: datetime | None = None) -> None:
        super().__init__()
        self.ended_at = ended_at


class OwnDuelError(DuelError):
    """The organizer of a duel knows its models, and has no vote."""

    code = "own_duel"


class DuelHiddenError(DuelError):
    """Discord shows the duel to its organizer alone, so nobody could vote."""

    code = "duel_hidden"


class DuelOpenError(DuelError):
    """A picture of a duel cannot be shared or changed before its end.

    Its post, or the new picture, tells the model. `ends_at` is the end of the vote; None if it has not begun.
    """

    code = "duel_open"

    def __init__(self, ends_at: datetime | None = None) -> None:
        super().__init__()
        self.ends_at = ends_at
