"""Where everything is built and wired, and nowhere else: the composition root."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import discord
import structlog
import uuid6
from sqlalchemy import make_url

from bot.client import AtelierClient, SyncMemory
from bot.domain.models import offered_models
from bot.domain.remix import possible_actions
from bot.engine.circuit_breaker import CircuitBreakers
from bot.engine.clock import Clock, SystemClock
from bot.engine.engine import Engine
from bot.engine.executor import JobExecutor
from bot.engine.health import HealthRegistry
from bot.engine.identify_limiter import IdentifyRateLimiter
from bot.engine.job_store import JobStore
from bot.engine.lease import Lease
from bot.engine.ledger import Ledger
from bot.engine.maintenance import Maintenance
from bot.factories import (
    admitted_to,
    build_providers,
    hooks,
    input_addresses,
    input_policy,
    limits_of,
    picture_keeper,
    public_routes,
)
from bot.lifecycle import Lifecycle
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
from bot.services.request_resolver import ChoiceService
from bot.services.saved_forms import SavedFormService
from bot.services.served_files import ServedFileService
from bot.services.status import StatusService
from bot.settings import Settings
from bot.ui.delivery.card_updater import CardUpdater
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.delivery.result_delivery import ResultDelivery
from bot.ui.handlers.acknowledge import Acknowledger
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.edit_menu import EditMenu
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.form_reopen import FormReopener
from bot.ui.handlers.history import HistoryHandlers
from bot.ui.handlers.job_requests import Orders
from bot.ui.handlers.preferences import PreferenceHandlers
from bot.ui.handlers.presets import PresetHandlers
from bot.ui.handlers.wishes import Wishes
from bot.ui.i18n import read_catalogues
from bot.web.server import WebServer
from cogs.credits import Credits
from cogs.edit import Edit
from cogs.help import Help
from cogs.history import History
from cogs.imagine import Imagine
from cogs.preset import PresetCommands
from cogs.settings import SettingsCommands
from cogs.status import StudioStatus
from cogs.studio import Studio
from db.database import Database
from db.key_value import KeyValueRepository
from db.migrate import migrate
from db.process_lock import hold_process_lock

_log = structlog.get_logger(__name__)

_COMMANDS_FACT = "commands sent to Discord"
_CONNECTIONS_FOR_CANCELS = 16


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database of the settings, and close it at the end."""
    database = await Database.open(settings.database_address)
    try:
        yield database
    finally:
        await database.close()


def point_at(api_url: str) -> None:
    """Make discord.py speak to this REST address instead of Discord's own; it knows no other way than globally."""
    discord.http.Route.BASE = api_url


