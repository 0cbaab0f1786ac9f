"""The bot as a separate process between the fakes, driven by a test."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import aiohttp
from sqlalchemy import Connection, select

from db.audit import audit
from db.database import Database
from db.tables import accounts, jobs
from sandbox.clock import StudioClock
from sandbox.discord import DiscordServer, Message, default_world, media, text
from sandbox.providers import MANUAL, ImageApiServer, Job, Reve2ImgServer, SkillBossServer
from tests.support.catalogue import SEED_MODELS_FILE
from tests.support.polling import poll

PATIENCE = 60.0
"""Seconds to wait for what comes much sooner on a machine that has time."""

TOKEN = "end-to-end-token"
SKILLBOSS_KEY = "end-to-end-skillboss-key"
REVE2IMG_KEY = "end-to-end-reve2img-key"
SERVER_KEY = "end-to-end-server-key"
"""The key of another account at both providers, for a server to enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A summary of the bot's database: audit problems, job states, sums."""

    problems: list[str]
    states: list[str]
    charged: int
    held: int


class BotEndedError(AssertionError):
    """The bot exited before it served commands; the message is its log."""


class BotProcess(Protocol):
    """A process of the bot, with the interface of `asyncio.subprocess`."""

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while running."""
        ...

    def send_signal(self, number: int, /) -> None:
        """Send a signal to the process."""
        ...

    async def wait(self) -> int:
        """Wait for the exit and return the exit code."""
        ...


Launch: TypeAlias = Callable[[dict[str, str], Path], Awaitable[BotProcess]]
"""Starts the bot with an environment; what it says is appended to a file."""


async def launch(environment: dict[str, str], log: Path) -> BotProcess:
    """Start the bot by its command line."""
    file = await asyncio.to_thread(log.open, "ab")
    with file:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", env=environment, stderr=file, stdout=file
        )


default_launch: Launch = launch
"""Starts the bots of harnesses without a `launch`; a fork server replaces it in the tests."""


class CommandLauncher(Protocol):
    """Starts a command of the product."""

    def __call__(self, environment: dict[str, str], log: Path, /, *words: str) -> Awaitable[BotProcess]:
        """Start `atelier` with these words; append its output to `log`."""
        ...


async def launch_command(environment: dict[str, str], log: Path, /, *words: str) -> BotProcess:
    """Start a command by the command line."""
    file = await asyncio.to_thread(log.open, "ab")
    with file:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *words, env=environment, stderr=file, stdout=file
        )


default_launch_command: CommandLauncher = launch_command
"""Starts the commands beside a bot; a fork server replaces it in the tests."""

PrepareDatabase: TypeAlias = Callable[[Path], Awaitable[None]]

prepare_database: PrepareDatabase | None = None
"""Creates the database of a harness without a `launch`; by default the bot does."""


class SystemHarness:
    """Fakes with manually advanced jobs, and the bot.

    `close` stops everything.

    `database_url` is the bot's database; the default is an SQLite file in `folder`, created by `prepare`. `clock` is a
    time for all of them that a test moves. A second bot `beside` another harness uses its fakes; the other harness
    starts and closes them. `over_http`: interactions come over HTTP, and the bot has no gateway.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str | None = None,
        launch: Launch | None = None,
        prepare: PrepareDatabase | None = None,
        clock: StudioClock | None = None,
        beside: "SystemHarness | None" = None,
        over_http: bool = False,
    ) -> None:
        self.folder = folder
        self._launch = launch or default_launch
        self._prepare = prepare or (prepare_database if launch is None else None)
        self.database_url = database_url or _sqlite_url(folder / "data" / "atelier.db")
        self._beside = beside
        self._over_http = over_http
        self.clock = clock or StudioClock()
        self.discord: DiscordServer = (
            DiscordServer(default_world(token=TOKEN, now=self.clock)) if beside is None else beside.discord
        )
        self.discord.world.acknowledge_within = PATIENCE
        self.discord.endpoint.tolerance = PATIENCE
        timed: Any = {
            "other_keys": (SERVER_KEY,),
            "latency": MANUAL,
            "clock": self.clock.monotonic,
            "wall_clock": self.clock,
        }
        self.skillboss: SkillBossServer = (
            SkillBossServer(key=SKILLBOSS_KEY, **timed) if beside is None else beside.skillboss
        )
        self.reve2img: Reve2ImgServer = Reve2ImgServer(key=REVE2IMG_KEY, **timed) if beside is None else beside.reve2img
        self._http_socket = _reserved()
        self.http_port: int = self._http_socket.getsockname()[1]
        self._bot: BotProcess | None = None

    async def start(self, **settings: str) -> None:
        """Start the fakes and the bot."""
        await self.start_fakes()
        await self.start_bot(**settings)

    async def start_fakes(self) -> None:
        """Start everything but the bot."""
        await self.discord.start()
        await self.skillboss.start()
        await self.reve2img.start()

    async def start_bot(self, **settings: str) -> None:
        """Start the bot and return once it serves commands."""
        await self._prepare_database()
        self._bot = await self._launch(self.environment(**settings), self.folder / "bot.log")
        ended = asyncio.create_task(self._bot.wait())
        ready = asyncio.create_task(self._serving())
        await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not ready.done():
            ready.cancel()
            raise BotEndedError(f"the bot ended at its start:\n{self.log()}")
        ready.result()

    async def _prepare_database(self) -> None:
        file = self.folder / "data" / "atelier.db"
        if self._prepare is not None and self.database_url == _sqlite_url(file) and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            await self._prepare(file)

    async def _serving(self) -> None:
        if self._over_http:
            await poll(self._readiness, until=lambda status: status == HTTPStatus.OK)
            await self.discord.wait_commands()
            await self.discord.endpoint.register(self.interactions_url)
            return
        await self.discord.wait_ready(shards=1 if self._beside is None else 2)
        await self.discord.wait_commands()

    @property
    def interactions_url(self) -> str:
        """The bot's own address for interactions."""
        return f"http://127.0.0.1:{self.http_port}/interactions"

    async def _readiness(self) -> int:
        try:
            return (await self.get("/readyz"))[0]
        except aiohttp.ClientConnectionError:
            return 0

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the bot's environment: Python's own variables and the settings."""
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "COVERAGE_PROCESS_START") if name in os.environ},
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_API_URL": self.discord.api_url,
            "SKILLBOSS_WHOLESALE_KEY": SKILLBOSS_KEY,
            "SKILLBOSS_API_URL": self.skillboss.url,
            "EFFECTS": "film grain, sepia",
            "FIRST_HINT": "off",
            "REVE2IMG_API_KEY": REVE2IMG_KEY,
            "REVE2IMG_API_URL": self.reve2img.url,
            "DEFAULT_MODEL": "reve-2.0",
            "MODELS_FILE": str(SEED_MODELS_FILE),
            "DATA_DIR": str(self.folder / "data"),
            "DATABASE_URL": self.database_url,
            "HTTP_PORT": str(self.http_port),
            "COMMUNITIES": "*",
            "POLL_INTERVAL_SECONDS": "0.05",
            "LOG_FORMAT": "json",
            **self.clock.environment(),
            **({"INTERACTIONS": "http", "SHARD_IDS": "none"} if self._over_http else {}),
            **settings,
        }

    async def stop_bot(self, number: int = signal.SIGTERM) -> int:
        """End the bot with a signal and return its exit code."""
        self.signal_bot(number)
        return await self.bot_ended()

    @property
    def bot_runs(self) -> bool:
        """True if the bot process is running."""
        return self._bot is not None and self._bot.returncode is None

    def signal_bot(self, number: int) -> None:
        """Send the bot a signal if it runs."""
        if self._bot is not None and self._bot.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._bot.send_signal(number)

    async def bot_ended(self, *, within: float = PATIENCE) -> int:
        """Return the bot's exit code once it exited and Discord noticed."""
        assert self._bot is not None
        async with asyncio.timeout(within):
            code = await self._bot.wait()
        await self.discord.wait_disconnected()
        return code

    async def close(self) -> None:
        """End everything."""
        if self._bot is not None and self._bot.returncode is None:
            self.signal_bot(signal.SIGKILL)
            await self._bot.wait()
        if self._beside is None:
            await self.discord.close()
            await self.skillboss.close()
            await self.reve2img.close()
        self._http_socket.close()

    def log(self) -> str:
        """Return the log of all the bot's processes."""
        return (self.folder / "bot.log").read_text()

    async def command(self, *words: str) -> tuple[int, str]:
        """Run a command beside the bot; return its exit code and output."""
        output = self.folder / "command.log"
        output.unlink(missing_ok=True)
        process = await default_launch_command(self.environment(), output, *words)
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
        return code, output.read_text()

    async def ledger(self) -> Ledger:
        """Read the ledger from the bot's own database."""
        database = await Database.open(self.database_url)

        def read(connection: Connection) -> Ledger:
            states = connection.execute(select(jobs.c.state).order_by(jobs.c.created_at)).scalars().all()
            charged = connection.execute(select(jobs.c.charged)).scalars().all()
            held = connection.execute(select(accounts.c.held)).scalars().all()
            return Ledger(
                problems=audit(connection),
                states=list(states),
                charged=sum(each or 0 for each in charged),
                held=sum(held),
            )

        try:
            return await database.read(read)
        finally:
            await database.close()

    async def pictures(self, message: Message) -> list[bytes]:
        """Download the images of a card as a client would."""
        async with aiohttp.ClientSession() as session:
            contents = []
            for each in media(message):
                async with session.get(each["url"]) as answer:
                    assert answer.status == 200
                    contents.append(await answer.read())
        return contents

    async def status(self, url: str) -> tuple[int, bytes]:
        """Request any URL without credentials; return the status and the body."""
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.read()

    async def get(self, path: str) -> tuple[int, object]:
        """Send a request to the bot's own HTTP server."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.http_port}{path}") as answer,
        ):
            return answer.status, await answer.json()


async def wait_for_provider_job(server: ImageApiServer, prompt: str) -> Job:
    """Return the job for a prompt once the provider received it."""

    def found() -> list[Job]:
        return [job for job in server.jobs if job.request.prompt == prompt and not job.terminal]

    await server.wait_for(found, seconds=PATIENCE)
    return found()[-1]


def has_images(message: Message) -> bool:
    """Return whether a card shows result images."""
    return any("/atelier-input-" not in each["url"] for each in media(message))


def says(words: str) -> Callable[[Message], bool]:
    """Return a condition: the card contains these words."""
    return lambda message: words in text(message)


def _sqlite_url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def _reserved() -> socket.socket:
    """Return a socket to reserve a free port.

    Port 0 never yields this port; the bot may still listen on it by its number.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved
