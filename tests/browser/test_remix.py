"""Buttons of each picture and edited forms on a phone."""

import pytest
from playwright.async_api import expect

from sandbox.runner import Sandbox
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = 390
OUTSIDE = """(width) => [...document.querySelectorAll("#messages .button, #modal *")]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }))
    .filter((each) => each.getBoundingClientRect().right > width + 0.5 || each.getBoundingClientRect().left < -0.5)
    .map((each) => `${each.id || each.className} ${each.textContent}`)"""


async def test_presses_for_each_picture_fit_a_phone(open_page: OpenPage) -> None:
    """Four in a row, and a press makes one of its picture."""
    driver = await open_page(width=PHONE)
    await driver.send("/imagine prompt:a lighthouse in a storm images:4")
    card = driver.card("a lighthouse in a storm").first
    for letter in "VU":
        tops = []
        for place in range(1, 5):
            button = driver.button(card, f"{letter}{place}")
            await expect(button).to_be_visible()
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 43.5
            tops.append(box["y"])
        assert len(set(tops)) == 1
    assert await driver.page.evaluate(OUTSIDE, PHONE) == []
    await expect(card).to_contain_text("1, 2 above · 3, 4 below")
    await expect(card).to_contain_text("V: a variation, 20 credits")
    await driver.button(card, "U3").click()
    upscaled = driver.card("a lighthouse in a storm · upscaled 2×")
    await expect(upscaled.locator(".tile img")).to_have_count(1)
    await expect(upscaled).to_contain_text("26 credits")


async def test_edited_form_fits_a_phone_and_outlives_a_restart(open_page: OpenPage, sandbox: Sandbox) -> None:
    """It says the prices, and keeps the filled-in values."""
    driver = await open_page(width=PHONE)
    page, modal = driver.page, driver.modal
    await driver.send("/imagine prompt:a teapot on a shelf images:2")
    card = driver.card("a teapot on a shelf").first
    await expect(card.locator(".tile img")).to_have_count(2)
    await card.locator(".select").click()
    await page.get_by_role("option", name="Vary, edited…").click()
    await expect(modal.get_by_role("heading", name="Vary, edited")).to_be_visible()
    await expect(modal.locator("[data-field=model]")).to_contain_text("reve-2.0 · 20 credits each")
    await expect(modal.locator("[data-field=images]")).to_contain_text("Without a change: 20 credits")
    assert await page.evaluate(OUTSIDE, PHONE) == []
    await modal.locator("[data-field=picture] .select").click()
    await page.get_by_role("option", name="Picture 2", exact=True).click()
    await modal.locator("[data-field=prompt] .text-input").fill("a kettle on a shelf")
    await modal.locator("[data-field=images] .select").click()
    await page.get_by_role("option", name="2", exact=True).click()
    await sandbox.kill_bot()
    await expect(driver.bot_state).to_have_attribute("data-state", "off")
    await sandbox.start_bot()
    await expect(driver.bot_state).to_have_attribute("data-state", "on")
    await modal.locator("#modal-submit").click()
    await expect(modal).to_have_count(0)
    varied = driver.card("a kettle on a shelf")
    await expect(varied.locator(".tile img")).to_have_count(2)
    await expect(varied).to_contain_text("40 credits")
    await expect(varied).to_contain_text("from 1 picture")
