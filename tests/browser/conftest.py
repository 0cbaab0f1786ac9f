"""Fixtures: a browser, the sandbox with the real bot, and open pages.

Without a browser the tests skip.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from sandbox.providers import Latency
from sandbox.runner import BotHandle, Sandbox
from tests.browser.chromium import MISSING_BROWSER, find_chromium, running_chromium
from tests.browser.page_driver import TIMEOUT_MILLISECONDS, PageDriver
from tests.support.fork_server import ForkServer

OpenPage = Callable[..., Awaitable[PageDriver]]

expect.set_options(timeout=TIMEOUT_MILLISECONDS)


class QuickSandbox(Sandbox):
    """A sandbox with a fast-polling bot and enough credits for members.

    Without `forks` its bot is started by the command line.
    """

    def __init__(self, folder: Path, forks: ForkServer | None) -> None:
        super().__init__(command=[sys.executable, "-m", "bot", "run"], folder=folder)
        self._forks = forks

    def environment(self) -> dict[str, str]:
        """Return the bot's settings."""
        return {
            **super().environment(),
            "POLL_INTERVAL_SECONDS": "0.1",
            "DEFAULT_ALLOWANCE": "5000",
            "FIRST_HINT": "off",
        }

    async def _launch(self, environment: dict[str, str]) -> BotHandle:
        if self._forks is None:
            return await super()._launch(environment)
        return await self._forks.launch(environment, self.folder.with_name("bot.log"))


@pytest.fixture(scope="module")
def forks(fork_server: ForkServer) -> ForkServer | None:
    """Return the bots' fork server; None starts them by the command line."""
    return fork_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Yield a browser."""
    path = find_chromium()
    if path is None:
        pytest.skip(MISSING_BROWSER)
    async with running_chromium(path) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sandbox(
    chromium: Browser,  # first, so that without a browser nothing else starts
    tmp_path_factory: pytest.TempPathFactory,
    forks: ForkServer | None,
) -> AsyncIterator[Sandbox]:
    """Yield the sandbox of a module, with its bot."""
    del chromium
    folder = tmp_path_factory.mktemp("browser") / "sandbox"
    sandbox = QuickSandbox(folder, forks)
    try:
        await sandbox.start()
        yield sandbox
    finally:
        await sandbox.close()


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """Return the sandbox with almost immediate APIs."""
    shared_sandbox.discord.world.acknowledge_within = TIMEOUT_MILLISECONDS / 1000
    for provider in shared_sandbox.apis.servers.values():
        provider.latency = Latency(queue=0, work=0.1)
    return shared_sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(chromium: Browser, sandbox: Sandbox) -> AsyncIterator[OpenPage]:
    """Yield a function to open the page as a person."""
    opened: list[PageDriver] = []

    async def open_as(who: str = "member", *, width: int = 1280) -> PageDriver:
        opened.append(await PageDriver.open(chromium, sandbox.page.url, who, width=width))
        return opened[-1]

    yield open_as
    for driver in opened:
        await driver.close()


@pytest_asyncio.fixture(loop_scope="module")
async def member(open_page: OpenPage) -> PageDriver:
    """Return the page as the member."""
    return await open_page()
