"""AutoMod's rules, read from Discord."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import discord
from discord.http import Route

from bot.domain.automod import AutoModRule
from bot.domain.errors import AutoModRightError, AutoModUnreadError
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import DiscordErrorKind, classify

_KEYWORDS: Final = discord.AutoModRuleTriggerType.keyword.value
_ODD: Final = (LookupError, TypeError, ValueError, AttributeError)
"""Errors of an odd answer."""
_BLOCKS: Final = discord.AutoModRuleActionType.block_message.value


class DiscordAutoModReader:
    """Reads the rules of servers with the bot's token."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    def serves(self, guild_id: int) -> bool:
        """Return whether the bot is in a server, with this process."""
        guild = self._client.get_guild(guild_id)
        return guild is not None and not guild.unavailable

    async def read(self, guild_id: int) -> tuple[AutoModRule, ...]:
        """Return a server's enabled rules against messages with words.

        Raises:
            AutoModRightError: the bot lacks Manage Server.
            AutoModUnreadError: Discord does not answer, or oddly.
        """
        route = Route("GET", "/guilds/{guild_id}/auto-moderation/rules", guild_id=guild_id)
        try:
            async with bounded(REQUEST_SECONDS):
                listed = await self._client.http.request(route)
            return tuple(_rule(each) for each in listed if _applies(each))
        except Exception as error:
            kind = classify(error)
            # A proxy's 403 says nothing about the right.
            if kind is DiscordErrorKind.CLOSED and isinstance(error, discord.Forbidden):
                raise AutoModRightError from error
            if kind is None and not isinstance(error, _ODD):
                raise
            raise AutoModUnreadError from error


def _applies(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule blocks messages by its own words."""
    is_about_words = rule["enabled"] and rule["trigger_type"] == _KEYWORDS
    return is_about_words and any(each["type"] == _BLOCKS for each in rule["actions"])


def _rule(rule: Mapping[str, Any]) -> AutoModRule:
    words = rule.get("trigger_metadata") or {}
    return AutoModRule(
        id=int(rule["id"]),
        name=_storable(rule["name"]),
        keywords=_texts(words.get("keyword_filter")),
        patterns=_texts(words.get("regex_patterns")),
        allowed=_texts(words.get("allow_list")),
        exempt_roles=_ids(rule.get("exempt_roles")),
        exempt_channels=_ids(rule.get("exempt_channels")),
    )


def _texts(texts: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(_storable(each) for each in texts or ())


def _ids(ids: Iterable[str] | None) -> tuple[int, ...]:
    return tuple(sorted(int(each) for each in ids or ()))


def _storable(text: str) -> str:
    """Return a text without characters refused by databases."""
    return text.encode(errors="replace").decode().replace("\0", "")
