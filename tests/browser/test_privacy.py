"""`/privacy` in the page: the export and the question before a deletion."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = 390


async def test_member_gets_an_export_and_deletes_everything_on_a_phone(open_page: OpenPage) -> None:
    driver = await open_page(width=PHONE)
    await driver.send("/imagine prompt:a heron at dawn")
    card = driver.card("a heron at dawn")
    await expect(card.last.locator(".tile img")).to_have_count(1)
    await driver.send("/privacy export ")
    await expect(driver.messages.last).to_contain_text("comes by direct message")
    await driver.send("/privacy delete ")
    question = driver.messages.last
    await expect(question).to_contain_text("Delete everything about you?")
    await driver.button(question, "Delete everything").click()
    await expect(question).to_contain_text("Everything about you is deleted.")
    await expect(card).to_have_count(0)
