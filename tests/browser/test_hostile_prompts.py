"""Hostile prompts and messages are shown as plain text."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ATTACKS = [
    "<script>window.hurt = true; alert('script')</script>",
    "<img src=x onerror=\"window.hurt = true; alert('img')\">",
    '<svg onload="window.hurt = true"><a xlink:href="javascript:alert(\'svg\')">press</a></svg>',
    "[press](javascript:alert('link'))",
    "<javascript:alert('angled')>",
    "[press](data:text/html,<script>alert('data')</script>)",
    '"><iframe srcdoc="<script>parent.hurt = true</script>"></iframe>',
]


async def test_hostile_prompt_is_shown_as_text(open_page: OpenPage) -> None:
    one, two = await open_page("member"), await open_page("member-two")
    for attack in ATTACKS:
        await one.send(f"/imagine prompt:{attack}")
        for driver in (one, two):
            card = driver.messages.last
            await expect(card.get_by_role("heading")).to_contain_text(attack[:60])  # a heading has three lines
            await expect(card.locator(".gallery img")).to_have_attribute("alt", attack)
            await expect(card.locator("script, svg a, iframe, a, img:not(.gallery img)")).to_have_count(0)

    for driver in (one, two):
        assert await driver.page.evaluate("window.hurt") is None


async def test_hostile_message_is_shown_as_text_without_script_links(open_page: OpenPage) -> None:
    one, two = await open_page("member"), await open_page("member-two")
    for attack in ATTACKS:
        await one.send(attack)
        for driver in (one, two):
            message = driver.messages.last
            await expect(message.locator(".content")).to_have_text(attack)
            await expect(message.locator(".content :is(script, svg, iframe, img, a)")).to_have_count(0)

    for driver in (one, two):
        assert await driver.page.evaluate("window.hurt") is None
