"""A bot process between cheap fakes.

The fakes keep no record, limit nothing, finish a job at once and serve one cached image.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from sandbox.discord import DiscordServer, Invocation, Message, Upload, default_world, files, media
from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from sandbox.providers import MANUAL, Latency, Reve2ImgServer, SkillBossServer

BASELINE: Final = ("-m", "benchmarks.baseline_bot")
BOT: Final = ("-m", "bot", "run")
AT_ONCE: Final = Latency(queue=0.0, work=0.0)
PROMPT: Final = "a lighthouse above a stormy sea"
"""The same for every job, so the fake draws one picture in all."""

_TOKEN: Final = "benchmark-token"  # noqa: S105 - it opens nothing
_KEY: Final = "benchmark-key"
_MEMBERS: Final = 250
_START_SECONDS: Final = 120.0
_ANSWER_SECONDS: Final = 10.0
_ACKNOWLEDGE_WITHIN: Final = ACKNOWLEDGE_WITHIN
_JOB_SECONDS: Final = 60.0
_AFTERTHOUGHT_SECONDS: Final = 0.3
_MEGABYTE: Final = 1024 * 1024


class BotUnderTest:
    """The fakes and one bot.

    `command` holds the arguments of Python; `folder` holds data and log.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._discord = DiscordServer(default_world(token=_TOKEN), rate_limits=False, record=False)
        self._skillboss = SkillBossServer(key=_KEY, latency=AT_ONCE)
        self._reve2img = Reve2ImgServer(key=_KEY, latency=AT_ONCE)
        self._edits = False
        self._process: asyncio.subprocess.Process | None = None
        self._turn = 0
        self._http_port = _free_port()
        world = self._discord.world
        world.acknowledge_within = _ACKNOWLEDGE_WITHIN
        for number in range(_MEMBERS):
            world.add_member(world.guild("Community"), world.add_user(f"member-{number:03}"))

    async def start(self, *, poll_seconds: float = 0.05, webhooks: bool = False, edits: bool = False) -> None:
        """Start the fakes and the bot; return once it serves commands.

        `edits` adds a provider that takes pictures.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._edits = edits
        await self._discord.start()
        await self._skillboss.start()
        await self._reve2img.start()
        log = await asyncio.to_thread((self._folder / "log").open, "ab")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._command,
                env=self._environment(poll_seconds, webhooks=webhooks),
                stdout=log,
                stderr=log,
            )
        ended = asyncio.create_task(self._process.wait())
        ready = asyncio.create_task(self._serving())
        await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not ready.done():
            ready.cancel()
            raise RuntimeError(f"the contestant ended at its start:\n{(self._folder / 'log').read_text()}")
        ready.result()

    async def stop(self) -> None:
        """Stop the bot, then the fakes."""
        await self.terminate()
        await self._discord.close()
        await self._skillboss.close()
        await self._reve2img.close()

    async def terminate(self) -> float:
        """Stop the bot; return the seconds to its end."""
        start = time.perf_counter()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        return time.perf_counter() - start

    async def command(self) -> Invocation:
        """Send `/imagine` as the next member."""
        self._turn += 1
        member = self._discord.actor(f"member-{self._turn % _MEMBERS:03}")
        return await member.slash("imagine", prompt=PROMPT)

    async def edit(self, number: int, *uploads: Upload) -> Invocation:
        """Send `/edit` with these pictures as the member of this number."""
        options: dict[str, Any] = {"image" if at == 1 else f"image{at}": each for at, each in enumerate(uploads, 1)}
        return await self._discord.actor(f"member-{number:03}").slash("edit", prompt=PROMPT, **options)

    async def acknowledged(self, invocation: Invocation) -> float:
        """Return the milliseconds to the first answer.

        Raises:
            NoAnswerError: the bot did not answer in time.
        """
        await invocation.acknowledged(timeout=_ANSWER_SECONDS)
        taken = invocation.acknowledged_after
        assert taken is not None
        return 1000 * taken

    async def finished(self, invocation: Invocation) -> None:
        """Wait for the image."""
        await invocation.wait_until(_has_picture, timeout=_JOB_SECONDS)

    async def job(self) -> float:
        """Run one job; return the milliseconds to its first answer."""
        invocation = await self.command()
        taken = await self.acknowledged(invocation)
        await self.finished(invocation)
        return taken

    async def completed(self) -> float:
        """Run one job; return the milliseconds from completion to the image."""
        known = len(self._skillboss.jobs)
        invocation = await self.command()
        await self.acknowledged(invocation)
        await self._skillboss.wait_for(lambda: len(self._skillboss.jobs) > known)
        await self.settle()
        start = time.perf_counter()
        self._skillboss.finish()
        await self.finished(invocation)
        return 1000 * (time.perf_counter() - start)

    def send_picture(self, data: bytes | None) -> None:
        """Let the provider send this file from now on; None is a drawing."""
        self._skillboss.fixed_picture = data

    def hold_jobs(self) -> None:
        """Keep new jobs in the provider's queue."""
        self._skillboss.latency = MANUAL

    async def settle(self) -> None:
        """Wait until the bot has recorded its last delivery."""
        await asyncio.sleep(_AFTERTHOUGHT_SECONDS)

    def cpu_seconds(self) -> float:
        """Return the processor time so far, user and system, of all processes."""
        own = self._psutil().cpu_times()
        seconds = own.user + own.system + own.children_user + own.children_system
        for child in self._psutil().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                seconds += times.user + times.system
        return float(seconds)

    def memory(self) -> float:
        """Return the resident memory of all processes in megabytes."""
        return memory_of(self.pid)

    @property
    def pid(self) -> int:
        """The bot's process id."""
        assert self._process is not None
        return self._process.pid

    def _psutil(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    async def _serving(self) -> None:
        await self._discord.wait_ready(timeout=_START_SECONDS)
        await self._discord.wait_commands(timeout=_START_SECONDS)

    def _environment(self, poll_seconds: float, *, webhooks: bool) -> dict[str, str]:
        public = {"WEBHOOK_PUBLIC_URL": f"http://127.0.0.1:{self._http_port}"} if webhooks else {}
        edits = {"REVE2IMG_API_KEY": _KEY, "REVE2IMG_API_URL": self._reve2img.url} if self._edits else {}
        return {
            **public,
            **edits,
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DISCORD_TOKEN": _TOKEN,
            "DISCORD_API_URL": self._discord.api_url,
            "SKILLBOSS_WHOLESALE_KEY": _KEY,
            "DEFAULT_MODEL": "reve-2.0",
            "SKILLBOSS_API_URL": self._skillboss.url,
            "DATA_DIR": str(self._folder / "data"),
            "HTTP_PORT": str(self._http_port),
            "COMMUNITIES": "*",
            "FIRST_HINT": "off",  # comparable with earlier measurements
            "POLL_INTERVAL_SECONDS": str(poll_seconds),
            "DEFAULT_ALLOWANCE": "1000000",
            "MONTHLY_BUDGET": "1000000000",
            "LOG_FORMAT": "json",
        }


def memory_of(pid: int) -> float:
    """Return the resident megabytes of a process and of all below it."""
    process = psutil.Process(pid)
    resident = 0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            resident += each.memory_info().rss
    return float(resident) / _MEGABYTE


def _has_picture(message: Message) -> bool:
    return bool(media(message) or files(message))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
