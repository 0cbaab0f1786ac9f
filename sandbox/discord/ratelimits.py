"""Rate limits: per route and major parameter, and 50 a second overall."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.discord.errors import ApiError

TOO_MANY_REQUESTS = 429
_PRUNE_AT = 4096


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many requests (`limit`) in so many seconds (`window`)."""

    limit: int
    window: float


_CHANNEL_MESSAGE = "/channels/{channel_id}/messages/{message_id}"
_OWN_REACTION = _CHANNEL_MESSAGE + "/reactions/{emoji_name}/@me"
_EXACT: Mapping[tuple[str, str], Allowance] = {
    ("POST", "/channels/{channel_id}/messages"): Allowance(5, 5.0),
    ("PATCH", _CHANNEL_MESSAGE): Allowance(5, 5.0),
    ("DELETE", _CHANNEL_MESSAGE): Allowance(5, 1.0),
    ("PUT", _OWN_REACTION): Allowance(1, 0.25),
    ("DELETE", _OWN_REACTION): Allowance(1, 0.25),
    ("PUT", "/applications/{application_id}/commands"): Allowance(5, 20.0),
    ("PUT", "/applications/{application_id}/guilds/{guild_id}/commands"): Allowance(5, 20.0),
    ("POST", "/users/@me/channels"): Allowance(10, 10.0),
}
_WEBHOOK = Allowance(5, 2.0)
_OTHERWISE = Allowance(50, 1.0)
_MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token")


class _Window:
    __slots__ = ("ends", "used")

    def __init__(self) -> None:
        self.ends = 0.0
        self.used = 0


class RateLimits:
    """Counts requests in fixed windows.

    `clock` is monotonic seconds; `enabled = False` lets everything pass.
    """

    def __init__(
        self,
        *,
        enabled: bool = True,
        clock: Callable[[], float] = time.monotonic,
        allowances: Mapping[tuple[str, str], Allowance] | None = None,
        overall: Allowance = Allowance(50, 1.0),
    ) -> None:
        self.enabled = enabled
        self._clock = clock
        self._exact = {**_EXACT, **(allowances or {})}
        self._overall = overall
        self._everything = _Window()
        self._windows: dict[str, _Window] = {}

    def take(self, method: str, template: str, params: Mapping[str, str]) -> Mapping[str, str]:
        """Count one request and return its response headers.

        Raises:
            ApiError: The limit is reached (429).
        """
        # Interaction callbacks are outside the limits, webhooks of interactions outside the overall one.
        if not self.enabled or template.startswith("/interactions/"):
            return {}
        now = self._clock()
        webhook = template.startswith("/webhooks/")
        if not webhook:
            self._count_overall(now)
        allowance = _WEBHOOK if webhook else self._exact.get((method, template), _OTHERWISE)
        name = "webhooks" if webhook else f"{method} {template}"
        bucket = hashlib.blake2s(name.encode(), digest_size=8).hexdigest()
        key = ":".join((bucket, *(params[major] for major in _MAJOR if major in params)))
        window = self._window(key, now, allowance)
        if window.used >= allowance.limit:
            raise _too_many(window.ends - now, "user", _headers(bucket, allowance, window, now))
        window.used += 1
        return _headers(bucket, allowance, window, now)

    def _count_overall(self, now: float) -> None:
        everything = self._everything
        if now >= everything.ends:
            everything.ends, everything.used = now + self._overall.window, 0
        if everything.used >= self._overall.limit:
            raise _too_many(everything.ends - now, "global", {"X-RateLimit-Global": "true"})
        everything.used += 1

    def _window(self, key: str, now: float, allowance: Allowance) -> _Window:
        if len(self._windows) > _PRUNE_AT:
            self._windows = {name: each for name, each in self._windows.items() if each.ends > now}
        window = self._windows.setdefault(key, _Window())
        if now >= window.ends:
            window.ends, window.used = now + allowance.window, 0
        return window


def too_many(retry_after: float, *, overall: bool = False) -> ApiError:
    """Return a 429 in Discord's form, with `retry_after` seconds to wait."""
    return _too_many(retry_after, "global" if overall else "user", {"X-RateLimit-Global": "true"} if overall else {})


def _headers(bucket: str, allowance: Allowance, window: _Window, now: float) -> dict[str, str]:
    left = max(window.ends - now, 0.0)
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(max(allowance.limit - window.used, 0)),
        "X-RateLimit-Reset": f"{time.time() + left:.3f}",
        "X-RateLimit-Reset-After": f"{left:.3f}",
        "X-RateLimit-Bucket": bucket,
    }


def _too_many(wait: float, scope: str, headers: Mapping[str, str]) -> ApiError:
    wait = round(max(wait, 0.001), 3)
    body = {"message": "You are being rate limited.", "retry_after": wait, "global": scope == "global"}
    return ApiError(
        TOO_MANY_REQUESTS,
        body,
        # Without Via, clients take a 429 for a ban by Cloudflare.
        {**headers, "Retry-After": str(math.ceil(wait)), "X-RateLimit-Scope": scope, "Via": "1.1 sandbox"},
    )
