"""The connection to Discord, and its commands there."""

from functools import cached_property
from typing import Any

from bot.client import AtelierClient, open_http
from bot.command_sync import BackgroundSync, CommandSync, SyncMemory
from bot.container.services import ServiceContainer
from bot.engine.identify_limiter import IdentifyRateLimiter
from bot.services.premium_sync import PremiumSync
from bot.ui.delivery.premium_store import DiscordPremiumStore
from bot.ui.handlers.premium import PremiumHandlers
from db.key_value import KeyValueRepository

_COMMANDS_KEY = "commands sent to Discord"


class ConnectionContainer(ServiceContainer):
    """The services with a client of Discord."""

    @cached_property
    def client(self) -> AtelierClient:
        """Connection to Discord, with every cog once `install` ran."""
        return AtelierClient(
            shard_count=self.settings.shard_count,
            shard_ids=None if self.settings.shard_ids == "none" else self.settings.shard_ids,
            has_shards=self.settings.shard_ids != "none",
            identify_turn=None if self.identify_limiter is None else self.identify_limiter.wait,
            user_installs=self.settings.user_install,
            mentions=self.settings.edit_by_mention,
            clock=self.clock,
            proxy=self.settings.proxies.find(self.settings.discord_api_url),
            read_settings=self.guild_settings.get,
            **self._selling,
        )

    @property
    def _selling(self) -> dict[str, Any]:
        """Return the client's options for purchases: none without a SKU."""
        if not self.settings.premium_plan.is_on:
            return {}
        return {"count_purchases": self.premium_handlers.count, "offer_purchases": self.premium_handlers.buttons}

    @cached_property
    def premium_handlers(self) -> PremiumHandlers:
        """Counts and offers of purchases."""
        return PremiumHandlers(premium=self.premium)

    @cached_property
    def premium_sync(self) -> PremiumSync:
        """Comparison of the purchases with Discord's."""
        return PremiumSync(premium=self.premium, store=DiscordPremiumStore(self.client), clock=self.clock)

    @cached_property
    def identify_limiter(self) -> IdentifyRateLimiter | None:
        """Limiter of gateway logins for several processes.

        None for one process.
        """
        return None if self.lease.is_alone else IdentifyRateLimiter(database=self.database, clock=self.clock)

    @cached_property
    def command_sync(self) -> CommandSync:
        """Comparison of the commands with Discord's."""
        return CommandSync(
            payload=self.client.command_payload,
            memory=SyncMemory(self._synced_commands, self._save_synced_commands),
        )

    @cached_property
    def background_sync(self) -> BackgroundSync:
        """Registration of the commands with Discord."""
        token = self.settings.discord_token
        return BackgroundSync(
            command_sync=self.command_sync,
            open_http=lambda: open_http(
                "" if token is None else token.get_secret_value(),
                proxy=self.settings.proxies.find(self.settings.discord_api_url),
            ),
            clock=self.clock,
            randomness=self.randomness,
        )

    async def _synced_commands(self) -> str | None:
        return await self.database.read(lambda connection: KeyValueRepository(connection).find(_COMMANDS_KEY))

    async def _save_synced_commands(self, digest: str) -> None:
        await self.database.write(lambda connection: KeyValueRepository(connection).save(_COMMANDS_KEY, digest))
