"""Mapping of HTTP faults to the facts of a `ProviderError`.

This is the one table of statuses and foreign exceptions. The hard question is whether a paid submit may
have been accepted. It surely was not if no connection was made, or if the provider refused with a status
that its documents list. A lost reply always counts as "perhaps".
"""

import email.utils
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import aiohttp
import httpx

from bot.domain.errors import FaultKind

KIND_OF_STATUS: Final[Mapping[int, FaultKind]] = MappingProxyType(
    {
        400: FaultKind.INVALID,
        401: FaultKind.KEY_REJECTED,
        402: FaultKind.ACCOUNT_EMPTY,
        403: FaultKind.KEY_REJECTED,
        404: FaultKind.NOT_FOUND,
        410: FaultKind.NOT_FOUND,
        422: FaultKind.INVALID,
        429: FaultKind.RATE_LIMITED,
        500: FaultKind.SERVER_ERROR,
        503: FaultKind.UNAVAILABLE,
    }
)

# The statuses by which a submit is surely not accepted. A 500 is here because the seed calls it "safe to retry";
# callers retry it at most once, since a server that broke may have broken after taking the job. Gateway
# statuses (502, 504) are not: the server behind the gateway may well have answered.
REFUSALS: Final = frozenset({400, 401, 402, 403, 404, 410, 422, 429, 500, 503})

# Raised before a byte of the request was sent.
_UNSENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,  # the proxy refused to open the way
    httpx.ProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)

# An answer came, but not one of HTTP, not in the encoding it claims, or longer than any answer may be.
_NOT_HTTP: Final = (aiohttp.ClientResponseError, httpx.DecodingError, httpx.RemoteProtocolError, httpx.StreamError)

# All that a request can raise on purpose. `aiohttp.ClientError` is among them because the transport lets through
# those that it has no mapping for.
FOREIGN: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError, TimeoutError)

MAX_RETRY_AFTER: Final = 86_400.0


def kind_of_status(status: int) -> FaultKind:
    """Return the fault kind of a status outside 2xx."""
    if kind := KIND_OF_STATUS.get(status):
        return kind
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return FaultKind.SERVER_ERROR
    if status >= httpx.codes.BAD_REQUEST:
        return FaultKind.INVALID
    return FaultKind.MALFORMED


def kind_of_exception(error: Exception) -> FaultKind:
    """Return the fault kind of a foreign exception.

    UNAVAILABLE if nothing was sent, MALFORMED if the answer is not HTTP, else REPLY_LOST. The transport maps
    refused connections, resets after sending and servers that hang up alike to `httpx.ConnectTimeout`, so the
    exception's cause distinguishes them.
    """
    cause = error.__cause__
    real = cause if isinstance(cause, aiohttp.ClientError) else error
    if isinstance(real, _UNSENT):
        return FaultKind.UNAVAILABLE
    if isinstance(real, _NOT_HTTP):
        return FaultKind.MALFORMED
    return FaultKind.REPLY_LOST


def seconds_to_wait(header: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header.

    The header is a number or an HTTP date. The result is at most a day and never negative.
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(header)
        except (ValueError, OverflowError):  # such as a year of twenty digits
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
