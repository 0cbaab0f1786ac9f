"""Gateway connection: odd payloads, and the IDENTIFYs left.

discord.py ends the whole client if it cannot parse a payload, and logs in as often as connections break. Discord resets
the token of a bot that logs in more than 1,000 times a day.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePath
from traceback import extract_tb
from typing import Any, Final, Self, TypeAlias

import aiohttp
import discord
import structlog
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from bot.engine.clock import Clock

RESERVED_IDENTIFIES: Final = 10
"""IDENTIFYs a day that are left for the operator's restarts."""

REFUSED_LOGIN: Final = (
    "Discord does not accept DISCORD_TOKEN. Copy it from the Bot page of the developer portal, where a reset makes a"
    " new one, and start the bot again. No job is lost: all go on then."
)

Parsers: TypeAlias = Mapping[str, Callable[[Any], None]]
"""discord.py's functions for events, by the event's name."""

# Without these the connection has no session, so it is renewed.
_ESSENTIAL_EVENTS: Final = frozenset({"READY", "RESUMED"})
# Lists of a server that the bot can do without: what is needed of them arrives with each interaction again.
_DISPENSABLE_LISTS: Final = frozenset(
    {
        "channels",
        "emojis",
        "guild_scheduled_events",
        "members",
        "presences",
        "soundboard_sounds",
        "stage_instances",
        "stickers",
        "threads",
        "voice_states",
    }
)
# Of these lists the bot reads nothing. Emoji and stickers are not kept without their intent.
_UNUSED_LISTS: Final = frozenset(
    {"guild_scheduled_events", "presences", "soundboard_sounds", "stage_instances", "voice_states"}
)
_UNUSED_OF_CHANNELS: Final = frozenset({"last_message_id", "last_pin_timestamp", "topic"})
_EVENTS_OF_CHANNELS: Final = ("CHANNEL_CREATE", "CHANNEL_UPDATE")
# Messages and replies; others are the server's own, such as those of a new member.
_WRITTEN_BY_PEOPLE: Final = (0, 19)
# A mention in code is text. Discord sends such a message for other reasons, such as the ping of a reply.
_CODE: Final = re.compile(r"(`{1,3}).+?\1", re.DOTALL)
_UNREADABLE_CLOSE_CODE: Final = 4000
_READ_AGAIN_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 300.0
_ENDS: Final[Mapping[int, str]] = {
    4004: REFUSED_LOGIN,
    4010: "Discord refuses this shard. Check SHARD_IDS and SHARD_COUNT, or leave both unset.",
    4011: "Discord wants more shards. Raise SHARD_COUNT, or leave it unset.",
    4012: "Discord no longer offers this version of its API. Install a newer version of Atelier.",
    4013: "Discord refuses the intents of this version. Install a newer version of Atelier.",
    4014: "Discord does not grant this application an intent. Atelier needs no privileged one: install it unchanged.",
}

_log = structlog.get_logger(__name__)


class UnreadablePayloadError(OSError):
    """The connection cannot go on after a payload.

    discord.py renews a connection after an OSError, with growing pauses.
    """


class IdentifiesUsedUpError(OSError):
    """Too few IDENTIFYs are left until Discord's reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayInfo:
    """Discord's answer about its gateway."""

    url: str
    shards: int
    total: int
    remaining: int
    reset_after: timedelta

    @classmethod
    def from_answer(cls, shards: int, url: str, limit: Mapping[str, Any]) -> Self:
        """Return the parts of the answer to `/gateway/bot`."""
        return cls(
            url=url,
            shards=shards,
            total=int(limit["total"]),
            remaining=int(limit["remaining"]),
            reset_after=timedelta(milliseconds=int(limit["reset_after"])),
        )

    @property
    def is_used_up(self) -> bool:
        """True if an IDENTIFY has to wait for the reset."""
        return self.remaining < min(RESERVED_IDENTIFIES, self.total)


