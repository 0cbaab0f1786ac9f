"""Intake of interactions over HTTP.

Any process may get any of them, also one without a shard of the server. What an interaction needs to know of its server
is then read from Discord, and soon forgotten.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from enum import Enum, auto
from typing import Any, Final, TypeAlias

import discord
import structlog
from discord.http import HTTPClient, Route

from bot.client import AtelierClient
from bot.engine.clock import Clock
from bot.ui.buttons import CARD_ACTIONS, CUSTOM_ID, DUEL_VOTE, QUESTION_ACTIONS
from bot.ui.delivery.bounded_requests import bounded

_WHOLE_SECONDS: Final = 2.0
_FACTS_SECONDS: Final = 300.0
_MOST_KEPT: Final = 1000
# Of the 3 seconds for an answer.
_READ_SECONDS: Final = 1.5
_GUILD_INSTALL: Final = "0"
_COMMANDS: Final = (discord.InteractionType.application_command, discord.InteractionType.autocomplete)
# An interaction says enough of its member and channel for these.
_SIMPLE_COMMANDS: Final = frozenset({"imagine", "edit", "blend", "layout", "history", "help", "privacy", "status"})
_SIMPLE_ACTIONS: Final = CARD_ACTIONS | QUESTION_ACTIONS | {DUEL_VOTE.action}

Payload: TypeAlias = dict[str, Any]

_log = structlog.get_logger(__name__)


class _Need(Enum):
    """Extent of the facts about its server for an interaction."""

    NOTHING = auto()
    FACTS = auto()
    WHOLE = auto()


class InteractionIntake:
    """Hands interactions to the client, with their server where needed."""

    def __init__(self, *, client: AtelierClient, clock: Clock) -> None:
        self._client = client
        self._guilds = GuildReader(client.http, clock)

    async def receive(self, payload: Payload) -> bool:
        """Begin the answer to an interaction.

        Return False if it needs a server that cannot be read: without the roles, a member would have other rights.
        """
        need = _need_of(payload)
        if need is not _Need.NOTHING and self._client.get_guild(int(payload["guild_id"])) is None:
            try:
                async with bounded(_READ_SECONDS):
                    payload = {**payload, "guild": await self._read(int(payload["guild_id"]), need)}
            except Exception as error:  # noqa: BLE001 - whatever it is, the server is not known
                _log.warning("interaction.guild_not_read", guild=payload["guild_id"], error=type(error).__name__)
                if need is _Need.WHOLE:
                    return False
        self._client.begin_answer(payload)
        return True

    async def _read(self, guild_id: int, need: _Need) -> Payload:
        if need is _Need.FACTS:
            return await self._guilds.read_facts(guild_id)
        return await self._guilds.read_whole(guild_id, self._client.application_id or 0)


class GuildReader:
    """Reads servers over REST.

    Their facts, such as the age restriction, are kept for five minutes. A whole server, as the gateway would send it,
    is kept for two seconds: many may press at once, but a changed right counts. Each is asked for once at a time.
    """

    def __init__(self, http: HTTPClient, clock: Clock) -> None:
        self._http = http
        self._facts = _Kept(_FACTS_SECONDS, clock)
        self._whole = _Kept(_WHOLE_SECONDS, clock)

    async def read_facts(self, guild_id: int) -> Payload:
        """Return a server without its channels.

        Raises:
            discord.DiscordException: Discord refuses.
            aiohttp.ClientError: Discord cannot be reached.
            TimeoutError: Discord does not answer.
        """

        async def read() -> Payload:
            return dict(await self._http.get_guild(guild_id, with_counts=True))

        return await self._facts.get(guild_id, read)

    async def read_whole(self, guild_id: int, me: int) -> Payload:
        """Return a server with its roles, channels, active threads and the bot.

        Raises as `read_facts` does.
        """

        async def read() -> Payload:
            guild, channels, own, threads = await asyncio.gather(
                self._http.get_guild(guild_id, with_counts=True),
                self._http.get_all_guild_channels(guild_id),
                self._http.get_member(guild_id, me),
                self._http.request(Route("GET", "/guilds/{guild_id}/threads/active", guild_id=guild_id)),
            )
            return {
                **guild,
                "member_count": guild.get("approximate_member_count"),
                "channels": channels,
                "threads": threads["threads"],
                "members": [own],
            }

        return await self._whole.get(guild_id, read)


class _Kept:
    """Recently read servers."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._reads: dict[int, tuple[float, asyncio.Task[Payload]]] = {}

    async def get(self, guild_id: int, read: Callable[[], Coroutine[Any, Any, Payload]]) -> Payload:
        """Return a server, read now or a short time ago."""
        now = self._clock.monotonic()
        at, task = self._reads.get(guild_id, (now, None))
        if task is None or now - at >= self._seconds or _has_failed(task):
            task = asyncio.create_task(read())
            task.add_done_callback(_has_failed)  # nobody may be waiting any more
            self._forget_old(now)
            self._reads[guild_id] = now, task
        # Others may wait for the same task.
        return await asyncio.shield(task)

    def _forget_old(self, now: float) -> None:
        self._reads = {key: each for key, each in self._reads.items() if now - each[0] < self._seconds}
        while len(self._reads) >= _MOST_KEPT:
            del self._reads[next(iter(self._reads))]


def _has_failed(task: asyncio.Task[Payload]) -> bool:
    """Return whether a read ended without a server."""
    return task.done() and (task.cancelled() or task.exception() is not None)


def _need_of(payload: Mapping[str, Any]) -> _Need:
    """Return the needed facts about an interaction's server.

    One of an application that the member brought along has no server of the bot.
    """
    kind, data = discord.InteractionType(payload["type"]), payload.get("data") or {}
    if payload.get("guild_id") is None or _GUILD_INSTALL not in payload.get("authorizing_integration_owners", {}):
        return _Need.NOTHING
    if kind in _COMMANDS:
        is_simple = data.get("name") in _SIMPLE_COMMANDS
    else:
        match = CUSTOM_ID.fullmatch(str(data.get("custom_id", "")))
        is_simple = match is not None and match["action"] in _SIMPLE_ACTIONS
    if not is_simple:
        return _Need.WHOLE
    return _Need.NOTHING if kind is discord.InteractionType.autocomplete else _Need.FACTS
