"""Find and start Chromium without background network traffic."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

# The first one draws no window: it opens pages with a third of the processor time.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",  # in a container Chromium's own sandbox has no rights; only our own page is opened
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING_BROWSER = "No Chromium: install Debian's package `chromium`, or give a browser's path in ATELIER_BROWSER."


def find_chromium() -> str | None:
    """Return the browser's path: ATELIER_BROWSER, else the first on PATH."""
    named = os.environ.get("ATELIER_BROWSER")
    if named:
        return named if Path(named).is_file() else None
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def running_chromium(path: str) -> AsyncIterator[Browser]:
    """Run a headless browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()
