"""Where everything is built and wired, and nowhere else: the composition root."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import discord
import httpx
import structlog
import uuid6
import yarl
from aiohttp.web import RouteDef
from discord.gateway import DiscordWebSocket
from pydantic import SecretStr
from sqlalchemy import make_url

from bot.client import AtelierClient, SyncMemory
from bot.domain.catalogue import offered_models
from bot.domain.inputs import MAX_BYTES, InputPolicy
from bot.domain.remix import possible_actions
from bot.engine.books import Books
from bot.engine.breaker import Breakers
from bot.engine.clock import Clock, SystemClock
from bot.engine.engine import Engine
from bot.engine.health import HealthBoard
from bot.engine.housekeeping import Housekeeping
from bot.engine.identify import IdentifyTurns
from bot.engine.journal import Hook, Journal
from bot.engine.lease import Lease
from bot.engine.limits import Limits
from bot.engine.steps import Steps
from bot.engine.webhooks import hash_of, input_address, new_token, webhook_address
from bot.images.download import PictureDownloader
from bot.images.keeper import PictureKeeper
from bot.images.store import PictureStore
from bot.images.workers import PictureWorkers
from bot.providers.base import Provider
from bot.providers.http import ProviderHttp
from bot.providers.reve2img import Reve2Img
from bot.providers.skillboss import SkillBoss
from bot.providers.transport import provider_client
from bot.services.access import AccessService
from bot.services.choices import ChoiceService
from bot.services.credits import CreditService
from bot.services.details import DetailService
from bot.services.drafts import DraftService
from bot.services.generation import GenerationService
from bot.services.history import HistoryService
from bot.services.inputs import InputService
from bot.services.preferences import PreferenceService
from bot.services.presets import PresetService
from bot.services.remix import RemixService
from bot.services.snapshots import SnapshotService
from bot.services.status import StatusService
from bot.services.webhooks import WebhookService
from bot.settings import DISCORD_API_URL, Settings
from bot.ui.acknowledge import Acknowledger
from bot.ui.delivery import Courier
from bot.ui.editing import Editing
from bot.ui.history import Gallery
from bot.ui.messages import JobMessages
from bot.ui.ordering import Orders
from bot.ui.preferences import PreferencePanel
from bot.ui.presenter import Presenter
from bot.ui.presets import Shelves
from bot.ui.wishes import Wishes
from bot.ui.workbench import Workbench
from bot.web.inputs import InputEndpoint
from bot.web.server import WebServer
from bot.web.webhooks import WebhookEndpoint
from cogs.credits import Credits
from cogs.edit import Edit
from cogs.help import Help
from cogs.history import History
from cogs.imagine import Imagine
from cogs.preset import PresetCommands
from cogs.settings import SettingsCommands
from cogs.status import StudioStatus
from cogs.studio import Studio
from db.alone import only_process
from db.database import Database
from db.facts import FactRepository
from db.migrate import migrate

_log = structlog.get_logger(__name__)

_COMMANDS_FACT = "commands sent to Discord"
_EDIT_GRACE_SECONDS = 3.0
_CONNECTIONS_FOR_CANCELS = 16
_ANSWER_GRACE_SECONDS = 3.0


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
            stack.enter_context(only_process(Path(str(file.database))))
        app = await _build(settings, stack, clock or SystemClock())
        await app.serve(settings.discord_token, stop)


class App:
    """The wired product between start and stop."""

    def __init__(
        self,
        *,
        client: AtelierClient,
        engine: Engine,
        presenter: Presenter,
        housekeeping: Housekeeping,
        web: WebServer,
        api_url: str,
    ) -> None:
        self._client = client
        self._engine = engine
        self._presenter = presenter
        self._housekeeping = housekeeping
        self._web = web
        self._api_url = api_url

    async def start_work(self) -> None:
        """Begin to serve jobs: REST works, the gateway may still be away."""
        self._presenter.start()
        await self._engine.start()

    async def serve(self, token: SecretStr, stop: asyncio.Event) -> None:
        """Serve until `stop`, then end cleanly."""
        port = await self._web.start()
        _log.info("web.listening", port=port)
        housekeeping = asyncio.create_task(self._housekeeping.run())
        gateway = asyncio.create_task(self._connect(token))
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({gateway, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if gateway in done:
                gateway.result()  # raises what ended it
        finally:
            _log.info("app.stopping")
            await asyncio.gather(self._engine.stop(), self._hang_up())
            await self._presenter.stop(_EDIT_GRACE_SECONDS)
            await self._engine.release()
            await self._client.close()
            for task in (housekeeping, gateway, stopped):
                task.cancel()
            await asyncio.gather(housekeeping, gateway, stopped, return_exceptions=True)
            await self._web.stop()
            _log.info("app.stopped")

    async def _hang_up(self) -> None:
        try:
            await self._client.hang_up(_ANSWER_GRACE_SECONDS)
        except Exception:  # noqa: BLE001 - the connection may be broken; it ends all the same
            _log.exception("discord.not_hung_up")

    async def _connect(self, token: SecretStr) -> None:
        async with self._client:
            await self._client.login(token.get_secret_value())
            # The library would ask only where its own default gateway is; ask the configured server instead.
            _, gateway, *_ = await self._client.http.get_bot_gateway()
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
            await self._client.connect(reconnect=True)


async def _build(settings: Settings, stack: AsyncExitStack, clock: Clock) -> App:
    point_at(settings.discord_api_url)
    database = await stack.enter_async_context(open_database(settings))
    applied = await migrate(database)
    if applied:
        _log.info("database.migrated", revisions=applied)
    limits = _limits(settings)
    books = Books(allowance=settings.default_allowance, budget=settings.monthly_budget, new_id=new_id)
    # Room for every slot of every provider at once, and for the cancels beside them.
    connections = len(settings.providers) * settings.max_active_jobs + _CONNECTIONS_FOR_CANCELS
    http = await stack.enter_async_context(provider_client(max_connections=connections))
    providers = build_providers(settings, http)
    policy = _input_policy(settings)
    keeper = _keeper(settings)
    stack.push_async_callback(keeper.close)
    names = tuple(providers)
    health = HealthBoard(names)
    lease = Lease(worker_id=new_id(), seconds=settings.lease_seconds, alone=database.dialect == "sqlite", clock=clock)
    randomness = random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not a secret
    client = AtelierClient(shard_count=settings.shard_count, shard_ids=settings.shard_ids)
    journal = Journal(
        database=database,
        books=books,
        clock=clock,
        limits=limits,
        lease=lease,
        providers=names,
        hook=_hooks(settings, providers),
        address=_input_addresses(settings),
    )
    snapshots = SnapshotService(database=database, books=books, clock=clock)
    messages = JobMessages(client=client, clock=clock)
    presenter = Presenter(
        snapshots=snapshots,
        journal=journal,
        messages=messages,
        courier=Courier(
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
    steps = Steps(
        journal=journal,
        providers=providers,
        keeper=keeper,
        observer=presenter,
        clock=clock,
        limits=limits,
        health=health,
        breakers=Breakers(names),
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
        database=database, admitted=_admitted(settings), now=clock.now, outside=settings.user_install
    )
    generation = GenerationService(
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
    app = App(
        client=client,
        engine=engine,
        presenter=presenter,
        housekeeping=Housekeeping(
            database=database,
            keeper=keeper,
            clock=clock,
            retention=timedelta(days=settings.picture_retention_days),
        ),
        web=WebServer(
            host=settings.http_host,
            port=settings.http_port,
            ready=lambda: _missing(database, client),
            routes=_public_routes(settings, engine, providers, InputService(database=database, keeper=keeper)),
        ),
        api_url=settings.discord_api_url,
    )
    preferences = PreferenceService(database=database, providers=names, now=clock.now)
    acknowledger = Acknowledger(generation=generation, presenter=presenter)
    orders = Orders(
        generation=generation,
        drafts=DraftService(database=database, books=books, access=access, clock=clock, providers=names, new_id=new_id),
        preferences=preferences,
        snapshots=snapshots,
        acknowledger=acknowledger,
    )
    choices = ChoiceService(database=database, providers=names)
    shelves = Shelves(presets=PresetService(database=database, access=access, providers=names, now=clock.now))
    wishes = Wishes(choices=choices, orders=orders, shelves=shelves)
    gallery = Gallery(history=HistoryService(database=database), keeper=keeper)
    workbench = Workbench(
        remix=RemixService(database=database, keeper=keeper, clock=clock, providers=names),
        details=DetailService(database=database),
        orders=orders,
        messages=messages,
        providers=names,
    )
    edit = Edit(
        generation=generation,
        wishes=wishes,
        editing=Editing(generation=generation, choices=choices, wishes=wishes, workbench=workbench),
    )
    client.install(
        generation=generation,
        gallery=gallery,
        orders=orders,
        shelves=shelves,
        workbench=workbench,
        cogs=(
            Imagine(wishes=wishes),
            edit,
            PresetCommands(shelves=shelves, choices=choices),
            SettingsCommands(panel=PreferencePanel(preferences=preferences, models=offered_models(names))),
            History(gallery=gallery),
            Credits(credits=CreditService(database=database, books=books, access=access, clock=clock)),
            StudioStatus(status=StatusService(database=database, snapshots=snapshots, health=health)),
            Help(models=offered_models(names)),
            Studio(access=access),
        ),
        menus=(edit.menu,),
        on_login=app.start_work,
        synced=_sync_memory(database),
        identify_turn=None if lease.alone else IdentifyTurns(database=database, clock=clock).wait,
        user_installs=settings.user_install,
    )
    return app


def new_id() -> str:
    """Return a new time-ordered id."""
    return uuid6.uuid7().hex


def build_providers(settings: Settings, client: httpx.AsyncClient) -> dict[str, Provider]:
    """Return the providers that have a key, in the operator's order."""
    made: dict[str, Callable[[ProviderHttp], Provider]] = {"skillboss": SkillBoss, "reve2img": Reve2Img}
    addresses = {"skillboss": settings.skillboss_api_url, "reve2img": settings.reve2img_api_url}
    providers: dict[str, Provider] = {}
    for name in settings.providers:
        key = settings.key_of(name)
        if key is not None:
            http = ProviderHttp(name=name, base_url=addresses[name], key=key.get_secret_value(), client=client)
            providers[name] = made[name](http)
    return providers


