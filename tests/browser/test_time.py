"""The studio's time in the page's panel."""

import re
import time
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from sandbox.runner import Sandbox
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("width", [390, 1440])
async def test_moved_time_is_shown_and_reaches_bot(open_page: OpenPage, sandbox: Sandbox, width: int) -> None:
    driver = await open_page(width=width)
    page = driver.page
    answers = await driver.card("used /credits balance").count()
    await page.click("#toggle-panel")
    await page.click("#group-time > summary")
    moved = sandbox.clock.offset
    await page.get_by_role("button", name="+ 1 day").click()
    tomorrow = datetime.fromtimestamp(time.time() + moved + 86_400, UTC)
    await expect(page.locator("#studio-time")).to_contain_text(f"{tomorrow:%A}")
    assert sandbox.clock.offset == moved + 86_400
    await page.fill("#time-at", f"{tomorrow.replace(year=tomorrow.year + 1):%Y-%m-%dT%H:%M}")
    await page.click("#time-go")
    await expect(page.locator("#studio-time")).to_contain_text(str(tomorrow.year + 1))
    await page.select_option("#time-zone", "Europe/Berlin")
    await page.click("#time-change")
    await expect(page.locator("#studio-time")).to_contain_text(re.compile(r"at 0[12]:5[89]:\d\d"))
    await page.click("#close-panel")
    await driver.send("/credits balance")

    await expect(driver.card("used /credits balance")).to_have_count(answers + 1)


async def test_impossible_time_is_refused(open_page: OpenPage, sandbox: Sandbox) -> None:
    driver = await open_page()
    await driver.page.click("#toggle-panel")
    await driver.page.click("#group-time > summary")
    offset = sandbox.clock.offset
    await driver.page.fill("#time-at", "2020-01-01T00:00")
    await driver.page.click("#time-go")

    await expect(driver.page.locator(".toast")).to_have_text("Time only moves forward.")
    assert sandbox.clock.offset == offset
