"""A bot that is killed and started again from the page, before everybody's eyes."""

import re

import pytest
from playwright.async_api import expect

from sandbox.discord.state import ACKNOWLEDGE_WITHIN
from sandbox.providers import MANUAL
from sandbox.runner import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import SLOWEST

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_job_survives_a_kill(sandbox: Sandbox, open_page: OpenPage) -> None:
    """Killed while the provider draws and started again, the bot finishes the same card, as others watch."""
    sandbox.skillboss.latency = MANUAL
    one, two = await open_page("member"), await open_page("member-two")
    await one.send("/imagine prompt:a lighthouse that holds")
    card = one.card("a lighthouse that holds")
    await sandbox.skillboss.wait_for(lambda: bool(sandbox.skillboss.jobs))
    sandbox.skillboss.advance()
    await expect(card).to_contain_text("Drawing")
    identity = await card.get_attribute("id")

    await one.page.click("#toggle-panel")
    await one.page.click("#bot-kill")
    for visitor in (one, two):
        await expect(visitor.bot_state).to_have_attribute("data-state", "off")
    assert not sandbox.alive
    sandbox.skillboss.finish()
    await expect(card).to_contain_text("Drawing")

    await one.page.click("#bot-start")
    await expect(two.bot_state).to_have_attribute("data-state", "on")
    for visitor in (one, two):
        finished = visitor.card("a lighthouse that holds")
        await expect(finished.locator(".tile img")).to_have_count(1)
        await expect(finished).to_contain_text(re.compile(r"12 credits · [\d,]+ left today"))
        assert await finished.get_attribute("id") == identity
    assert len(sandbox.skillboss.billed) == 1


async def test_a_command_to_a_dead_bot_says_so(sandbox: Sandbox, open_page: OpenPage) -> None:
    """While the bot is down a command fails as on Discord, and works again when it is back."""
    member = await open_page("member")
    await sandbox.kill_bot()
    await expect(member.bot_state).to_have_attribute("data-state", "off")
    sandbox.discord.world.acknowledge_within = ACKNOWLEDGE_WITHIN
    await member.send("/status ")
    await expect(member.page.locator("#pending")).to_contain_text("The application did not respond")
    await member.page.get_by_role("button", name="Dismiss message").click()
    sandbox.discord.world.acknowledge_within = SLOWEST / 1000

    await sandbox.start_bot()
    await expect(member.bot_state).to_have_attribute("data-state", "on")
    await member.send("/status ")
    await expect(member.page.locator("#messages > li.message[data-ephemeral]")).to_contain_text("used /status")