def _keeper(settings: Settings) -> PictureKeeper:
    # Pictures may come from where the operator says the APIs are, even on this machine; else from public hosts alone.
    exempt = [settings.skillboss_api_url, settings.reve2img_api_url]
    verify = httpx.create_ssl_context(trust_env=False)
    return PictureKeeper(
        downloader=PictureDownloader(exempt=exempt, verify=verify),
        # What members give comes from Discord alone, which sends nobody elsewhere. The engine tries again by itself.
        inputs=PictureDownloader(
            exempt=[settings.discord_api_url],
            max_bytes=MAX_BYTES,
            total_seconds=30,
            pauses=(0.5,),
            redirects=0,
            verify=verify,
        ),
        store=PictureStore(settings.data_dir / "pictures"),
        workers=PictureWorkers(),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        active_per_member=settings.max_active_jobs_per_member,
        active_per_community=settings.max_active_jobs_per_community,
        active_per_provider=settings.max_active_jobs,
        poll_floor=settings.poll_interval_seconds,
        # 10 seconds for the usual floor of 3; never below the floor.
        poll_ceiling=max(settings.poll_interval_seconds, min(10.0, settings.poll_interval_seconds * 10 / 3)),
        soft_deadline=settings.job_soft_deadline_seconds,
        hard_deadline=settings.job_hard_deadline_seconds,
    )


