"""The whole product: web server, start and stop."""

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp.web import RouteDef

from bot import __version__
from bot.container.commands import CommandContainer
from bot.factories import build_health_address
from bot.interaction_intake import InteractionIntake
from bot.lifecycle import Lifecycle
from bot.services.webhooks import WebhookService
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from bot.web.webhooks import WebhookEndpoint

if TYPE_CHECKING:
    from bot.monitoring.metrics_page import MetricsPage
    from bot.web.interactions import InteractionEndpoint


class Container(CommandContainer):
    """The wired product.

    See `FoundationContainer` for the replaceable parts.
    """

    @cached_property
    def routes(self) -> tuple[RouteDef, ...]:
        """Routes for interactions, webhooks and input images.

        The latter two need a public URL.
        """
        interactions = () if self.interaction_endpoint is None else self.interaction_endpoint.routes
        public_url = self.settings.webhook_public_url
        if public_url is None:
            return interactions
        service = WebhookService(engine=self.engine, providers=self.providers, public_url=public_url)
        webhooks = WebhookEndpoint(service)
        return (*interactions, *webhooks.routes, *ServedFileEndpoint(self.served_files).routes)

    @cached_property
    def interaction_endpoint(self) -> "InteractionEndpoint | None":
        """Endpoint for Discord's interactions; None if the gateway has them."""
        if self.settings.interactions == "gateway":
            return None
        # Not at the top: cryptography takes 6 MB, also of bots with a gateway.
        from bot.web.interactions import InteractionEndpoint  # noqa: PLC0415 - see above

        intake = InteractionIntake(client=self.client, clock=self.clock)
        return InteractionEndpoint(intake, now=self.clock.now)

    @cached_property
    def metrics_page(self) -> "MetricsPage | None":
        """Page of the metrics; None unless they are on."""
        if self.instruments is None:
            return None
        # Not at the top: see `instruments`.
        from bot.monitoring.metrics_page import MetricsPage  # noqa: PLC0415 - see above
        from bot.monitoring.process_collector import ProcessCollector  # noqa: PLC0415 - see above
        from bot.monitoring.studio_collector import StudioCollector  # noqa: PLC0415 - see above

        self.engine.subscribe(self.instruments.record_end)
        self.database.time_transactions(self.instruments.record_transaction)
        return MetricsPage(
            registry=self.instruments.registry,
            process=ProcessCollector(
                version=__version__,
                client=self.client,
                card_updater=self.card_updater,
                image_service=self.image_service,
                provider_status=self.provider_status,
                health=self.health,
                storage_gate=self.storage_gate,
            ),
            studio=StudioCollector(
                database=self.database, ledger=self.ledger, clock=self.clock, cheapest=self.cheapest_picture
            ),
        )

    @cached_property
    def web(self) -> WebServer:
        """HTTP server for providers and health checks."""
        return WebServer(
            host=self.settings.http_host,
            port=self.settings.http_port,
            ready=self._missing,
            routes=self.routes,
            health=build_health_address(self.settings),
            metrics=None if self.metrics_page is None else self.metrics_page.render,
        )

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """Start and stop of all running parts."""
        return Lifecycle(
            client=self.client,
            background_sync=self.background_sync,
            balance_alerts=self.balance_alerts,
            budget_alerts=self.budget_alerts,
            daily_reports=self.daily_reports,
            guild_key_reports=self.guild_key_reports,
            prompt_block_reports=self.prompt_block_reports,
            automod=self.automod,
            model_alerts=self.model_alerts,
            outbox_publisher=self.outbox_publisher,
            challenges=self.challenges,
            premium_sync=self.premium_sync,
            review_watch=self.review_watch,
            closed_messages=self.closed_messages,
            age_flag_watch=self.age_flag_watch,
            takedowns=self.takedowns,
            engine=self.engine,
            exports=self.exports,
            deletions=self.deletions,
            card_updater=self.card_updater,
            duel_updater=self.duel_updater,
            housekeeping=self.maintenance,
            web=self.web,
            interactions=self.interaction_endpoint,
            drain_seconds=self.settings.drain_seconds,
            clock=self.clock,
        )

    async def _missing(self) -> list[str]:
        missing = [] if self.client.has_gateway() else ["gateway"]
        if self.interaction_endpoint is not None and not self.interaction_endpoint.is_open:
            missing.append("interactions")
        if self.client.session_starts.waits_until is not None:
            missing = [f"gateway (no logins left until {self.client.session_starts.waits_until:%H:%M} UTC)"]
        missing += ["storage"] if self.storage_gate.faults else []
        with contextlib.suppress(Exception):
            await self.database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
            return missing
        return [*missing, "database"]
