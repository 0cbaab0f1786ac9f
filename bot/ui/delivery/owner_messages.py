"""Direct messages to the owners of the Discord application."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import discord
import structlog
from discord import ui

from bot.domain.costs import ProviderBalance
from bot.domain.models import Model
from bot.services.budget_alerts import BudgetAlert
from bot.services.daily_report import DailyReport
from bot.ui.delivery.bounded_requests import REQUEST_SECONDS, bounded
from bot.ui.delivery.discord_errors import classify
from bot.ui.i18n import use_locale
from bot.ui.render.budget_alerts import closed_log_channel, owner_alert
from bot.ui.render.daily_report import daily_report
from bot.ui.render.panels import closed_model_alert, low_balance_alert, retirement_alert

_log = structlog.get_logger(__name__)

# The application's owner has no language that a bot can read.
_LOCALE: Final = discord.Locale.american_english.value


class OwnerMessages:
    """A notifier of budget, models and balances by direct message."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    async def send_budget_alert(self, alert: BudgetAlert) -> bool:
        """Send an alert to each owner; return False if it reached none.

        A repeated one is the same message for Discord within minutes.
        """

        def build() -> ui.LayoutView:
            with use_locale(_LOCALE):
                return owner_alert(alert, self._name_of(alert.guild_id))

        return await self._send(build, _topic(f"budget {alert.guild_id} {alert.budget.month} {alert.percentage}"))

    async def send_closed_log_channel(self, guild_id: int) -> bool:
        """Send that a server's log channel takes no alerts, likewise."""
        with use_locale(_LOCALE):
            text = closed_log_channel(guild_id, self._name_of(guild_id))
        return await self._send(text, _topic(f"log-channel {guild_id}"))

    async def send_retirement(self, model: Model) -> bool:
        """Send the end of a model to each owner; return False if it reached none."""
        with use_locale(_LOCALE):
            text = retirement_alert(model)
        return await self._send(text, _topic(f"{model.id} {model.retires}"))

    async def send_low_balance(self, provider: str, balance: ProviderBalance, day: str) -> bool:
        """Send a low balance to each owner; return False if it reached none."""
        with use_locale(_LOCALE):
            text = low_balance_alert(provider, balance)
        return await self._send(text, _topic(f"balance {provider} {day}"))

    async def send_closed_model(self, model: Model, successor: str | None) -> bool:
        """Send the loss of a model's last provider, as `send_retirement` does."""
        with use_locale(_LOCALE):
            text = closed_model_alert(model, successor)
        return await self._send(text, _topic(f"{model.id} closed"))

    async def send_daily_report(self, report: DailyReport) -> bool:
        """Send a report to each owner; return False if it reached none."""

        def build() -> ui.LayoutView:
            with use_locale(_LOCALE):
                return daily_report(report)

        return await self._send(build, _topic(f"report {report.day}"))

    async def send_arrival(self, guild_id: int, build: Callable[[], ui.LayoutView]) -> bool:
        """Send a new server's card, as `send_daily_report` does."""

        def in_english() -> ui.LayoutView:
            with use_locale(_LOCALE):
                return build()

        return await self._send(in_english, _topic(f"arrival {guild_id}"))

    async def _send(self, message: str | Callable[[], ui.LayoutView], topic: str) -> bool:
        """Send a text or a card to each owner; `topic` makes its nonce unique."""
        reached = False
        try:
            async with bounded(REQUEST_SECONDS):
                owners = await self._owners()
        except Exception as error:  # noqa: BLE001 - sorted by its kind
            _reraise_own(error)
            return False
        for owner in owners:
            try:
                async with bounded(REQUEST_SECONDS):
                    channel = await self._client.create_dm(discord.Object(owner))
                    content: Any = {"content": message} if isinstance(message, str) else {"view": message()}
                    await channel.send(
                        **content,
                        # Unique among all channels: Discord compares those of one author.
                        nonce=f"{owner}-{topic}",
                        allowed_mentions=discord.AllowedMentions.none(),
                    )
            except Exception as error:  # noqa: BLE001 - sorted by its kind
                _reraise_own(error)
            else:
                reached = True
        return reached

    def _name_of(self, guild_id: int) -> str | None:
        guild = self._client.get_guild(guild_id)
        return None if guild is None else guild.name

    async def _owners(self) -> Sequence[int]:
        """Return the owner, or the members of the owning team."""
        application = await self._client.application_info()
        if application.team is None:
            return [application.owner.id]
        accepted = discord.TeamMembershipState.accepted
        return [member.id for member in application.team.members if member.membership_state is accepted]


def _topic(name: str) -> str:
    """Return five digits: a nonce has 25 characters at most."""
    return f"{zlib.crc32(name.encode()) % 100_000:05}"


def _reraise_own(error: Exception) -> None:
    """Log an error of Discord or of the connection; raise any other."""
    if classify(error) is None:
        raise error
    _log.warning("owner.not_reached", error=type(error).__name__)