def _hooks(settings: Settings, providers: Mapping[str, Provider]) -> Callable[[str], Hook | None]:
    """Return what makes an address for a provider to call, a new one for each submit."""
    public_url = settings.webhook_public_url

    def hook(provider: str) -> Hook | None:
        if public_url is None or not providers[provider].takes_webhooks:
            return None
        token = new_token()
        return Hook(url=webhook_address(public_url, provider, token), hash=hash_of(token))

    return hook


def _input_addresses(settings: Settings) -> Callable[[], Hook | None]:
    """Return what makes an address for a provider to fetch a picture from, a new one for each submit."""
    public_url = settings.webhook_public_url

    def address() -> Hook | None:
        if public_url is None:
            return None
        token = new_token()
        return Hook(url=input_address(public_url, token), hash=hash_of(token))

    return address


def _input_policy(settings: Settings) -> InputPolicy:
    """Return what can be started from: where providers cannot fetch from us, Discord's addresses outlive the job."""
    lasting = timedelta(seconds=settings.job_hard_deadline_seconds)
    return InputPolicy(
        stand_in=None if settings.discord_api_url == DISCORD_API_URL else settings.discord_api_url,
        lasting=None if settings.webhook_public_url is not None else lasting,
    )


def _public_routes(
    settings: Settings, engine: Engine, providers: Mapping[str, Provider], inputs: InputService
) -> tuple[RouteDef, ...]:
    """Return what is served for providers: their calls and what they fetch; nothing where none can come."""
    if settings.webhook_public_url is None:
        return ()
    webhooks = WebhookEndpoint(WebhookService(engine=engine, providers=providers))
    return (*webhooks.routes, *InputEndpoint(inputs).routes)


def _admitted(settings: Settings) -> frozenset[int] | str | None:
    return frozenset(settings.communities) if isinstance(settings.communities, tuple) else settings.communities


def _sync_memory(database: Database) -> SyncMemory:
    async def get() -> str | None:
        return await database.read(lambda connection: FactRepository(connection).find(_COMMANDS_FACT))

    async def remember(digest: str) -> None:
        await database.write(lambda connection: FactRepository(connection).save(_COMMANDS_FACT, digest))

    return SyncMemory(get, remember)


async def _missing(database: Database, client: AtelierClient) -> list[str]:
    missing = [] if client.is_ready() else ["gateway"]
    with contextlib.suppress(Exception):
        await database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        return missing
    return [*missing, "database"]
