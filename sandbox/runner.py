"""The sandbox: fakes on this machine, and the bot process using them."""

import asyncio
import contextlib
import os
import random
import re
import secrets
import shutil
import signal
import socket
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

import aiohttp

from sandbox.clock import StudioClock
from sandbox.discord import DiscordServer, Upload, add_elsewhere, add_sharing, default_world
from sandbox.discord.entities import CONSUMABLE
from sandbox.image_apis import ImageApis
from sandbox.providers.pictures import draw_picture
from sandbox.web import Ledger, Page

_READY_SECONDS: Final = 60.0
_END_SECONDS: Final = 10.0
_ASK_SECONDS: Final = 0.1
_BOT_PORTS: Final = range(20_000, 32_768)
"""Below the ports for outgoing connections, so that the bot's port is still free after a restart."""

_KEPT_FILE: Final = "page-token"
_TOKEN: Final = re.compile(r"[\w-]{32}", re.ASCII)
_EXAMPLE: Final = "blue hills at dusk"

PAGE_PORT: Final = 8765
"""The page's port, unless it is in use already."""


class BotEndedError(Exception):
    """The bot's process ended by itself; `code` is its exit code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"the bot ended with exit code {code}")
        self.code = code


class BotHandle(Protocol):
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


class Sandbox:
    """Fakes of Discord and the image APIs, the page, and the bot.

    `command` starts the bot and `ledger` reads its ledger. `over_http`: interactions go to the bot's web server.
    `folder` is emptied at each start: the fakes keep their state in memory, so data that the bot stored for an earlier
    sandbox is useless. Only the page's token stays, so that an open tab goes on after a restart.
    """

    def __init__(
        self, *, command: Sequence[str], folder: Path, ledger: Ledger | None = None, over_http: bool = False
    ) -> None:
        token = secrets.token_urlsafe(24)
        self._token = token
        self._command = list(command)
        self._over_http = over_http
        self.folder = folder
        self.clock = StudioClock(folder / "clock-offset")
        state = default_world(token=token, now=self.clock)
        add_elsewhere(state)
        add_sharing(state)
        self.discord = DiscordServer(state)
        self._premium_skus = _offer_skus(self.discord)
        self.apis = ImageApis(self.clock)
        self.page = Page(
            self.discord,
            providers=self.apis.servers,
            bot=self,
            ledger=ledger,
            clock=self.clock,
            token=_kept_token(folder),
        )
        self.page.mount()
        self._bot: BotHandle | None = None
        self._bot_port = 0

    async def start(self) -> None:
        """Start the fakes and the bot; wait until its commands are registered.

        Raises:
            BotEndedError: The bot ended before that.
        """
        await asyncio.to_thread(self._empty_folder)
        await self.discord.start(port=PAGE_PORT, or_another=True)
        await asyncio.gather(self._post_example(), self.apis.start())
        self._bot_port = free_port()
        await self.start_bot()

    async def start_bot(self) -> None:
        """Start the bot's process and wait until its commands are registered."""
        own = self.environment()
        # A secret's file beside its value would be a mistake.
        inherited = {name: value for name, value in os.environ.items() if name.upper().removesuffix("_FILE") not in own}
        self._bot = await self._launch({**inherited, **own})
        ended = asyncio.create_task(self._bot.wait())
        serving = asyncio.create_task(self._serving())
        done, _ = await asyncio.wait({ended, serving}, return_when=asyncio.FIRST_COMPLETED)
        if serving in done:
            ended.cancel()
            serving.result()
            return
        serving.cancel()
        raise BotEndedError(ended.result())

    async def _launch(self, environment: dict[str, str]) -> BotHandle:
        """Start the bot's process."""
        return await asyncio.create_subprocess_exec(*self._command, env=environment, process_group=0)

    @property
    def alive(self) -> bool:
        """True while the bot's process runs, connected or not."""
        return self._bot is not None and self._bot.returncode is None

    async def kill_bot(self) -> None:
        """Kill the bot like a power cut; wait until Discord has noticed."""
        if self._bot is not None and self.alive:
            self._bot.send_signal(signal.SIGKILL)
            await self._bot.wait()
            await self.discord.wait_disconnected()

    async def stop_bot(self) -> None:
        """Ask the bot to stop; wait until it has ended."""
        if self._bot is None or not self.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            self._bot.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self._bot.wait()
        except TimeoutError:
            self._bot.send_signal(signal.SIGKILL)
            await self._bot.wait()

    async def close(self) -> None:
        """Stop the bot, then the fakes."""
        await self.stop_bot()
        await self.discord.close()
        await self.apis.close()

    @property
    def bot_url(self) -> str:
        """Address of the bot's web server; webhooks need it to survive restarts."""
        return f"http://127.0.0.1:{self._bot_port}"

    def environment(self) -> dict[str, str]:
        """Return the bot's settings for this sandbox."""
        return {
            "DISCORD_TOKEN": self._token,
            "DISCORD_API_URL": self.discord.api_url,
            **self.apis.environment(),
            **self.clock.environment(),
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'atelier.db'}",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(self._bot_port),
            "WEBHOOK_PUBLIC_URL": self.bot_url,
            "ALERT_WEBHOOK_URL": self.discord.receiver_url,
            "COMMUNITIES": "*",
            "USER_INSTALL": "on",
            "PREMIUM_SKUS": self._premium_skus,
            "EFFECTS": "film grain, sepia, vignette",
            "POLL_INTERVAL_SECONDS": "1",
            "INTERACTIONS": "http" if self._over_http else "gateway",
            "LOG_LEVEL": os.environ.get("LOG_LEVEL") or "WARNING",
        }

    def _empty_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        kept = self.folder / _KEPT_FILE
        kept.touch(mode=0o600)
        kept.write_text(self.page.token)

    async def _post_example(self) -> None:
        """Post a picture in the server without the application."""
        drawn = await asyncio.to_thread(draw_picture, _EXAMPLE, 0, width=1360, height=768, format="jpeg")
        words = "Made with Atelier. It is on my own account, so /imagine works for me here too."
        await self.discord.actor("traveller").say(words, Upload("hills.jpg", drawn), channel="lobby")

    async def _serving(self) -> None:
        if self._over_http:
            await self._wait_answering()
        else:
            await self.discord.wait_ready(timeout=_READY_SECONDS)
        await self.discord.wait_commands(timeout=_READY_SECONDS)
        if self._over_http:
            await self.discord.endpoint.register(f"{self.bot_url}/interactions")

    async def _wait_answering(self) -> None:
        """Wait until the bot's web server says that it is ready."""
        async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.bot_url}/readyz") as answer:
                        if answer.status == HTTPStatus.OK:
                            return
                await asyncio.sleep(_ASK_SECONDS)


def _offer_skus(discord: DiscordServer) -> str:
    """Offer one SKU of each kind, as a verified application may.

    Return the bot's setting for what they give.
    """
    given = {
        "allowance:3000/month": discord.store.add_sku("Studio Plus"),
        "allowance:400/day": discord.store.add_sku("Studio Server", for_guild=True),
        "grant:500": discord.store.add_sku("500 credits", CONSUMABLE),
    }
    return ",".join(f"{sku.id}={benefit}" for benefit, sku in given.items())


def _kept_token(folder: Path) -> str | None:
    """Return the page's token of the folder's last sandbox, or None."""
    try:
        kept = (folder / _KEPT_FILE).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return kept if _TOKEN.fullmatch(kept) else None


def free_port() -> int:
    """Return a port of this machine with no listener."""
    for port in random.sample(_BOT_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port for the bot's web server")
