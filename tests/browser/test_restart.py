"""The bot is killed and started again from the page."""

import pytest
from playwright.async_api import expect

from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from sandbox.providers import MANUAL
from sandbox.runner import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import TIMEOUT_MILLISECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def forks() -> None:
    """Start the bot by the command line, as the sandbox does."""


async def test_job_after_bot_kill_finishes_on_same_card(sandbox: Sandbox, open_page: OpenPage) -> None:
    sandbox.apis.skillboss.latency = MANUAL
    one, two = await open_page("member"), await open_page("member-two")
    await one.send("/imagine prompt:a lighthouse that holds")
    card = one.card("a lighthouse that holds")
    await sandbox.apis.skillboss.wait_for(lambda: bool(sandbox.apis.skillboss.jobs))
    sandbox.apis.skillboss.advance()
    await expect(card).to_contain_text("Generating")
    identity = await card.get_attribute("id")

    await one.page.click("#toggle-panel")
    await one.page.click("#bot-kill")
    for driver in (one, two):
        await expect(driver.bot_state).to_have_attribute("data-state", "off")
    assert not sandbox.alive
    sandbox.apis.skillboss.finish()
    await expect(card).to_contain_text("Generating")

    await one.page.click("#bot-start")
    await expect(two.bot_state).to_have_attribute("data-state", "on")
    for driver in (one, two):
        finished = driver.card("a lighthouse that holds")
        await expect(finished.locator(".tile img")).to_have_count(1)
        await expect(finished).to_contain_text("12 credits")
        assert await finished.get_attribute("id") == identity
    assert len(sandbox.apis.skillboss.billed) == 1


async def test_command_without_bot_shows_failure_and_works_after_restart(sandbox: Sandbox, open_page: OpenPage) -> None:
    member = await open_page("member")
    await sandbox.kill_bot()
    await expect(member.bot_state).to_have_attribute("data-state", "off")
    sandbox.discord.world.acknowledge_within = ACKNOWLEDGE_WITHIN
    await member.send("/status ")
    await expect(member.page.locator("#pending")).to_contain_text("The application did not respond")
    await member.page.get_by_role("button", name="Dismiss message").click()
    sandbox.discord.world.acknowledge_within = TIMEOUT_MILLISECONDS / 1000

    await sandbox.start_bot()
    await expect(member.bot_state).to_have_attribute("data-state", "on")
    await member.send("/status ")
    await expect(member.page.locator("#messages > li.message[data-ephemeral]")).to_contain_text("used /status")


async def test_typed_command_survives_lost_connection(open_page: OpenPage) -> None:
    """The script lets the test close the page's socket."""
    page = (await open_page("member")).page
    await page.add_init_script(
        "const Real = WebSocket; window.WebSocket = class extends Real {"
        " constructor(url) { super(url); window.opened = [...(window.opened ?? []), this]; } };"
    )
    await page.reload()
    await page.wait_for_selector("body[data-ready]")
    await page.fill("#message-input", "/imagine prompt:a fox in the snow")
    await expect(page.locator("#option-prompt")).to_have_value("a fox in the snow")
    await page.evaluate("document.body.removeAttribute('data-ready'), opened[0].close()")
    await page.wait_for_selector("body[data-ready]")
    await expect(page.locator("#option-prompt")).to_have_value("a fox in the snow")
