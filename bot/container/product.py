"""The whole product: Discord, web server, start and stop."""

import contextlib
from functools import cached_property

from aiohttp.web import RouteDef
from discord.ext import commands

from bot import __version__
from bot.charts.drawer import ChartDrawer
from bot.client import AtelierClient, open_http
from bot.command_sync import BackgroundSync, CommandSync, SyncMemory
from bot.container.services import ServiceContainer
from bot.domain.remix import possible_actions
from bot.engine.identify_limiter import IdentifyRateLimiter
from bot.engine.input_publisher import InputPublisher
from bot.engine.observer import JobObserver
from bot.factories import build_health_address
from bot.lifecycle import Lifecycle
from bot.monitoring.metrics_page import MetricsPage
from bot.monitoring.process_collector import ProcessCollector
from bot.monitoring.studio_collector import StudioCollector
from bot.services.balance_alerts import BalanceAlerts
from bot.services.budget_alerts import BudgetAlerts
from bot.services.daily_report import DailyReports
from bot.services.deletion_register import FILE_NAME as DELETIONS_FILE
from bot.services.deletion_register import DeletionRegister
from bot.services.deletions import DeletionService
from bot.services.export_parts import ExportBuilder
from bot.services.exports import ExportService
from bot.services.guild_presence import GuildPresenceService
from bot.services.model_alerts import ModelAlerts
from bot.services.publications import PublicationService
from bot.services.versions import VersionService
from bot.services.webhooks import WebhookService
from bot.ui.command_options import name_default_model
from bot.ui.delivery.alert_webhook import AlertWebhook
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.export_messages import ExportMessages
from bot.ui.delivery.first_hint import FirstHint
from bot.ui.delivery.input_publisher import CardInputPublisher
from bot.ui.delivery.job_messages import DIRECT_UPLOAD_LIMIT, JobMessages
from bot.ui.delivery.job_notifier import JobNotifier
from bot.ui.delivery.log_channel_messages import LogChannelMessages
from bot.ui.delivery.message_eraser import JobMessageEraser
from bot.ui.delivery.owner_messages import OwnerMessages
from bot.ui.delivery.page_turns import PageTurns
from bot.ui.delivery.result_delivery import ResultDelivery
from bot.ui.handlers.allowances import AllowanceHandlers
from bot.ui.handlers.arrivals import ArrivalHandlers
from bot.ui.handlers.budgets import BudgetHandlers
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.comparisons import ComparisonHandlers
from bot.ui.handlers.credits import CreditHandlers
from bot.ui.handlers.edit_menu import EditMenu
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.form_reopen import FormReopener
from bot.ui.handlers.history import HistoryHandlers
from bot.ui.handlers.job_requests import JobRequests
from bot.ui.handlers.live_jobs import LiveJobHandlers
from bot.ui.handlers.mentions import MentionHandlers
from bot.ui.handlers.model_offers import ModelOffers
from bot.ui.handlers.moderation import ModerationHandlers
from bot.ui.handlers.origins import OriginHandlers
from bot.ui.handlers.pauses import PauseHandlers
from bot.ui.handlers.preferences import PreferenceHandlers
from bot.ui.handlers.presets import PresetHandlers
from bot.ui.handlers.privacy import PrivacyHandlers
from bot.ui.handlers.publications import PublicationHandlers
from bot.ui.handlers.remix_forms import RemixForms
from bot.ui.handlers.remix_requests import RemixRequests
from bot.ui.handlers.setup import SetupHandlers
from bot.ui.handlers.statistics import StatisticsHandlers
from bot.ui.handlers.versions import VersionHandlers
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from bot.web.webhooks import WebhookEndpoint
from cogs.arrivals import Arrivals
from cogs.card import Card
from cogs.credits import Credits
from cogs.edit import Edit
from cogs.help import Help
from cogs.history import History
from cogs.imagine import Imagine
from cogs.jobs import Jobs
from cogs.live_jobs import LiveJobs
from cogs.mentions import Mentions
from cogs.origins import Origins
from cogs.preset import PresetCommands
from cogs.privacy import Privacy
from cogs.settings import SettingsCommands
from cogs.status import StudioStatus
from cogs.studio import (
    AdmissionCommands,
    BudgetCommands,
    ModerationCommands,
    PauseCommands,
    SetupCommands,
    StatisticsCommands,
    Studio,
)
from db.key_value import KeyValueRepository

_COMMANDS_KEY = "commands sent to Discord"


