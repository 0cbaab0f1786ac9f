"""Requests to Discord with a bound on their time and on rate limits.

discord.py sleeps through a rate limit inside the request, for as long as Discord asks: a channel's may take 20 minutes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import discord

REQUEST_SECONDS: Final = 30.0
"""Bound of a request without files."""

# Shorter limits are left to the library: it spaces the requests of one route.
_SLEPT_THROUGH_SECONDS: Final = 5.0
# Discord names no time if a message older than an hour was edited too often.
_UNNAMED_SECONDS: Final = 20.0
_OTHER_SCOPE: Final = "other"
_SCOPES: Final = ("global", "shared", "user", _OTHER_SCOPE)


class RateLimitError(Exception):
    """Discord asks to wait `retry_after` seconds.

    `in_channel`: with all requests in this channel, not only with those about this message.
    """

    def __init__(self, retry_after: float, *, in_channel: bool) -> None:
        super().__init__()
        self.retry_after = retry_after
        self.in_channel = in_channel


@dataclass(slots=True)
class BoundedRequest:
    """A bounded request: `server_errors` answers were faults of Discord's."""

    timeout: asyncio.Timeout
    in_channel: bool
    limit: RateLimitError | None = None
    server_errors: int = 0


class RateLimitCounts:
    """Discord's rate limits since the start: numbers and seconds by scope.

    `user` are those of one route, `shared` those of one channel for all bots. `other` come from a proxy before Discord.
    """

    def __init__(self) -> None:
        self.limits = dict.fromkeys(_SCOPES, 0)
        self.seconds = dict.fromkeys(_SCOPES, 0.0)

    async def note(self, session: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        """Count an answer with a rate limit."""
        del session, context
        if params.response.status != HTTPStatus.TOO_MANY_REQUESTS:
            return
        scope = params.response.headers.get("X-RateLimit-Scope", _OTHER_SCOPE)
        scope = scope if scope in self.limits else _OTHER_SCOPE
        self.limits[scope] += 1
        self.seconds[scope] += _seconds_to_wait(params.response.headers)


_CURRENT: ContextVar[BoundedRequest | None] = ContextVar("current_request", default=None)


@asynccontextmanager
async def bounded(seconds: float, *, in_channel: bool = True) -> AsyncIterator[BoundedRequest]:
    """Limit the time of the requests inside.

    Only for requests that may be repeated: the last one may have been carried out. `in_channel` is False for requests
    outside the job's channel, such as a direct message.

    Raises:
        RateLimitError: Discord asks for a longer pause.
        TimeoutError: `seconds` have passed.
    """
    request: BoundedRequest | None = None
    try:
        async with asyncio.timeout(seconds) as timeout:
            request = BoundedRequest(timeout, in_channel)
            before = _CURRENT.set(request)
            try:
                yield request
            finally:
                _CURRENT.reset(before)
    except TimeoutError:
        if request is None or request.limit is None:
            raise
        raise request.limit from None
    except discord.HTTPException as error:
        if error.status != HTTPStatus.TOO_MANY_REQUESTS or request is None:
            raise
        raise request.limit or RateLimitError(_UNNAMED_SECONDS, in_channel=in_channel) from error


async def note_rate_limit(session: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
    """End the current bounded request if Discord asks for a long pause."""
    del session, context
    request = _CURRENT.get()
    if request is None:
        return
    request.server_errors += params.response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if params.response.status != HTTPStatus.TOO_MANY_REQUESTS:
        return
    headers, by_token = params.response.headers, "/webhooks/" in params.url.path
    if headers.get("X-RateLimit-Scope") == "global" and not by_token:
        # The library holds back all other requests until this one has slept; cut off, it would do so for ever.
        request.timeout.reschedule(None)
        return
    wait = _seconds_to_wait(headers)
    if wait > _SLEPT_THROUGH_SECONDS:
        of_channel = not by_token or headers.get("X-RateLimit-Scope") == "shared"
        request.limit = RateLimitError(wait, in_channel=of_channel and request.in_channel)
        request.timeout.reschedule(asyncio.get_running_loop().time())


def _seconds_to_wait(headers: Mapping[str, str]) -> float:
    """Return the pause of a rate limit."""
    try:
        return float(headers["Retry-After"])
    except (KeyError, ValueError):
        return _UNNAMED_SECONDS
