"""The wired product between start and stop."""

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import SecretStr

from bot.client import AtelierClient, TokenRefusedError
from bot.command_sync import BackgroundSync
from bot.engine.clock import Clock
from bot.engine.engine import Engine
from bot.engine.maintenance import Maintenance
from bot.services.automod import AutoModService
from bot.services.balance_alerts import BalanceAlerts
from bot.services.budget_alerts import BudgetAlerts
from bot.services.closed_messages import ClosedMessages
from bot.services.daily_report import DailyReports
from bot.services.deletions import DeletionService
from bot.services.exports import ExportService
from bot.services.guild_key_reports import GuildKeyReports
from bot.services.model_alerts import ModelAlerts
from bot.services.premium_sync import PremiumSync
from bot.services.prompt_block_reports import PromptBlockReports
from bot.services.sharing.challenges import ChallengeService
from bot.services.sharing.review_watch import ReviewWatch
from bot.services.takedowns import TakedownService
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.duel_updater import DuelUpdater
from bot.ui.delivery.outbox.publisher import OutboxPublisher
from bot.ui.delivery.sharing.age_flag_watch import AgeFlagWatch
from bot.web.server import WebServer

if TYPE_CHECKING:
    from bot.web.interactions import InteractionEndpoint

_log = structlog.get_logger(__name__)

_EDIT_GRACE_SECONDS: Final = 3.0
_ANSWER_GRACE_SECONDS: Final = 3.0
_CANCEL_SECONDS: Final = 1.0
_SENT_ELSEWHERE: Final = (
    "No command reaches this bot: set INTERACTIONS=http, or remove the Interactions Endpoint URL on the General"
    " Information page of the developer portal."
)
_NOT_REGISTERED: Final = (
    "Discord sends interactions to the gateway: enter the public address of /interactions as Interactions Endpoint URL"
    " on the General Information page of the developer portal."
)


class Lifecycle:
    """Runs the parts in the right order.

    Their builder closes them.
    """

    def __init__(
        self,
        *,
        client: AtelierClient,
        background_sync: BackgroundSync,
        balance_alerts: BalanceAlerts,
        budget_alerts: BudgetAlerts,
        daily_reports: DailyReports,
        guild_key_reports: GuildKeyReports,
        prompt_block_reports: PromptBlockReports,
        automod: AutoModService,
        model_alerts: ModelAlerts,
        outbox_publisher: OutboxPublisher,
        challenges: ChallengeService,
        premium_sync: PremiumSync,
        review_watch: ReviewWatch,
        closed_messages: ClosedMessages,
        age_flag_watch: AgeFlagWatch,
        takedowns: TakedownService,
        engine: Engine,
        exports: ExportService,
        deletions: DeletionService,
        card_updater: CardUpdater,
        duel_updater: DuelUpdater,
        housekeeping: Maintenance,
        web: WebServer,
        interactions: "InteractionEndpoint | None",
        drain_seconds: float,
        clock: Clock,
    ) -> None:
        self._client = client
        self._background_sync = background_sync
        self._deletions = deletions
        self._beside = (
            *(budget_alerts, model_alerts, balance_alerts, daily_reports, guild_key_reports, prompt_block_reports),
            *(exports, deletions, takedowns, premium_sync, outbox_publisher, challenges, review_watch, duel_updater),
            *(closed_messages, age_flag_watch, automod),
        )
        self._engine = engine
        self._card_updater = card_updater
        self._duel_updater = duel_updater
        self._housekeeping = housekeeping
        self._web = web
        self._interactions = interactions
        self._drain_seconds = drain_seconds
        self._clock = clock

    async def serve(self, token: SecretStr, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> None:
        """Serve until `stop`, then end cleanly.

        `hurry` ends the wait for the providers' open calls.

        Raises:
            TokenRefusedError: Discord no longer accepts the token.
            discord.LoginFailure: Discord does not accept the token.
            discord.ConnectionClosed: Discord ended the connection for good.
        """
        port = await self._web.start()
        _log.info("web.listening", port=port)
        housekeeping = asyncio.create_task(self._housekeeping.run())
        gateway = asyncio.create_task(self._connect(token))
        stopped = asyncio.create_task(stop.wait())
        refused = asyncio.create_task(self._client.wait_token_refused())
        try:
            done, _ = await asyncio.wait({gateway, stopped, refused}, return_when=asyncio.FIRST_COMPLETED)
            if gateway in done:
                gateway.result()  # raises what ended it
            if refused in done and stopped not in done:
                raise TokenRefusedError
        finally:
            _log.info("app.stopping")
            self._web.begin_drain()
            await asyncio.gather(self._engine.stop(hurry), self._hang_up(hurry))
            await asyncio.gather(
                self._card_updater.stop(_EDIT_GRACE_SECONDS), self._duel_updater.stop(_EDIT_GRACE_SECONDS)
            )
            await self._engine.release_lease()
            # Before the client is closed: discord.py logs a traceback if that happens while a shard connects. Bounded,
            # because discord.py can swallow a cancellation at the moment a shard is connected.
            gateway.cancel()
            await asyncio.wait({gateway}, timeout=_CANCEL_SECONDS)
            await self._client.close()
            tasks = (housekeeping, gateway, stopped, refused)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._web.stop()
            _log.info("app.stopped")

    async def _hang_up(self, hurry: asyncio.Event | None) -> None:
        await self._drain(hurry)
        try:
            await self._client.hang_up(_ANSWER_GRACE_SECONDS)
        except Exception:  # noqa: BLE001 - the connection may be broken; it ends all the same
            _log.exception("discord.not_hung_up")

    async def _drain(self, hurry: asyncio.Event | None) -> None:
        """Answer interactions until a load balancer has noticed the end."""
        if self._interactions is not None and self._interactions.is_open:
            await self._clock.wait(hurry or asyncio.Event(), self._drain_seconds)
            await self._interactions.close(_ANSWER_GRACE_SECONDS)

    def _open_interactions(self) -> None:
        """Take interactions over HTTP, or log a wrong registration."""
        registered = self._client.interactions_url
        if self._interactions is None:
            if registered is not None:
                _log.error("interactions.sent_elsewhere", url=registered, remedy=_SENT_ELSEWHERE)
            return
        if registered is None:
            _log.warning("interactions.not_registered", remedy=_NOT_REGISTERED)
        if (key := self._client.public_key) is not None:
            self._interactions.open(key)

    async def _start_work(self) -> None:
        self._card_updater.start()
        self._duel_updater.start()
        await self._engine.start()

    async def _connect(self, token: SecretStr) -> None:
        async with self._client:
            await self._client.login(token.get_secret_value())
            await self._deletions.prepare()
            # REST works from here on, also while the gateway is away.
            await self._start_work()
            self._open_interactions()
            # Beside the gateway: the commands that Discord has work meanwhile, and messages need REST alone.
            beside = {asyncio.create_task(each.run()) for each in self._beside}
            if self._client.registers_commands:
                beside.add(asyncio.create_task(self._background_sync.run()))
            try:
                await self._client.connect(reconnect=True)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.wait(beside)
