"""Interactions that Discord delivers over HTTP.

Any process may get any of them, also one without a shard of the server. Commands and presses that concern the server's
channels, roles and rights then need them first: Discord is asked, and nothing of the answer is kept for long.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import discord
import structlog
from discord.http import HTTPClient, Route

from bot.client import AtelierClient
from bot.engine.clock import Clock
from bot.ui.buttons import CARD_ACTIONS, CUSTOM_ID, QUESTION_ACTIONS
from bot.ui.delivery.bounded_requests import bounded

_KEPT_SECONDS: Final = 30.0
_MOST_KEPT: Final = 256
# Of the 3 seconds for an answer.
_READ_SECONDS: Final = 1.5
_GUILD_INSTALL: Final = "0"
# What an interaction says of its channel and member is enough for these.
_SELF_CONTAINED_COMMANDS: Final = frozenset(
    {"imagine", "edit", "blend", "layout", "history", "help", "privacy", "status"}
)
_COMMANDS: Final = (discord.InteractionType.application_command, discord.InteractionType.autocomplete)
_SELF_CONTAINED_ACTIONS: Final = CARD_ACTIONS | QUESTION_ACTIONS
# discord.py would keep them for as long as it runs, and the server with them.
_KEPT_BY_LIBRARY: Final = frozenset({"emojis", "stickers"})

_log = structlog.get_logger(__name__)


class InteractionIntake:
    """Hands interactions to the client, with their server where needed."""

    def __init__(self, *, client: AtelierClient, clock: Clock) -> None:
        self._client = client
        self._guilds = GuildReader(client.http, clock)

    async def receive(self, payload: dict[str, Any]) -> bool:
        """Begin the answer to an interaction.

        Return False if it needs a server that cannot be read: without the roles, a member would have other rights.
        """
        guild_id = payload.get("guild_id")
        if guild_id is not None and _concerns_server(payload) and self._client.get_guild(int(guild_id)) is None:
            try:
                async with bounded(_READ_SECONDS):
                    guild = await self._guilds.read(int(guild_id), self._client.application_id or 0)
            except Exception as error:  # noqa: BLE001 - whatever it is, there is no answer
                _log.warning("interaction.guild_not_read", guild=guild_id, error=type(error).__name__)
                return False
            payload = {**payload, "guild": guild}
        self._client.begin_answer(payload)
        return True


class GuildReader:
    """Reads servers over REST, as the gateway would send them.

    An answer is kept for half a minute: a moderator presses several buttons in a row.
    """

    def __init__(self, http: HTTPClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._kept: dict[int, tuple[float, dict[str, Any]]] = {}

    async def read(self, guild_id: int, me: int) -> dict[str, Any]:
        """Return a server with its roles, channels, active threads and the bot.

        Raises:
            discord.DiscordException: Discord refuses.
            aiohttp.ClientError: Discord cannot be reached.
            TimeoutError: Discord does not answer.
        """
        now = self._clock.monotonic()
        at, kept = self._kept.get(guild_id, (0.0, {}))
        if kept and now - at < _KEPT_SECONDS:
            return kept
        guild, channels, own, threads = await asyncio.gather(
            self._http.get_guild(guild_id, with_counts=True),
            self._http.get_all_guild_channels(guild_id),
            self._http.get_member(guild_id, me),
            self._http.request(Route("GET", "/guilds/{guild_id}/threads/active", guild_id=guild_id)),
        )
        read = {
            **{name: value for name, value in guild.items() if name not in _KEPT_BY_LIBRARY},
            "member_count": guild.get("approximate_member_count"),
            "channels": channels,
            "threads": threads["threads"],
            "members": [own],
        }
        self._kept = {key: each for key, each in self._kept.items() if now - each[0] < _KEPT_SECONDS}
        if len(self._kept) < _MOST_KEPT:
            self._kept[guild_id] = now, read
        return read


def _concerns_server(payload: Mapping[str, Any]) -> bool:
    """Return whether an interaction may need roles or channels of its server.

    One of an application that the member brought along has no server of the bot.
    """
    if _GUILD_INSTALL not in payload.get("authorizing_integration_owners", {}):
        return False
    data = payload.get("data") or {}
    if discord.InteractionType(payload["type"]) in _COMMANDS:
        return data.get("name") not in _SELF_CONTAINED_COMMANDS
    match = CUSTOM_ID.fullmatch(str(data.get("custom_id", "")))
    return match is None or match["action"] not in _SELF_CONTAINED_ACTIONS
