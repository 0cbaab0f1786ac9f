"""The age gate of restricted channels, as in Discord's client."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_restricted_channel_after_continue_opens_without_asking_again(open_page: OpenPage) -> None:
    member = await open_page()
    page, gate = member.page, member.page.locator("#gate")
    await page.click("#channel-restricted")
    await expect(gate.get_by_role("heading", name="This channel is age-restricted")).to_be_visible()
    await expect(page.locator("#message-input")).to_be_hidden()
    await expect(page.locator("#scroller")).to_be_hidden()

    await gate.get_by_role("button", name="Continue").click()
    await expect(gate).to_be_hidden()
    await expect(page.locator("#message-input")).to_be_focused()
    await member.send("nothing for children")
    await expect(member.card("nothing for children")).to_be_visible()

    await page.click("#channel-general")
    await expect(page.locator("#channel-name")).to_have_text("general")
    await page.click("#channel-restricted")
    await expect(member.card("nothing for children")).to_be_visible()
    await page.reload()
    await expect(member.card("nothing for children")).to_be_visible()

    await page.select_option("#who", "owner")
    await expect(gate).to_be_visible()
    await expect(member.messages).to_have_count(0)


async def test_restricted_channel_before_continue_hides_new_messages(open_page: OpenPage) -> None:
    one, two = await open_page("member"), await open_page("member-two")
    await two.page.click("#channel-restricted")
    await one.page.click("#channel-restricted")
    await one.page.click("#gate-enter")
    await one.send("written behind the question")
    await expect(one.card("written behind the question")).to_be_visible()

    await expect(two.messages).to_have_count(0)
    await two.page.click("#gate-enter")
    await expect(two.card("written behind the question")).to_be_visible()


async def test_age_gate_by_keyboard_returns_to_previous_channel(open_page: OpenPage) -> None:
    member = await open_page()
    page = member.page
    await page.click("#channel-showcase")
    await expect(page.locator("#channel-name")).to_have_text(re.compile("showcase"))
    await page.focus("#channel-restricted")
    await page.keyboard.press("Enter")
    await expect(page.locator("#gate-back")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#channel-name")).to_have_text(re.compile("showcase"))

    await page.focus("#channel-restricted")
    await page.keyboard.press("Enter")
    await expect(page.locator("#gate-back")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#channel-name")).to_have_text(re.compile("showcase"))

    await page.focus("#channel-restricted")
    await page.keyboard.press("Enter")
    await expect(page.locator("#gate-back")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#message-input")).to_be_focused()
    await expect(page.locator("#channel-name")).to_have_text(re.compile("restricted"))