async def run(settings: Settings, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """Run the bot until `stop` is set. Raises what makes a start impossible."""
    if settings.discord_token is None:
        raise ValueError("DISCORD_TOKEN is not set")
    async with AsyncExitStack() as stack:
        file = make_url(settings.database_address)
        if file.get_backend_name() == "sqlite":
            stack.enter_context(hold_process_lock(Path(str(file.database))))
        app = await _build(settings, stack, clock or SystemClock())
        await asyncio.to_thread(read_catalogues)
        await app.serve(settings.discord_token, stop)


async def _build(settings: Settings, stack: AsyncExitStack, clock: Clock) -> Lifecycle:
    point_at(settings.discord_api_url)
    database = await stack.enter_async_context(open_database(settings))
    applied = await migrate(database)
    if applied:
        _log.info("database.migrated", revisions=applied)
    limits = limits_of(settings)
    books = Ledger(allowance=settings.default_allowance, budget=settings.monthly_budget, new_id=new_id)
    # Room for every slot of every provider at once, and for the cancels beside them.
    connections = len(settings.providers) * settings.max_active_jobs + _CONNECTIONS_FOR_CANCELS
    http = await stack.enter_async_context(provider_client(max_connections=connections))
    providers = build_providers(settings, http)
    policy = input_policy(settings)
    keeper = picture_keeper(settings)
    stack.push_async_callback(keeper.close)
    names = tuple(providers)
    health = HealthRegistry(names)
    lease = Lease(worker_id=new_id(), seconds=settings.lease_seconds, alone=database.dialect == "sqlite", clock=clock)
    randomness = random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not a secret
    client = AtelierClient(shard_count=settings.shard_count, shard_ids=settings.shard_ids)
    journal = JobStore(
        database=database,
        books=books,
        clock=clock,
        limits=limits,
        lease=lease,
        providers=names,
        hook=hooks(settings, providers),
        address=input_addresses(settings),
    )
    snapshots = JobSnapshotService(database=database, books=books, clock=clock)
    messages = JobMessages(client=client, clock=clock)
    presenter = CardUpdater(
        snapshots=snapshots,
        journal=journal,
        messages=messages,
        courier=ResultDelivery(
            journal=journal,
            keeper=keeper,
            messages=messages,
            clock=clock,
            soft_deadline=limits.soft_deadline,
            actions=possible_actions(names),
        ),
        clock=clock,
        randomness=randomness,
    )
    steps = JobExecutor(
        journal=journal,
        providers=providers,
        keeper=keeper,
        observer=presenter,
        clock=clock,
        limits=limits,
        health=health,
        breakers=CircuitBreakers(names),
        randomness=randomness,
        policy=policy,
    )
    engine = Engine(
        journal=journal,
        steps=steps,
        observer=presenter,
        clock=clock,
        limits=limits,
        lease=lease,
        randomness=randomness,
    )
    access = AccessService(
        database=database, admitted=admitted_to(settings), now=clock.now, outside=settings.user_install
    )
    generation = JobService(
        database=database,
        journal=journal,
        engine=engine,
        books=books,
        access=access,
        clock=clock,
        limits=limits,
        providers=names,
        new_id=new_id,
        policy=policy,
    )
    app = Lifecycle(
        client=client,
        engine=engine,
        presenter=presenter,
        housekeeping=Maintenance(
            database=database,
            keeper=keeper,
            clock=clock,
            retention=timedelta(days=settings.picture_retention_days),
        ),
        web=WebServer(
            host=settings.http_host,
            port=settings.http_port,
            ready=lambda: _missing(database, client),
            routes=public_routes(settings, engine, providers, ServedFileService(database=database, keeper=keeper)),
        ),
    )
    preferences = PreferenceService(database=database, providers=names, now=clock.now)
    acknowledger = Acknowledger(generation=generation, presenter=presenter)
    orders = Orders(
        generation=generation,
        drafts=ConfirmationService(
            database=database, books=books, access=access, clock=clock, providers=names, new_id=new_id
        ),
        snapshots=snapshots,
        acknowledger=acknowledger,
    )
    choices = ChoiceService(database=database, providers=names)
    shelves = PresetHandlers(presets=PresetService(database=database, access=access, providers=names, now=clock.now))
    wishes = Wishes(choices=choices, orders=orders, shelves=shelves)
    gallery = HistoryHandlers(history=HistoryService(database=database), keeper=keeper)
    forms = SavedFormService(database=database, clock=clock, new_id=new_id)
    refusals = FormErrors(forms=forms)
    workbench = CardActions(
        remix=RemixService(database=database, keeper=keeper, clock=clock, providers=names),
        details=DetailService(database=database),
        choices=choices,
        orders=orders,
        messages=messages,
        refusals=refusals,
        providers=names,
    )
    editing = EditMenu(generation=generation, choices=choices, wishes=wishes, workbench=workbench, refusals=refusals)
    edit = Edit(
        generation=generation,
        wishes=wishes,
        editing=editing,
    )
    client.install(
        generation=generation,
        gallery=gallery,
        orders=orders,
        retries=FormReopener(forms=forms, refusals=refusals, editing=editing, workbench=workbench),
        shelves=shelves,
        workbench=workbench,
        cogs=(
            Imagine(wishes=wishes),
            edit,
            PresetCommands(shelves=shelves, choices=choices),
            SettingsCommands(panel=PreferenceHandlers(preferences=preferences, models=offered_models(names))),
            History(gallery=gallery),
            Credits(credits=CreditService(database=database, books=books, access=access, clock=clock)),
            StudioStatus(status=StatusService(database=database, snapshots=snapshots, health=health)),
            Help(models=offered_models(names)),
            Studio(access=access),
        ),
        menus=(edit.menu,),
        on_login=app.start_work,
        synced=_sync_memory(database),
        identify_turn=None if lease.alone else IdentifyRateLimiter(database=database, clock=clock).wait,
        user_installs=settings.user_install,
    )
    return app


def new_id() -> str:
    """Return a new time-ordered id."""
    return uuid6.uuid7().hex


def _sync_memory(database: Database) -> SyncMemory:
    async def get() -> str | None:
        return await database.read(lambda connection: KeyValueRepository(connection).find(_COMMANDS_FACT))

    async def remember(digest: str) -> None:
        await database.write(lambda connection: KeyValueRepository(connection).save(_COMMANDS_FACT, digest))

    return SyncMemory(get, remember)


async def _missing(database: Database, client: AtelierClient) -> list[str]:
    missing = [] if client.is_ready() else ["gateway"]
    with contextlib.suppress(Exception):
        await database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        return missing
    return [*missing, "database"]
