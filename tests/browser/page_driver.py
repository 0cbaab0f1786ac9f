"""Driver of the sandbox's page in a real browser."""

from pathlib import Path

from playwright.async_api import Browser, Dialog, Error, Locator, Page, expect

TIMEOUT_MILLISECONDS = 60_000
"""Milliseconds to wait for what comes much sooner on a machine that has time."""


class PageDriver:
    """A browser window with separate cookies.

    `faults` are errors of the page's scripts; there should be none.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.dialogs: list[str] = []
        page.set_default_timeout(TIMEOUT_MILLISECONDS)
        page.on("pageerror", self._fault)
        page.on("dialog", self._dialog)
        self.messages = page.locator("#messages > li.message")
        self.lightbox = page.locator("#lightbox")
        self.modal = page.locator("#modal")
        self.bot_state = page.locator("#bot-state")

    @classmethod
    async def open(cls, browser: Browser, url: str, who: str = "member", *, width: int = 1280) -> "PageDriver":
        """Open the printed address in a new window, as this person, in #general."""
        context = await browser.new_context(viewport={"width": width, "height": 860}, color_scheme="dark")
        driver = cls(await context.new_page())
        await driver.page.goto(url)
        await driver.page.wait_for_selector("body[data-ready]")
        if who != "member":
            await driver.page.select_option("#who", who)
            await expect(driver.page.locator("#account .avatar")).to_have_text(who[0].upper())
        await expect(driver.page.locator("#channel-general")).to_have_attribute("aria-current", "page")
        return driver

    async def close(self) -> None:
        """Close the window; fail if a script of the page has failed."""
        await self.page.context.close()
        assert self.faults == []
        assert self.dialogs == []

    async def send(self, line: str) -> None:
        """Type a message or a command with options, and press Send."""
        await self.page.fill("#message-input", line)
        await self.page.click("#send")

    def card(self, words: str) -> Locator:
        """Return the message with this text."""
        return self.messages.filter(has_text=words)

    def button(self, card: Locator, name: str) -> Locator:
        """Return a card's button."""
        return card.get_by_role("button", name=name, exact=True)

    async def download(self, card: Locator, name: str) -> str:
        """Download a message's file and return its text."""
        async with self.page.expect_download() as started:
            await card.get_by_role("link", name=name).click()
        path = Path(await (await started.value).path())
        return path.read_text(encoding="utf-8")  # noqa: ASYNC240 - a small file of our own

    def _fault(self, error: Error) -> None:
        self.faults.append(str(error))

    async def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()