class SessionStarts:
    """Count of the IDENTIFYs left today. A RESUME is not counted.

    `waits_until` is the time of Discord's reset while an IDENTIFY waits for it.
    """

    def __init__(self, *, read: Callable[[], Awaitable[GatewayInfo]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._known: GatewayInfo | None = None
        self._known_at = 0.0
        self.waits_until: datetime | None = None

    async def take(self) -> None:
        """Count one IDENTIFY.

        Raises:
            IdentifiesUsedUpError: too few are left.
            discord.DiscordException: Discord did not say how many are left.
            aiohttp.ClientError: Discord cannot be reached.
        """
        info = await self._current()
        if info.is_used_up:
            self._begin_wait(info)
            raise IdentifiesUsedUpError
        self.waits_until = None
        self._known = replace(info, remaining=info.remaining - 1)

    async def wait(self) -> GatewayInfo:
        """Return the gateway once an IDENTIFY is allowed."""
        failures = 0
        while True:
            try:
                info = await self._current()
            except Exception as error:  # noqa: BLE001 - an odd answer is as bad as none
                pause = growing_pause(failures)
                failures += 1
                _log.warning("discord.unreachable", reason=type(error).__name__, next_try_seconds=pause)
            else:
                if not info.is_used_up:
                    self.waits_until = None
                    return info
                self._begin_wait(info)
                pause = info.reset_after.total_seconds() + 1
            await self._clock.wait(asyncio.Event(), pause)
            self._known_at = self._clock.monotonic() - _READ_AGAIN_SECONDS

    def _begin_wait(self, info: GatewayInfo) -> None:
        self.waits_until = self._clock.now() + info.reset_after
        _log.warning(
            "discord.identifies_used_up",
            remaining=info.remaining,
            waits_until=self.waits_until.isoformat(timespec="seconds"),
            remedy="find out why the bot logs in so often; over 1,000 times a day Discord resets its token",
        )

    async def _current(self) -> GatewayInfo:
        now = self._clock.monotonic()
        if self._known is None or now - self._known_at >= _READ_AGAIN_SECONDS:
            self._known = await self._read()
            self._known_at = now
        return self._known


class GuardedWebSocket(DiscordWebSocket):
    """A gateway connection, renewed after an odd payload."""

    @classmethod
    async def from_client(cls, client: discord.Client, *, resume: bool = False, **options: Any) -> Self:
        """Connect; a new session counts as an IDENTIFY."""
        starts: SessionStarts | None = getattr(client, "session_starts", None)
        if starts is not None and not resume:
            await starts.take()
        return await super().from_client(client, resume=resume, **options)

    async def poll_event(self) -> None:
        """Read one payload.

        Raises:
            UnreadablePayloadError: the library failed on it; the connection is closed.
        """
        try:
            await super().poll_event()
        except (ReconnectWebSocket, discord.DiscordException, aiohttp.ClientError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other shards go on
            _log.error("discord.connection_renewed", shard=self.shard_id, error=describe_fault(error))
            with contextlib.suppress(Exception):
                await self.close(code=_UNREADABLE_CLOSE_CODE)
            raise UnreadablePayloadError from None


def guard_parsers(parsers: Parsers) -> dict[str, Callable[[Any], None]]:
    """Return the parsers so that a failure drops one event.

    Of a server that cannot be parsed, the parts that the bot needs are kept.
    """
    return {event: _guarded(event, parse) for event, parse in parsers.items()}


def keep_mentions(parsers: Parsers, me: Callable[[], int | None]) -> dict[str, Callable[[Any], None]]:
    """Return parsers without messages other than mentions of the bot.

    Most messages are none of the bot's business: they are dropped before the library makes objects of them.
    """
    kept = {event: parse for event, parse in parsers.items() if not event.startswith("MESSAGE_")}
    parse = parsers["MESSAGE_CREATE"]

    def parse_mention(data: Any) -> None:
        if mentions_bot(data, me()):
            parse(data)

    return {**kept, "MESSAGE_CREATE": parse_mention}


def drop_unused(parsers: Parsers) -> dict[str, Callable[[Any], None]]:
    """Return parsers without the unread facts about servers.

    Channels and roles stay: rights and age restrictions are computed from them.
    """
    found = dict(parsers)
    for event in _EVENTS_OF_CHANNELS:
        found[event] = _trimming(parsers[event], _trim_channel)
    return {**found, "GUILD_CREATE": _trimming(parsers["GUILD_CREATE"], _trim_guild)}


def _trimming(parse: Callable[[Any], None], trim: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda data: parse(trim(data))


def _trim_guild(data: Mapping[str, Any]) -> dict[str, Any]:
    trimmed = {name: value for name, value in data.items() if name not in _UNUSED_LISTS}
    if "channels" in trimmed:
        trimmed["channels"] = [_trim_channel(each) for each in trimmed["channels"]]
    return trimmed


def _trim_channel(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in _UNUSED_OF_CHANNELS}


def mentions_bot(data: Mapping[str, Any], me: int | None) -> bool:
    """Return whether a person's message mentions the bot in its text.

    The mention that comes with a reply, and those of roles and of everyone, do not count.
    """
    text = data.get("content") or ""
    if "<@" not in text or me is None or not _names(text, me) or not _names(_CODE.sub(" ", text), me):
        return False
    author = data.get("author") or {}
    return data.get("type") in _WRITTEN_BY_PEOPLE and not author.get("bot") and data.get("webhook_id") is None


def _names(text: str, me: int) -> bool:
    return f"<@{me}>" in text or f"<@!{me}>" in text


def describe_end(error: discord.ConnectionClosed | discord.PrivilegedIntentsRequired) -> str:
    """Return the operator's remedy for Discord's last word."""
    code = 4014 if isinstance(error, discord.PrivilegedIntentsRequired) else error.code
    return _ENDS.get(code, f"Discord ended the connection (code {code}). `atelier doctor` says more.")


def growing_pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    pause: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures, 10))
    return pause


def _guarded(event: str, parse: Callable[[Any], None]) -> Callable[[Any], None]:
    def guarded(data: Any) -> None:
        try:
            parse(data)
        except Exception as error:
            if event in _ESSENTIAL_EVENTS:
                raise
            reduced = event == "GUILD_CREATE" and _parse_reduced(parse, data)
            outcome = "discord.event_reduced" if reduced else "discord.event_dropped"
            _log.error(outcome, discord_event=event, error=describe_fault(error))

    return guarded


def _parse_reduced(parse: Callable[[Any], None], data: Any) -> bool:
    """Parse a server without its lists; return False on a failure."""
    with contextlib.suppress(Exception):
        parse({name: value for name, value in data.items() if name not in _DISPENSABLE_LISTS})
        return True
    return False


def describe_fault(error: Exception) -> str:
    """Return an error's type and place, with nothing of the payload."""
    frames = extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
