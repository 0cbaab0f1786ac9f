"""Classification of Discord's error codes."""

from enum import Enum, auto
from http import HTTPStatus
from typing import Final

import aiohttp
import discord

from bot.ui.delivery.bounded_requests import RateLimitError


class DiscordErrorKind(Enum):
    """Why a request to Discord came to nothing."""

    PASSING = auto()  # the service or the connection: trying again may help
    CLOSED = auto()  # not there any more, or no access: this way will not open again
    TOKEN_DEAD = auto()  # the interaction's token has run out
    ARCHIVED = auto()  # the thread must be opened first
    BLOCKED = auto()  # Cloudflare turns this client away: trying again helps only after long
    TOO_LARGE = auto()  # the files
    MALFORMED = auto()  # a fault of ours: the same request will be refused again


UNKNOWN_MESSAGE: Final = 10008
UNKNOWN_INTERACTION: Final = 10062
ALREADY_ACKNOWLEDGED: Final = 40060
AUTOMOD: Final = (200000, 240000)
"""Codes of a message that the server's AutoMod refuses."""
RETRYABLE: Final = frozenset({DiscordErrorKind.PASSING, DiscordErrorKind.BLOCKED})
"""Kinds of errors worth another try."""

_CODES: Final = {
    10003: DiscordErrorKind.CLOSED,  # unknown channel
    10004: DiscordErrorKind.CLOSED,  # unknown guild
    UNKNOWN_MESSAGE: DiscordErrorKind.CLOSED,
    10013: DiscordErrorKind.CLOSED,  # unknown user
    10015: DiscordErrorKind.TOKEN_DEAD,  # unknown webhook
    20009: DiscordErrorKind.CLOSED,  # explicit content may not be sent to this recipient
    30046: DiscordErrorKind.PASSING,  # too many edits of messages older than an hour
    40003: DiscordErrorKind.PASSING,  # opening direct messages too fast
    40005: DiscordErrorKind.TOO_LARGE,
    40333: DiscordErrorKind.BLOCKED,
    50001: DiscordErrorKind.CLOSED,  # missing access
    50007: DiscordErrorKind.CLOSED,  # cannot send messages to this user
    50013: DiscordErrorKind.CLOSED,  # missing permissions
    50027: DiscordErrorKind.TOKEN_DEAD,  # invalid webhook token
    50045: DiscordErrorKind.TOO_LARGE,
    50083: DiscordErrorKind.ARCHIVED,
    50008: DiscordErrorKind.CLOSED,  # not a channel for messages
    50024: DiscordErrorKind.CLOSED,  # not possible in this type of channel
    50278: DiscordErrorKind.CLOSED,  # no server in common with this user
    40067: DiscordErrorKind.CLOSED,  # the forum wants a tag, and has none for the bot
    160005: DiscordErrorKind.CLOSED,  # thread locked
    160006: DiscordErrorKind.PASSING,  # as many active threads as a server may have
    **dict.fromkeys(AUTOMOD, DiscordErrorKind.CLOSED),
}
_STATUSES: Final = {
    HTTPStatus.BAD_REQUEST: DiscordErrorKind.MALFORMED,
    HTTPStatus.FORBIDDEN: DiscordErrorKind.CLOSED,
    HTTPStatus.NOT_FOUND: DiscordErrorKind.CLOSED,
}
_NOT_DISCORDS_WORD: Final = 0


def classify(error: BaseException) -> DiscordErrorKind | None:
    """Return the kind of an error, or None for one of our own.

    Ours came neither from Discord nor from the connection to it.
    """
    if isinstance(error, discord.HTTPException):
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return DiscordErrorKind.TOO_LARGE  # also where only what stands before Discord says so
        if error.code == _NOT_DISCORDS_WORD and error.status != HTTPStatus.BAD_REQUEST:
            return DiscordErrorKind.PASSING  # a proxy's page or block: Discord's own word has a code
        return _CODES.get(error.code) or _STATUSES.get(error.status, DiscordErrorKind.PASSING)  # type: ignore[call-overload]
    if isinstance(error, (RateLimitError, discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError)):
        return DiscordErrorKind.PASSING
    return None
