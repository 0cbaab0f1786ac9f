"""Errors of challenges."""

from collections.abc import Collection
from datetime import datetime

from bot.domain.errors.sharing import SharingError


class ChallengeError(SharingError):
    """A challenge cannot be started, entered or voted in."""

    code = "challenge"


class ChallengeGoneError(ChallengeError):
    """No such challenge, or it has ended."""

    code = "challenge_gone"


class ChallengeStateError(ChallengeError):
    """The challenge takes no entries, or no votes; its `state` says why."""

    code = "challenge_state"

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state


class ChallengeTimesError(ChallengeError):
    """The times for entries or votes are too short or too long."""

    code = "challenge_times"


class ChallengePlaceError(ChallengeError):
    """The bot may not post pictures in the channel."""

    code = "challenge_place"


class ChallengeLimitError(ChallengeError):
    """The server already has `limit` challenges."""

    code = "challenge_limit"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class ChallengeFullError(ChallengeError):
    """The challenge already has `limit` entries."""

    code = "challenge_full"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class AlreadyEnteredError(ChallengeError):
    """The member has an entry in the challenge."""

    code = "already_entered"


class OwnEntryError(ChallengeError):
    """Nobody votes for their own entry."""

    code = "own_entry"


class NoVotesLeftError(ChallengeError):
    """The member voted for `limit` entries already."""

    code = "no_votes_left"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class PrizeError(ChallengeError):
    """The prize is more than the `left` credits of the server's budget.

    The budget is renewed at `renews_at`.
    """

    code = "prize"

    def __init__(self, *, left: int, renews_at: datetime) -> None:
        super().__init__()
        self.left = left
        self.renews_at = renews_at


class RoleNeededToVoteError(ChallengeError):
    """In this server, only the `roles` vote."""

    code = "role_needed_to_vote"

    def __init__(self, roles: Collection[int]) -> None:
        super().__init__()
        self.roles = tuple(sorted(roles))
