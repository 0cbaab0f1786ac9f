"""Alerts and reports to owners and log channels."""

from functools import cached_property

from bot import __version__
from bot.container.connection import ConnectionContainer
from bot.services.automod import AutoModService
from bot.services.balance_alerts import BalanceAlerts
from bot.services.budget_alerts import BudgetAlerts
from bot.services.daily_report import DailyReports
from bot.services.guild_key_reports import GuildKeyReports
from bot.services.model_alerts import ModelAlerts
from bot.services.prompt_block_reports import PromptBlockReports
from bot.ui.delivery.alert_webhook import AlertWebhook
from bot.ui.delivery.automod_reader import DiscordAutoModReader
from bot.ui.delivery.log_channel_messages import LogChannelMessages
from bot.ui.delivery.owner_messages import OwnerMessages


class AlertContainer(ConnectionContainer):
    """The client with alerts and reports."""

    @cached_property
    def budget_alerts(self) -> BudgetAlerts:
        """Alerts about monthly budgets."""
        url = self.settings.alert_webhook_url
        return BudgetAlerts(
            database=self.database,
            ledger=self.ledger,
            owners=OwnerMessages(self.client),
            channels=LogChannelMessages(self.client),
            webhook=None if url is None else AlertWebhook(url=url, http=self.http),
            clock=self.clock,
        )

    @cached_property
    def balance_alerts(self) -> BalanceAlerts:
        """Warnings about low balances at providers."""
        return BalanceAlerts(
            providers=self.providers,
            database=self.database,
            notifier=OwnerMessages(self.client),
            clock=self.clock,
            low=self.settings.low_balance_usd,
        )

    @cached_property
    def daily_reports(self) -> DailyReports:
        """Daily reports about the studio to the owners."""
        return DailyReports(
            database=self.database,
            ledger=self.ledger,
            notifier=OwnerMessages(self.client),
            clock=self.clock,
            health=self.health,
            space=self.image_service.space,
            version=__version__,
            hour=self.settings.daily_report_hour,
        )

    @cached_property
    def model_alerts(self) -> ModelAlerts:
        """Warnings about retiring and closed models."""
        return ModelAlerts(
            catalogue=self.catalogue,
            database=self.database,
            notifier=OwnerMessages(self.client),
            clock=self.clock,
            closed_models=self.model_availability.closed_models,
            default_model=lambda: self.model_availability.default_models()[0],
        )

    @cached_property
    def prompt_block_reports(self) -> PromptBlockReports:
        """Reports about bans after refused prompts."""
        return PromptBlockReports(database=self.database, channels=LogChannelMessages(self.client), clock=self.clock)

    @cached_property
    def automod(self) -> AutoModService:
        """AutoMod's rules of servers."""
        return AutoModService(
            database=self.database,
            transactions=self.guild_transactions,
            reader=DiscordAutoModReader(self.client),
            channels=LogChannelMessages(self.client),
            checks=self.prompt_checks,
            clock=self.clock,
            new_id=self.new_id,
        )

    @cached_property
    def guild_key_reports(self) -> GuildKeyReports:
        """Reports about servers' unusable keys."""
        return GuildKeyReports(
            database=self.database,
            vault=lambda: self.key_vault,
            pool=self.provider_pool,
            channels=LogChannelMessages(self.client),
            clock=self.clock,
            enabled=self.settings.community_keys,
        )
