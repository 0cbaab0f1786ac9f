"""Classification of Discord's refusals."""

from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from bot.ui.delivery.discord_errors import DiscordErrorKind, classify


def refusal(status: int, answer: Any) -> discord.HTTPException:
    """Return discord.py's exception for an answer."""
    response: Any = SimpleNamespace(status=status, reason="")
    return discord.HTTPException(response, answer)


REFUSALS = [
    (403, 50001, DiscordErrorKind.CLOSED),
    (403, 50007, DiscordErrorKind.CLOSED),
    (403, 50013, DiscordErrorKind.CLOSED),
    (400, 50278, DiscordErrorKind.CLOSED),
    (403, 0, DiscordErrorKind.PASSING),
    (404, 0, DiscordErrorKind.PASSING),
    (413, 0, DiscordErrorKind.TOO_LARGE),
    (403, 40333, DiscordErrorKind.BLOCKED),
    (400, 50045, DiscordErrorKind.TOO_LARGE),
    (403, 20009, DiscordErrorKind.CLOSED),
    (400, 200000, DiscordErrorKind.CLOSED),
    (400, 240000, DiscordErrorKind.CLOSED),
    (400, 160005, DiscordErrorKind.CLOSED),
    (429, 30046, DiscordErrorKind.PASSING),
    (404, 10003, DiscordErrorKind.CLOSED),
    (404, 10004, DiscordErrorKind.CLOSED),
    (404, 10008, DiscordErrorKind.CLOSED),
    (404, 10015, DiscordErrorKind.TOKEN_DEAD),
    (401, 50027, DiscordErrorKind.TOKEN_DEAD),
    (400, 50083, DiscordErrorKind.ARCHIVED),
    (413, 40005, DiscordErrorKind.TOO_LARGE),
    (413, 0, DiscordErrorKind.TOO_LARGE),
    (400, 40005, DiscordErrorKind.TOO_LARGE),
    (400, 50035, DiscordErrorKind.MALFORMED),
    (401, 0, DiscordErrorKind.PASSING),
    (429, 0, DiscordErrorKind.PASSING),
    (403, 40003, DiscordErrorKind.PASSING),
    (500, 0, DiscordErrorKind.PASSING),
    (503, 0, DiscordErrorKind.PASSING),
]


@pytest.mark.parametrize(("status", "code", "trouble"), REFUSALS)
def test_refusal_is_classified(status: int, code: int, trouble: DiscordErrorKind) -> None:
    """The code decides before the status; unknown refusals may pass."""
    assert classify(refusal(status, {"code": code, "message": "no"})) is trouble


def test_proxy_page_is_temporary() -> None:
    """A 403 with an HTML page is temporary."""
    assert classify(refusal(403, "<!DOCTYPE html><title>Access denied</title>")) is DiscordErrorKind.PASSING


@pytest.mark.parametrize(
    "error", [aiohttp.ServerDisconnectedError(), ConnectionResetError(), TimeoutError(), discord.RateLimited(9.0)]
)
def test_connection_error_is_temporary(error: Exception) -> None:
    assert classify(error) is DiscordErrorKind.PASSING


def test_internal_error_is_not_classified() -> None:
    assert classify(ZeroDivisionError()) is None
