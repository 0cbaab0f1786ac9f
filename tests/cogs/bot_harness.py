"""The wired product on simcord's Discord, with SQLite and provider fakes."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import discord
import httpx
from discord import app_commands
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle
from simcord.env import Env
from simcord.results import InteractionResult

from bot.container import Container
from bot.domain.attachments import InputPolicy
from bot.domain.jobs import State
from bot.engine.config import EngineConfig
from bot.images.download import ImageDownloader
from bot.images.image_service import ImageService
from bot.images.store import ImageStore
from bot.images.thread_pool import ImageThreadPool
from bot.providers.transport import provider_client
from bot.settings import Settings
from bot.ui.component_tree import walk
from db.audit import audit
from db.database import Database
from db.guild_presence import GuildPresenceRepository
from db.tables import jobs
from sandbox.providers.job_store import MANUAL
from sandbox.providers.reve2img import Reve2ImgServer
from sandbox.providers.skillboss import SkillBossServer
from tests.engine.engine_harness import some_input_url
from tests.support.catalogue import SEED_MODELS_FILE
from tests.support.clock import ManualClock
from tests.support.polling import poll

PATIENCE: Final = 60.0
"""Seconds to wait for what comes much sooner on a machine that has time."""
KEY: Final = "a-wholesale-key"
STAND_IN: Final = "http://127.0.0.1:9"
"""Address of members' images; nothing listens there, and the bot does not even try."""
TLS: Final = httpx.create_ssl_context(trust_env=False)
_BEGIN: Final = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class BotHarness:
    """The product on simcord. `card` and `texts` read the visible texts."""

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str,
        admitted: frozenset[int] | str | None,
        allowance: int,
        reve2img: bool = False,
    ) -> None:
        self.clock = ManualClock(_BEGIN)
        self.server = SkillBossServer(key=KEY, latency=MANUAL)
        self.reve2img = Reve2ImgServer(key=KEY, latency=MANUAL) if reve2img else None
        # Jobs are advanced by `look`: the shortest floor lets each look read a status.
        self.config = EngineConfig(poll_floor=0.001)
        # Whether the bot works outside servers, from the next start.
        self.outside = False
        self._folder = folder
        self._database_url = database_url
        self._admitted = admitted
        self._allowance = allowance
        self._numbers = itertools.count(1)
        self._stack = AsyncExitStack()
        self._seen = asyncio.Event()
        self.expected: list[type[BaseException]] = []
        self.last_interaction: dict[str, Any] = {}

    async def start(self) -> None:
        """Open the migrated database, sync the commands and start the engine."""
        self.database = await Database.open(self._database_url)
        await self.server.start()
        self._http = await self._stack.enter_async_context(provider_client(verify=TLS))
        exempt = [self.server.url]
        if self.reve2img is not None:
            await self.reve2img.start()
            exempt.append(self.reve2img.url)
        self.images = ImageService(
            downloader=ImageDownloader(exempt=exempt, verify=TLS),
            store=ImageStore(self._folder / "pictures"),
            workers=ImageThreadPool(),
        )
        await self._build()
        self.env = Env(self.client, settle_timeout=PATIENCE)
        await self.env.start()
        self.env.backend.subscribers.append(self._hear)
        self.guild = self.env.create_guild()
        # A greeting after a restart would be a further message in the channel.
        known, now = self.guild.id, self.clock.now()
        await self.database.write(lambda connection: GuildPresenceRepository(connection).arrive(known, now))
        self.channel = self.guild.create_text_channel("studio")
        await self._serve()

    async def stop(self) -> None:
        """Stop everything; an unexpected error fails the test."""
        await self._halt()
        await self.env.shutdown()
        await self.server.close()
        if self.reve2img is not None:
            await self.reve2img.close()
        await self._stack.aclose()
        await self.images.close()
        problems = await self.database.read(audit)
        await self.database.close()
        assert problems == []
        assert [error for error in map(_cause, self.env.errors) if type(error) not in self.expected] == []

    async def restart(self) -> None:
        """Rebuild everything over the same database and the same Discord."""
        await self._halt()
        await self._build()
        await self.env.restart_bot(self.client)
        await self._serve()

    def member(self, name: str, **permissions: bool) -> MemberActor:
        """Return a new member of the server with these extra permissions."""
        roles = [self.guild.create_role(name, permissions=discord.Permissions(**permissions))] if permissions else []
        return self.guild.add_member(self.env.create_user(name), roles=roles)

    async def imagine(self, who: MemberActor, **options: Any) -> InteractionResult:
        """Call `/imagine` as a member."""
        return await who.slash(self.channel, "imagine", **options)

    def card(self, result: InteractionResult) -> list[str]:
        """Return the current texts of a command's card, top to bottom."""
        assert result.response is not None
        return texts(result.response.components)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, checked at each message change."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self._seen.wait()

    async def reaches(self, *states: State) -> None:
        """Wait until the jobs, oldest first, have these states."""
        await poll(lambda: self.column("state"), until=lambda found: found == list(states))

    async def polls_until(self, condition: Callable[[], object]) -> None:
        """Advance every job until the condition holds.

        A millisecond passes for each look.
        """
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.look()

    async def look(self) -> None:
        """Advance every job; return at a message change or after 0.1 s."""
        self.clock.advance(self.config.poll_floor)
        for job_id in await self.column("id"):
            await self._engine.schedule_now(job_id)
        await self._moment()

    async def _moment(self) -> None:
        """Return at a message change or after 0.1 s."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self._seen.wait()

    async def finish(self, result: InteractionResult) -> None:
        """Let the image API finish its latest job; wait for the final card."""
        await self.reaches(State.QUEUED)
        self.server.finish()
        await self.polls_until(lambda: " credits" in self.card(result)[-1])

    def requests(self, method: str, ending: str) -> int:
        """Return the number of requests to Discord by method and path ending."""
        return sum(each.method == method and each.path.endswith(ending) for each in self.env.http_requests)

    async def column(self, name: str) -> list[Any]:
        """Return a column of all jobs, oldest first."""
        return await self.database.read(
            lambda connection: list(
                connection.execute(jobs.select().with_only_columns(jobs.c[name]).order_by(jobs.c.id)).scalars()
            )
        )

    async def _build(self) -> None:
        settings: dict[str, Any] = {
            "communities": tuple(self._admitted) if isinstance(self._admitted, frozenset) else self._admitted,
            "default_allowance": self._allowance,
            "models_file": SEED_MODELS_FILE,
            "skillboss_wholesale_key": KEY,
            "skillboss_api_url": self.server.url,
            "shard_count": 1,
            "effects": ("film grain", "sepia"),
            "first_hint": False,
            "user_install": self.outside,
        }
        if self.reve2img is not None:
            settings |= {"reve2img_api_key": KEY, "reve2img_api_url": self.reve2img.url}
        container = Container(
            Settings(**settings),
            database=self.database,
            http=self._http,
            clock=self.clock,
            new_id=self._new_id,
            randomness=random.Random(0),  # noqa: S311 - jitter, the same in every run
        )
        container.engine_config = self.config
        container.image_service = self.images
        container.input_policy = InputPolicy(extra_origin=STAND_IN)
        container.new_input_url = some_input_url
        await container.install()
        self.client = container.client
        self.catalogue = container.catalogue
        self.command_sync = container.command_sync
        self.jobs = container.jobs
        self.allowances = container.allowances
        self._card_updater = container.card_updater
        self._engine = container.engine

    async def _serve(self) -> None:
        # After login: simcord waits for all tasks that the bot itself started, and these loops never end.
        await self.command_sync.sync(self.client.http)
        self._card_updater.start()
        await self._engine.start()

    async def _halt(self) -> None:
        await self._engine.stop()
        await self._card_updater.stop(4)

    def _new_id(self) -> str:
        return f"{next(self._numbers):032x}"

    def _hear(self, event: str, payload: Mapping[str, Any]) -> None:
        if event == "INTERACTION_CREATE":
            self.last_interaction = dict(payload)
        self._seen.set()
        self._seen = asyncio.Event()


def texts(components: list[dict[str, Any]]) -> list[str]:
    """Return the texts of a message's components, top to bottom."""
    return [component["content"] for component in walk(components) if "content" in component]


def buttons(result: InteractionResult) -> list[str]:
    """Return the labels of a card's buttons."""
    assert result.response is not None
    return [component["label"] for component in walk(result.response.components) if "label" in component]


def panel(result: InteractionResult) -> list[str]:
    """Return the lines of an ephemeral panel."""
    assert result.response is not None
    assert result.response.ephemeral
    (text,) = texts(result.response.components)
    return text.splitlines()


def private(result: InteractionResult) -> str:
    """Return the content of an ephemeral answer."""
    assert result.response is not None
    assert result.response.ephemeral
    return result.response.content


def _cause(error: BaseException) -> BaseException:
    return error.original if isinstance(error, app_commands.CommandInvokeError) else error


__all__ = [
    "KEY",
    "STAND_IN",
    "BotHarness",
    "ChannelHandle",
    "InteractionResult",
    "MemberActor",
    "buttons",
    "panel",
    "private",
    "texts",
]
