"""The composition root: every part is built and wired here."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import discord
import httpx
import structlog
import uuid6
from aiohttp.web import RouteDef
from discord.ext import commands
from sqlalchemy import make_url

from bot.client import AtelierClient, SyncMemory
from bot.domain.attachments import InputPolicy
from bot.domain.models import Model, offered_models
from bot.domain.remix import possible_actions
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.claimer import CallbackUrl
from bot.engine.clock import Clock, SystemClock
from bot.engine.config import EngineConfig
from bot.engine.engine import Engine
from bot.engine.health import HealthRegistry
from bot.engine.held_jobs import HeldJobs
from bot.engine.identify_limiter import IdentifyRateLimiter
from bot.engine.input_downloader import InputDownloader
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.maintenance import Maintenance
from bot.engine.observer import JobObserver
from bot.engine.poller import JobPoller
from bot.engine.provider_status import ProviderStatus
from bot.engine.reconciliation_store import ReconciliationStore
from bot.engine.submitter import Submitter
from bot.engine.worker_store import WorkerStore
from bot.factories import (
    admitted_guilds,
    build_callback_url,
    build_engine_config,
    build_image_service,
    build_input_policy,
    build_input_url,
    build_providers,
    provider_connections,
)
from bot.images.image_service import ImageService
from bot.lifecycle import Lifecycle
from bot.providers.base import Provider
from bot.providers.transport import provider_client
from bot.services.access import AccessService
from bot.services.confirmations import ConfirmationService
from bot.services.credits import CreditService
from bot.services.details import DetailService
from bot.services.history import HistoryService
from bot.services.job_snapshots import JobSnapshotService
from bot.services.jobs import JobService
from bot.services.preferences import PreferenceService
from bot.services.presets import PresetService
from bot.services.remix import RemixService
from bot.services.request_resolver import ResolverService
from bot.services.saved_forms import SavedFormService
from bot.services.served_files import ServedFileService
from bot.services.status import StatusService
from bot.services.webhooks import WebhookService
from bot.settings import Settings
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.delivery.result_delivery import ResultDelivery
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.edit_menu import EditMenu
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.form_reopen import FormReopener
from bot.ui.handlers.history import HistoryHandlers
from bot.ui.handlers.job_requests import JobRequests
from bot.ui.handlers.preferences import PreferenceHandlers
from bot.ui.handlers.presets import PresetHandlers
from bot.ui.i18n import read_catalogues
from bot.web.served_files import ServedFileEndpoint
from bot.web.server import WebServer
from bot.web.webhooks import WebhookEndpoint
from cogs.card import Card
from cogs.credits import Credits
from cogs.edit import Edit
from cogs.help import Help
from cogs.history import History
from cogs.imagine import Imagine
from cogs.jobs import Jobs
from cogs.preset import PresetCommands
from cogs.settings import SettingsCommands
from cogs.status import StudioStatus
from cogs.studio import Studio
from db.database import Database
from db.key_value import KeyValueRepository
from db.migrate import migrate
from db.process_lock import hold_process_lock

_log = structlog.get_logger(__name__)

_COMMANDS_KEY = "commands sent to Discord"


def new_id() -> str:
    """Return a new time-ordered id of 32 hexadecimal digits."""
    return uuid6.uuid7().hex


def seeded_random() -> random.Random:
    """Return a generator for jitter with a fresh seed."""
    return random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not a secret


class Container:
    """The wired product. Each part is built once, when it is first read.

    The constructor takes the settings and the replaceable parts: database, HTTP client, clock, ids, randomness. A test
    harness or a benchmark replaces any other part by assigning it before it is first read. The caller closes the
    database and the HTTP client; `close` closes everything built here.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        http: httpx.AsyncClient,
        clock: Clock | None = None,
        new_id: Callable[[], str] = new_id,
        randomness: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.http = http
        self.clock = clock or SystemClock()
        self.new_id = new_id
        self.randomness = randomness or seeded_random()

    async def close(self) -> None:
        """Close the parts built here."""
        await self.image_service.close()

    # Engine

    @cached_property
    def engine_config(self) -> EngineConfig:
        """Limits and deadlines of the engine."""
        return build_engine_config(self.settings)

    @cached_property
    def providers(self) -> Mapping[str, Provider]:
        """Configured providers by name, in the operator's order."""
        return build_providers(self.settings, self.http)

    @cached_property
    def provider_names(self) -> tuple[str, ...]:
        """Names of the configured providers, in the operator's order."""
        return tuple(self.providers)

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """Models of the configured providers."""
        return tuple(offered_models(self.provider_names))

    @cached_property
    def input_policy(self) -> InputPolicy:
        """Rules for input images."""
        return build_input_policy(self.settings)

    @cached_property
    def image_service(self) -> ImageService:
        """Download, check and store images."""
        return build_image_service(self.settings)

    @cached_property
    def is_alone(self) -> bool:
        """Whether no other process can share the database."""
        return self.database.dialect == "sqlite"

    @cached_property
    def lease(self) -> Lease:
        """This worker's lease."""
        return Lease(
            worker_id=self.new_id(), seconds=self.settings.lease_seconds, is_alone=self.is_alone, clock=self.clock
        )

    @cached_property
    def ledger(self) -> Ledger:
        """Credits of members and the monthly budget."""
        return Ledger(
            allowance=self.settings.default_allowance, budget=self.settings.monthly_budget, new_id=self.new_id
        )

    @cached_property
    def new_callback_url(self) -> Callable[[str], CallbackUrl | None]:
        """Factory of webhook URLs, one for each submit to the named provider."""
        return lambda provider: build_callback_url(self.settings, self.providers[provider])

    @cached_property
    def new_input_url(self) -> Callable[[], CallbackUrl | None]:
        """Factory of URLs for input images, one for each submit."""
        return lambda: build_input_url(self.settings)

    @cached_property
    def job_store(self) -> JobStore:
        """State changes of jobs, each one transaction."""
        return JobStore(
            database=self.database,
            ledger=self.ledger,
            clock=self.clock,
            config=self.engine_config,
            lease=self.lease,
            providers=self.provider_names,
            new_callback_url=self.new_callback_url,
            new_input_url=self.new_input_url,
        )

    @cached_property
    def health(self) -> HealthRegistry:
        """Latest answers of each provider."""
        return HealthRegistry(self.provider_names)

    @cached_property
    def observer(self) -> JobObserver:
        """Receiver of job changes: the card updater."""
        return self.card_updater

    @cached_property
    def worker_store(self) -> WorkerStore:
        """This worker's lease and jobs in the database."""
        return WorkerStore(database=self.database, clock=self.clock, lease=self.lease)

    @cached_property
    def reconciliations(self) -> ReconciliationStore:
        """Late answers about ended jobs in the database."""
        return ReconciliationStore(database=self.database, clock=self.clock)

    @cached_property
    def provider_status(self) -> ProviderStatus:
        """Acceptance of submits by provider."""
        return ProviderStatus(
            providers=self.provider_names,
            health=self.health,
            breakers=CircuitBreakers(self.provider_names),
            clock=self.clock,
        )

    @cached_property
    def held_jobs(self) -> HeldJobs:
        """Steps of a job before its submit."""
        return HeldJobs(
            job_store=self.job_store,
            input_downloader=InputDownloader(
                self.image_service, is_allowed=self.input_policy.is_known, is_served=self.input_policy.served
            ),
            provider_status=self.provider_status,
            observer=self.observer,
            clock=self.clock,
            config=self.engine_config,
        )

    @cached_property
    def submitter(self) -> Submitter:
        """Submit of a claimed job."""
        return Submitter(
            job_store=self.job_store,
            providers=self.providers,
            provider_status=self.provider_status,
            clock=self.clock,
            config=self.engine_config,
            randomness=self.randomness,
        )

    @cached_property
    def poller(self) -> JobPoller:
        """Steps of a job at its provider."""
        return JobPoller(
            job_store=self.job_store,
            reconciliations=self.reconciliations,
            providers=self.providers,
            provider_status=self.provider_status,
            image_service=self.image_service,
            clock=self.clock,
            config=self.engine_config,
            randomness=self.randomness,
        )

    @cached_property
    def engine(self) -> Engine:
        """Scheduler of all jobs of this process."""
        return Engine(
            job_store=self.job_store,
            worker_store=self.worker_store,
            reconciliations=self.reconciliations,
            held_jobs=self.held_jobs,
            submitter=self.submitter,
            poller=self.poller,
            provider_status=self.provider_status,
            observer=self.observer,
            clock=self.clock,
            config=self.engine_config,
            lease=self.lease,
            randomness=self.randomness,
        )

    @cached_property
    def maintenance(self) -> Maintenance:
        """Nightly clean-up and audit."""
        return Maintenance(
            database=self.database,
            image_service=self.image_service,
            clock=self.clock,
            retention=timedelta(days=self.settings.picture_retention_days),
        )

    # Services

    @cached_property
    def access(self) -> AccessService:
        """Admission of servers."""
        return AccessService(
            database=self.database,
            admitted=admitted_guilds(self.settings),
            now=self.clock.now,
            outside=self.settings.user_install,
        )

    @cached_property
    def snapshots(self) -> JobSnapshotService:
        """Jobs as cards show them."""
        return JobSnapshotService(database=self.database, ledger=self.ledger, clock=self.clock)

    @cached_property
    def jobs(self) -> JobService:
        """Requests, cancellations and acknowledgements."""
        return JobService(
            database=self.database,
            job_store=self.job_store,
            engine=self.engine,
            ledger=self.ledger,
            access=self.access,
            clock=self.clock,
            config=self.engine_config,
            providers=self.provider_names,
            new_id=self.new_id,
            policy=self.input_policy,
        )

    @cached_property
    def confirmations(self) -> ConfirmationService:
        """Expensive requests waiting for a member's confirmation."""
        return ConfirmationService(
            database=self.database,
            ledger=self.ledger,
            access=self.access,
            clock=self.clock,
            providers=self.provider_names,
            new_id=self.new_id,
        )

    @cached_property
    def request_resolver(self) -> ResolverService:
        """Merge of chosen options, preset and a member's defaults."""
        return ResolverService(database=self.database, providers=self.provider_names)

    @cached_property
    def saved_forms(self) -> SavedFormService:
        """Rejected modal input."""
        return SavedFormService(database=self.database, clock=self.clock, new_id=self.new_id)

    @cached_property
    def credits(self) -> CreditService:
        """Balances."""
        return CreditService(database=self.database, ledger=self.ledger, access=self.access, clock=self.clock)

    @cached_property
    def details(self) -> DetailService:
        """A job's full record for its member."""
        return DetailService(database=self.database)

    @cached_property
    def history(self) -> HistoryService:
        """Pages of a member's past jobs."""
        return HistoryService(database=self.database, clock=self.clock, new_id=self.new_id)

    @cached_property
    def preferences(self) -> PreferenceService:
        """A member's default options."""
        return PreferenceService(database=self.database, providers=self.provider_names, now=self.clock.now)

    @cached_property
    def presets(self) -> PresetService:
        """Named options of members and servers."""
        return PresetService(
            database=self.database, access=self.access, providers=self.provider_names, now=self.clock.now
        )

    @cached_property
    def remix(self) -> RemixService:
        """Requests based on a finished job."""
        return RemixService(
            database=self.database, image_service=self.image_service, clock=self.clock, providers=self.provider_names
        )

    @cached_property
    def status(self) -> StatusService:
        """State of queue and providers."""
        return StatusService(database=self.database, snapshots=self.snapshots, health=self.health)

    @cached_property
    def served_files(self) -> ServedFileService:
        """Input images served to providers."""
        return ServedFileService(database=self.database, image_service=self.image_service)

    # Discord

    @cached_property
    def client(self) -> AtelierClient:
        """Connection to Discord, with every cog once `install` ran."""
        return AtelierClient(
            synced=SyncMemory(self._synced_commands, self._save_synced_commands),
            shard_count=self.settings.shard_count,
            shard_ids=self.settings.shard_ids,
            identify_turn=None if self.identify_limiter is None else self.identify_limiter.wait,
            user_installs=self.settings.user_install,
        )

    @cached_property
    def messages(self) -> JobMessages:
        """Messages of jobs on Discord."""
        return JobMessages(client=self.client, clock=self.clock)

    @cached_property
    def result_delivery(self) -> ResultDelivery:
        """Delivery of ended jobs."""
        return ResultDelivery(
            job_store=self.job_store,
            image_service=self.image_service,
            messages=self.messages,
            clock=self.clock,
            soft_deadline=self.engine_config.soft_deadline,
            actions=possible_actions(self.provider_names),
        )

    @cached_property
    def card_updater(self) -> CardUpdater:
        """Edits of cards as jobs change."""
        return CardUpdater(
            snapshots=self.snapshots,
            job_store=self.job_store,
            messages=self.messages,
            delivery=self.result_delivery,
            clock=self.clock,
            randomness=self.randomness,
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
        )

    @cached_property
    def preset_handlers(self) -> PresetHandlers:
        """Answers to `/preset`."""
        return PresetHandlers(presets=self.presets)

    @cached_property
    def history_handlers(self) -> HistoryHandlers:
        """Answers to `/history`."""
        return HistoryHandlers(history=self.history, images=self.image_service)

    @cached_property
    def form_errors(self) -> FormErrors:
        """Answers to rejected modals."""
        return FormErrors(forms=self.saved_forms)

    @cached_property
    def card_actions(self) -> CardActions:
        """Answers to the buttons of finished cards."""
        return CardActions(
            remix=self.remix,
            details=self.details,
            resolver=self.request_resolver,
            requests=self.job_requests,
            messages=self.messages,
            form_errors=self.form_errors,
            providers=self.provider_names,
        )

    @cached_property
    def edit_menu(self) -> EditMenu:
        """Answers to "Edit this image"."""
        return EditMenu(
            jobs=self.jobs,
            resolver=self.request_resolver,
            requests=self.job_requests,
            actions=self.card_actions,
            form_errors=self.form_errors,
        )

    @cached_property
    def form_reopener(self) -> FormReopener:
        """Answers to the button of a rejected modal."""
        return FormReopener(
            forms=self.saved_forms,
            form_errors=self.form_errors,
            edit_menu=self.edit_menu,
            actions=self.card_actions,
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
            Jobs(client=client, jobs=self.jobs, requests=self.job_requests),
            Card(client=client, actions=self.card_actions, form_reopener=self.form_reopener),
            PresetCommands(client=client, presets=self.preset_handlers, resolver=self.request_resolver),
            SettingsCommands(panel=PreferenceHandlers(preferences=self.preferences, models=self.models)),
            History(client=client, history=self.history_handlers),
            Credits(credits=self.credits),
            StudioStatus(status=self.status),
            Help(models=self.models),
            Studio(access=self.access),
        )

    async def install(self) -> None:
        """Load every cog. Called once, before login."""
        for cog in self.cogs:
            await self.client.add_cog(cog)

    # Web and life cycle

    @cached_property
    def routes(self) -> tuple[RouteDef, ...]:
        """Routes for webhooks and input images.

        None without a public URL.
        """
        if self.settings.webhook_public_url is None:
            return ()
        webhooks = WebhookEndpoint(WebhookService(engine=self.engine, providers=self.providers))
        return (*webhooks.routes, *ServedFileEndpoint(self.served_files).routes)

    @cached_property
    def web(self) -> WebServer:
        """HTTP server for providers and health checks."""
        return WebServer(
            host=self.settings.http_host, port=self.settings.http_port, ready=self._missing, routes=self.routes
        )

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """Start and stop of all running parts."""
        return Lifecycle(
            client=self.client,
            engine=self.engine,
            card_updater=self.card_updater,
            housekeeping=self.maintenance,
            web=self.web,
        )

    async def _missing(self) -> list[str]:
        missing = [] if self.client.is_ready() else ["gateway"]
        with contextlib.suppress(Exception):
            await self.database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
            return missing
        return [*missing, "database"]

    async def _synced_commands(self) -> str | None:
        return await self.database.read(lambda connection: KeyValueRepository(connection).find(_COMMANDS_KEY))

    async def _save_synced_commands(self, digest: str) -> None:
        await self.database.write(lambda connection: KeyValueRepository(connection).save(_COMMANDS_KEY, digest))


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database of the settings, and close it at the end."""
    database = await Database.open(settings.database_address)
    try:
        yield database
    finally:
        await database.close()


def set_discord_api(api_url: str) -> None:
    """Make discord.py use this REST address.

    The library only has a global one.
    """
    discord.http.Route.BASE = api_url


async def run(settings: Settings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Run the bot until `stop` is set. Raises if a start is impossible."""
    if settings.discord_token is None:
        raise ValueError("DISCORD_TOKEN is not set")
    async with AsyncExitStack() as stack:
        file = make_url(settings.database_address)
        if file.get_backend_name() == "sqlite":
            stack.enter_context(hold_process_lock(Path(str(file.database))))
        set_discord_api(settings.discord_api_url)
        database = await stack.enter_async_context(open_database(settings))
        applied = await migrate(database)
        if applied:
            _log.info("database.migrated", revisions=applied)
        http = await stack.enter_async_context(provider_client(max_connections=provider_connections(settings)))
        container = Container(settings, database=database, http=http, clock=clock)
        stack.push_async_callback(container.close)
        await container.install()
        await asyncio.to_thread(read_catalogues)
        await container.lifecycle.serve(settings.discord_token, stop)
