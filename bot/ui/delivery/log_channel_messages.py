"""Messages to servers' log channels."""

import zlib

import discord
import structlog

from bot.domain.guild_keys import GuildKey
from bot.services.budget_alerts import BudgetAlert
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import classify
from bot.ui.i18n import use_locale
from bot.ui.render.budget_alerts import guild_budget_alert
from bot.ui.render.guild_key_words import key_fault_alert
from bot.ui.render.prompt_rule_words import automod_lost, refusal_ban
from bot.ui.render.sharing.review_queue import review_closed_alert
from db.automod import AutoModLoss
from db.prompt_rules import RefusalBan

_log = structlog.get_logger(__name__)


class LogChannelMessages:
    """A notifier of servers by their log channels."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def send_budget_alert(self, channel_id: int, locale: str | None, alert: BudgetAlert) -> bool:
        """Send an alert; return False if it did not arrive.

        A repeated one is the same message for Discord within minutes.
        """
        with use_locale(locale or discord.Locale.american_english.value):
            text = guild_budget_alert(alert)
        return await self._send(channel_id, text, f"{alert.budget.month} {alert.percentage}")

    async def send_key_fault(self, channel_id: int, locale: str | None, key: GuildKey) -> bool:
        """Send the fault of a server's own key, likewise."""
        with use_locale(locale or discord.Locale.american_english.value):
            text = key_fault_alert(key)
        return await self._send(channel_id, text, f"{key.id} {key.fault}")

    async def send_refusal_ban(self, channel_id: int, locale: str | None, ban: RefusalBan) -> bool:
        """Send a ban after refused prompts, likewise."""
        with use_locale(locale or discord.Locale.american_english.value):
            text = refusal_ban(ban)
        return await self._send(channel_id, text, ban.block_id)

    async def send_automod_lost(self, channel_id: int, locale: str | None, loss: AutoModLoss) -> bool:
        """Send the loss of AutoMod's rules, likewise."""
        with use_locale(locale or discord.Locale.american_english.value):
            text = automod_lost()
        return await self._send(channel_id, text, f"automod {loss.lost_at}")

    async def send_review_closed(self, channel_id: int, locale: str | None, review_channel_id: int | None) -> bool:
        """Send the alert about a closed review channel, likewise."""
        with use_locale(locale or discord.Locale.american_english.value):
            text = review_closed_alert(review_channel_id)
        return await self._send(channel_id, text, f"review {review_channel_id}")

    async def _send(self, channel_id: int, text: str, topic: str) -> bool:
        number = zlib.crc32(topic.encode()) % 100_000
        try:
            async with bounded(REQUEST_SECONDS):
                channel = self._client.get_partial_messageable(channel_id)
                await channel.send(
                    text, nonce=f"{channel_id}-{number:05}", allowed_mentions=discord.AllowedMentions.none()
                )
        except Exception as error:
            if classify(error) is None:
                raise
            _log.warning("log_channel.not_reached", error=type(error).__name__)
            return False
        return True