class Container(ServiceContainer):
    """The wired product.

    See `EngineContainer` for the replaceable parts.
    """

    @cached_property
    def observer(self) -> JobObserver:
        """Receiver of job changes: the card updater."""
        return self.card_updater

    @cached_property
    def client(self) -> AtelierClient:
        """Connection to Discord, with every cog once `install` ran."""
        return AtelierClient(
            shard_count=self.settings.shard_count,
            shard_ids=self.settings.shard_ids,
            identify_turn=None if self.identify_limiter is None else self.identify_limiter.wait,
            user_installs=self.settings.user_install,
            mentions=self.settings.edit_by_mention,
            clock=self.clock,
            proxy=self.settings.proxies.find(self.settings.discord_api_url),
            read_settings=self.guild_settings.get,
        )

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

    @cached_property
    def messages(self) -> JobMessages:
        """Messages of jobs on Discord."""
        return JobMessages(client=self.client, clock=self.clock)

    @cached_property
    def result_delivery(self) -> ResultDelivery:
        """Delivery of ended jobs."""
        return ResultDelivery(
            card_store=self.card_store,
            image_service=self.image_service,
            messages=self.messages,
            clock=self.clock,
            soft_deadline=self.engine_config.soft_deadline,
            actions=possible_actions(self.catalogue),
            prices=self.remix.get_prices,
            alternatives=self.model_availability.alternatives_of,
            outside=self.settings.user_install,
            command_ids=lambda: self.command_sync.command_ids,
        )

    @cached_property
    def first_hint(self) -> FirstHint:
        """Hint after a member's first pictures."""
        return FirstHint(
            card_store=self.card_store,
            messages=self.messages,
            clock=self.clock,
            actions=possible_actions(self.catalogue),
            command_ids=lambda: self.command_sync.command_ids,
        )

    @cached_property
    def page_turns(self) -> PageTurns:
        """Order of the edits of pages of the history."""
        return PageTurns()

    @cached_property
    def card_updater(self) -> CardUpdater:
        """Edits of cards as jobs change."""
        return CardUpdater(
            snapshots=self.snapshots,
            job_store=self.job_store,
            card_store=self.card_store,
            messages=self.messages,
            delivery=self.result_delivery,
            notifier=JobNotifier(card_store=self.card_store, messages=self.messages, delivery=self.result_delivery),
            hint=self.first_hint if self.settings.first_hint else None,
            page_turns=self.page_turns,
            clock=self.clock,
            randomness=self.randomness,
        )

    @cached_property
    def input_publisher(self) -> InputPublisher | None:
        """Publisher of input images on cards; None with a public URL."""
        if self.input_policy.served:
            return None
        return CardInputPublisher(
            snapshots=self.snapshots,
            image_service=self.image_service,
            messages=self.messages,
            delivery=self.result_delivery,
            card_updater=self.card_updater,
        )

    @cached_property
    def job_requests(self) -> JobRequests:
        """Way from a request to its card, or to the question before it."""
        return JobRequests(
            jobs=self.jobs,
            resolver=self.request_resolver,
            confirmations=self.confirmations,
            snapshots=self.snapshots,
            card_updater=self.card_updater,
            catalogue=self.catalogue,
            model_offers=self.model_offers,
        )

    @cached_property
    def model_offers(self) -> ModelOffers:
        """Other models for refused requests."""
        return ModelOffers(
            availability=self.model_availability, confirmations=self.confirmations, resolver=self.request_resolver
        )

    @cached_property
    def preset_handlers(self) -> PresetHandlers:
        """Answers to `/preset`."""
        return PresetHandlers(presets=self.presets)

    @cached_property
    def history_handlers(self) -> HistoryHandlers:
        """Answers to `/history`."""
        return HistoryHandlers(
            history=self.history,
            images=self.image_service,
            actions=possible_actions(self.catalogue),
            prices=self.remix.get_prices,
            page_turns=self.page_turns,
            provider_name=self.settings.display_name_of,
        )

    @cached_property
    def statistics_handlers(self) -> StatisticsHandlers:
        """Answers to `/studio stats`."""
        return StatisticsHandlers(
            statistics=self.statistics,
            drawer=ChartDrawer(folder=self.settings.data_dir / "fonts"),
            provider_name=self.settings.display_name_of,
        )

    @cached_property
    def form_errors(self) -> FormErrors:
        """Answers to rejected modals."""
        return FormErrors(forms=self.saved_forms)

    @cached_property
    def publication_handlers(self) -> PublicationHandlers:
        """Answers to *Make public*."""
        return PublicationHandlers(
            publications=PublicationService(database=self.database, access=self.access, clock=self.clock),
            delivery=self.result_delivery,
            messages=self.messages,
        )

    @cached_property
    def card_actions(self) -> CardActions:
        """Answers to the buttons of finished cards."""
        return CardActions(
            remix=self.remix,
            gate=self.request_gate,
            details=self.details,
            requests=self.remix_requests,
            remix_forms=self.remix_forms,
            preferences=self.preferences,
            messages=self.messages,
            card_updater=self.card_updater,
            forms=self.saved_forms,
            form_errors=self.form_errors,
            publications=self.publication_handlers,
            comparisons=ComparisonHandlers(comparisons=self.comparisons, images=self.image_service),
            versions=VersionHandlers(
                versions=VersionService(database=self.database, limits=self.member_limits), messages=self.messages
            ),
            history=self.history_handlers,
            catalogue=self.catalogue,
        )

    @cached_property
    def edit_menu(self) -> EditMenu:
        """Answers to "Edit this image"."""
        return EditMenu(
            jobs=self.jobs,
            resolver=self.request_resolver,
            gate=self.request_gate,
            requests=self.job_requests,
            actions=self.card_actions,
            forms=self.saved_forms,
            form_errors=self.form_errors,
        )

    @cached_property
    def moderation_handlers(self) -> ModerationHandlers:
        """Answers to moderators."""
        return ModerationHandlers(moderation=self.moderation, catalogue=self.catalogue)

    @cached_property
    def live_job_handlers(self) -> LiveJobHandlers:
        """Answers to `/jobs`."""
        return LiveJobHandlers(jobs=self.live_jobs)

    @cached_property
    def origin_handlers(self) -> OriginHandlers:
        """Answers to "Was this made here?"."""
        return OriginHandlers(origins=self.origins, jobs=self.jobs, messages=self.messages)

    @cached_property
    def mention_handlers(self) -> MentionHandlers:
        """Answers to mentions of the bot."""
        return MentionHandlers(
            jobs=self.jobs,
            resolver=self.request_resolver,
            confirmations=self.confirmations,
            model_offers=self.model_offers,
            snapshots=self.snapshots,
            remix=self.remix,
            gate=self.request_gate,
            limits=self.member_limits,
            clock=self.clock,
            read_settings=self.guild_settings.get,
        )

    @cached_property
    def form_reopener(self) -> FormReopener:
        """Answers to the button of a rejected modal."""
        return FormReopener(
            forms=self.saved_forms,
            form_errors=self.form_errors,
            edit_menu=self.edit_menu,
            actions=self.card_actions,
            remix_forms=self.remix_forms,
            setup=self.setup_handlers,
        )

    @cached_property
    def setup_handlers(self) -> SetupHandlers:
        """Answers to `/studio setup` and `/studio show`."""
        return SetupHandlers(
            setup=self.guild_setup,
            settings=self.guild_settings,
            allowances=self.allowances,
            form_errors=self.form_errors,
        )

    @cached_property
    def remix_requests(self) -> RemixRequests:
        """Jobs of the actions on cards."""
        return RemixRequests(remix=self.remix, resolver=self.request_resolver, requests=self.job_requests)

    @cached_property
    def remix_forms(self) -> RemixForms:
        """Forms to change a request before Again or Vary."""
        return RemixForms(
            remix=self.remix,
            requests=self.remix_requests,
            forms=self.saved_forms,
            form_errors=self.form_errors,
            catalogue=self.catalogue,
        )

    @cached_property
    def exports(self) -> ExportService:
        """Exports of members' data, by direct message."""
        return ExportService(
            database=self.database,
            builder=ExportBuilder(database=self.database, image_service=self.image_service, limit=DIRECT_UPLOAD_LIMIT),
            messenger=ExportMessages(client=self.client),
            limits=self.member_limits,
            clock=self.clock,
            worker_id=self.lease.worker_id,
        )

    @cached_property
    def deletions(self) -> DeletionService:
        """Deletion of everything about a member."""
        return DeletionService(
            database=self.database,
            image_service=self.image_service,
            job_store=self.job_store,
            engine=self.engine,
            eraser=JobMessageEraser(messages=self.messages),
            register=DeletionRegister(self.settings.data_dir / DELETIONS_FILE, self.secret_key.name),
            pseudonym_of=self.pseudonym_of,
            clock=self.clock,
        )

    @cached_property
    def identify_limiter(self) -> IdentifyRateLimiter | None:
        """Limiter of gateway logins for several processes.

        None for one process.
        """
        return None if self.lease.is_alone else IdentifyRateLimiter(database=self.database, clock=self.clock)

    @cached_property
    def cogs(self) -> tuple[commands.Cog, ...]:
        """Commands, menus and buttons. Each registers its own when it loads."""
        client = self.client
        return (
            Imagine(requests=self.job_requests, presets=self.preset_handlers),
            Edit(
                client=client,
                jobs=self.jobs,
                requests=self.job_requests,
                presets=self.preset_handlers,
                edit_menu=self.edit_menu,
            ),
            Origins(client=client, handlers=self.origin_handlers),
            Jobs(client=client, jobs=self.jobs, requests=self.job_requests),
            LiveJobs(client=client, handlers=self.live_job_handlers),
            Mentions(client=client, handlers=self.mention_handlers),
            Card(
                client=client,
                actions=self.card_actions,
                publications=self.publication_handlers,
                form_reopener=self.form_reopener,
                remix_forms=self.remix_forms,
            ),
            Privacy(client=client, handlers=PrivacyHandlers(exports=self.exports, deletions=self.deletions)),
            PresetCommands(client=client, presets=self.preset_handlers, resolver=self.request_resolver),
            Arrivals(
                client=client,
                handlers=ArrivalHandlers(
                    presence=GuildPresenceService(database=self.database, now=self.clock.now),
                    access=self.access,
                    owners=OwnerMessages(client),
                    client=client,
                ),
            ),
            SettingsCommands(panel=PreferenceHandlers(preferences=self.preferences, catalogue=self.catalogue)),
            History(client=client, history=self.history_handlers),
            Credits(
                client=client,
                handlers=CreditHandlers(
                    credits=self.credits, history=self.credit_history, administration=self.credit_administration
                ),
                allowances=AllowanceHandlers(allowances=self.allowances),
            ),
            StudioStatus(status=self.status, provider_name=self.settings.display_name_of),
            Help(
                catalogue=self.catalogue,
                command_ids=lambda: self.command_sync.command_ids,
                mentions=self.settings.edit_by_mention,
            ),
            Studio(
                SetupCommands(client=client, handlers=self.setup_handlers),
                AdmissionCommands(access=self.access),
                BudgetCommands(budgets=BudgetHandlers(budgets=self.budgets)),
                PauseCommands(client=client, pauses=PauseHandlers(pauses=self.pauses)),
                ModerationCommands(client=client, handlers=self.moderation_handlers),
                StatisticsCommands(handlers=self.statistics_handlers),
            ),
        )

    async def install(self) -> None:
        """Load every cog. Called once, before login."""
        for cog in self.cogs:
            await self.client.add_cog(cog)
        name_default_model(self.client.tree.get_commands(), self.catalogue.default_model)

    @cached_property
    def routes(self) -> tuple[RouteDef, ...]:
        """Routes for webhooks and input images.

        None without a public URL.
        """
        public_url = self.settings.webhook_public_url
        if public_url is None:
            return ()
        service = WebhookService(engine=self.engine, providers=self.providers, public_url=public_url)
        webhooks = WebhookEndpoint(service)
        return (*webhooks.routes, *ServedFileEndpoint(self.served_files).routes)

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
    def metrics_page(self) -> MetricsPage | None:
        """Page of the metrics; None unless they are on."""
        if self.instruments is None:
            return None
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
            model_alerts=self.model_alerts,
            engine=self.engine,
            exports=self.exports,
            deletions=self.deletions,
            card_updater=self.card_updater,
            housekeeping=self.maintenance,
            web=self.web,
        )

    async def _missing(self) -> list[str]:
        missing = [] if self.client.has_gateway() else ["gateway"]
        if self.client.session_starts.waits_until is not None:
            missing = [f"gateway (no logins left until {self.client.session_starts.waits_until:%H:%M} UTC)"]
        missing += ["storage"] if self.storage_gate.faults else []
        with contextlib.suppress(Exception):
            await self.database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
            return missing
        return [*missing, "database"]

    async def _synced_commands(self) -> str | None:
        return await self.database.read(lambda connection: KeyValueRepository(connection).find(_COMMANDS_KEY))

    async def _save_synced_commands(self, digest: str) -> None:
        await self.database.write(lambda connection: KeyValueRepository(connection).save(_COMMANDS_KEY, digest))
