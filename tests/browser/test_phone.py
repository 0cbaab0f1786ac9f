"""The page on a phone: heights of buttons and menus, line breaks."""

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = 390
LOW = """() => [...document.querySelectorAll(
    ".button, .plain:not(.message-more), .select, .menu-item, .server, .channel, .more-options, .command-name,"
    + " select, input:not([type=file], [type=checkbox], [type=radio]), label.choice, [role=option], #jump, #earlier")]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }) && each.getBoundingClientRect().height < 43.5)
    .map((each) => `${each.id || each.className} ${each.textContent} ${each.getBoundingClientRect().height}`)"""
BROKEN = """() => {
    const found = [];
    const walker = document.createTreeWalker(document.querySelector("#chat"), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const box = (from, to) => {
            const range = document.createRange();
            range.setStart(node, from);
            range.setEnd(node, to);
            return range.getBoundingClientRect();
        };
        for (const dot of node.data.matchAll(/·/g)) {
            const end = node.data.slice(0, dot.index).trimEnd().length;
            if (end === 0) continue;
            if (box(dot.index, dot.index + 1).top > box(end - 1, end).bottom - 4) found.push(node.data);
        }
    }
    return found;
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def phone(open_page: OpenPage) -> PageDriver:
    """Return the page on a phone with a finished card."""
    driver = await open_page(width=PHONE)
    await driver.send("/imagine prompt:a heron in the reeds aspect_ratio:16:9 images:2 detail:2")
    await expect(driver.card("a heron in the reeds").last.locator(".tile img")).to_have_count(2)
    return driver


async def test_buttons_and_menus_are_44_pixels_high(phone: PageDriver) -> None:
    page, card = phone.page, phone.card("a heron in the reeds").last
    assert await page.evaluate(LOW) == []

    await page.fill("#message-input", "/")
    await expect(page.locator("#command-picker [role=option]").first).to_be_visible()
    assert await page.evaluate(LOW) == []
    await page.fill("#message-input", "/imagine ")
    await expect(page.locator("#option-prompt")).to_be_visible()
    assert await page.evaluate(LOW) == []

    await card.get_by_role("button", name="More", exact=True).click()
    await expect(page.locator(".menu")).to_be_visible()
    assert await page.evaluate(LOW) == []
    await page.keyboard.press("Escape")

    await card.locator(".select").first.click()
    await expect(page.locator(".select-popup")).to_be_visible()
    assert await page.evaluate(LOW) == []
    await page.keyboard.press("Escape")

    await page.click("#toggle-panel")
    await expect(page.locator("#panel")).to_be_visible()
    assert await page.evaluate(LOW) == []
    await page.click("#close-panel")

    await page.click("#open-sidebar")
    await expect(page.locator("#channel-general")).to_be_focused()
    assert await page.evaluate(LOW) == []


async def test_no_line_begins_with_a_dot(phone: PageDriver) -> None:
    for command in ("/help", "/status", "/credits balance"):
        await phone.send(command)
        await expect(phone.card(f"used {command}").last).to_contain_text("Only you can see this")
    for width in range(320, 431, 6):
        await phone.page.set_viewport_size({"width": width, "height": 860})
        assert await phone.page.evaluate(BROKEN) == []


async def test_message_text_keeps_dots_in_code(phone: PageDriver) -> None:
    await phone.send("`a · b`")

    code = phone.messages.locator("code", has_text="a · b")
    await expect(code).to_be_visible()
    assert await code.text_content() == "a · b"
