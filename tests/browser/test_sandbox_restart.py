"""An open tab while the whole sandbox is started again."""

import pytest
from playwright.async_api import Browser, expect

from sandbox.discord import DiscordServer, default_world
from sandbox.web import Page
from tests.browser.page_driver import PageDriver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def serve(port: int = 0, token: str | None = None) -> tuple[DiscordServer, Page]:
    """Start a fake Discord with the page."""
    server = DiscordServer(default_world(token="nobody connects"))
    page = Page(server, token=token)
    page.mount()
    await server.start(port=port)
    return server, page


def port_of(page: Page) -> int:
    """Return the page's port."""
    return int(page.url.partition("/?")[0].rpartition(":")[2])


async def test_tab_goes_on_with_kept_token(chromium: Browser) -> None:
    first, page = await serve()
    driver = await PageDriver.open(chromium, page.url)
    await driver.page.fill("#message-input", "not sent yet")
    await first.close()
    await expect(driver.page.locator("#link-state")).to_contain_text("connection to the sandbox is lost")
    second, _ = await serve(port_of(page), page.token)
    await expect(driver.page.locator("#link-state")).to_be_hidden()
    await expect(driver.page.locator("#message-input")).to_have_value("not sent yet")
    await driver.send("still here")

    await expect(driver.card("still here")).to_have_count(1)
    await driver.close()
    await second.close()


async def test_tab_with_old_token_asks_for_new_address(chromium: Browser) -> None:
    first, page = await serve()
    driver = await PageDriver.open(chromium, page.url)
    await first.close()
    second, fresh = await serve(port_of(page))
    state = driver.page.locator("#link-state")
    await expect(state).to_contain_text("The sandbox was restarted: open the new address")

    other = await driver.page.context.new_page()
    await other.goto(fresh.url)
    await expect(state).to_be_hidden()
    await driver.close()
    await second.close()
