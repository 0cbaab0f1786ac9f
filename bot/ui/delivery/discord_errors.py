"""What Discord's refusals mean for a message: the one table of its error codes."""

from enum import Enum, auto
from http import HTTPStatus
from typing import Final

import aiohttp
import discord


class Trouble(Enum):
    """Why a request to Discord came to nothing."""

    PASSING = auto()  # the service or the connection: trying again may help
    CLOSED = auto()  # not there any more, or no access: this way will not open again
    TOKEN_DEAD = auto()  # the interaction's token has run out
    ARCHIVED = auto()  # the thread must be opened first
    TOO_LARGE = auto()  # the files
    MALFORMED = auto()  # a fault of ours: the same request will be refused again


UNKNOWN_MESSAGE: Final = 10008
_CODES: Final = {
    10003: Trouble.CLOSED,  # unknown channel
    10004: Trouble.CLOSED,  # unknown guild
    UNKNOWN_MESSAGE: Trouble.CLOSED,
    10013: Trouble.CLOSED,  # unknown user
    10015: Trouble.TOKEN_DEAD,  # unknown webhook
    40003: Trouble.PASSING,  # opening direct messages too fast
    40005: Trouble.TOO_LARGE,
    40333: Trouble.PASSING,  # an internal network error
    50001: Trouble.CLOSED,  # missing access
    50007: Trouble.CLOSED,  # cannot send messages to this user
    50013: Trouble.CLOSED,  # missing permissions
    50027: Trouble.TOKEN_DEAD,  # invalid webhook token
    50083: Trouble.ARCHIVED,
    50278: Trouble.CLOSED,  # no server in common with this user
}
_STATUSES: Final = {
    HTTPStatus.BAD_REQUEST: Trouble.MALFORMED,
    HTTPStatus.FORBIDDEN: Trouble.CLOSED,
    HTTPStatus.NOT_FOUND: Trouble.CLOSED,
}
_NOT_DISCORDS_WORD: Final = 0


def classify(error: BaseException) -> Trouble | None:
    """Return what an exception means; None where it came neither from Discord nor from the connection to it."""
    if isinstance(error, discord.HTTPException):
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Trouble.TOO_LARGE  # also where only what stands before Discord says so
        if error.code == _NOT_DISCORDS_WORD and error.status != HTTPStatus.BAD_REQUEST:
            return Trouble.PASSING  # a proxy's page or block: Discord's own word has a code
        return _CODES.get(error.code) or _STATUSES.get(error.status, Trouble.PASSING)  # type: ignore[call-overload]
    if isinstance(error, (discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError)):
        return Trouble.PASSING
    return None
