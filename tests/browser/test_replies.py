"""Replies, mentions and edits by conversation, with the real bot."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def start_reply(driver: PageDriver, to: str | Locator) -> None:
    """Choose Reply in the menu of a message, or of the one with this text."""
    message = driver.card(to) if isinstance(to, str) else to
    await message.hover()
    await message.get_by_role("button", name="More", exact=True).click()
    await driver.page.get_by_role("menuitem", name="Reply").click()
    await expect(driver.page.locator("#message-input")).to_be_focused()


async def look(driver: PageDriver, name: str) -> None:
    """Keep a screenshot if a folder for them is set."""
    if folder := os.environ.get("SCREENSHOTS"):
        await driver.page.screenshot(path=str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize("width", [390, 1440])
async def test_reply_with_mention_edits_after_press(open_page: OpenPage, width: int) -> None:
    driver = await open_page(width=width)
    page, field, prompt = driver.page, driver.page.locator("#message-input"), f"a harbour {width}"
    await driver.send(f"/imagine {prompt}")
    card = driver.card(prompt)
    await expect(card.locator(".tile img")).to_have_count(1)

    await start_reply(driver, prompt)
    await expect(page.locator("#reply-bar")).to_have_text("Replying to Atelier")
    await page.keyboard.press("Escape")
    await expect(page.locator("#reply-bar")).to_be_hidden()
    await start_reply(driver, prompt)
    await page.keyboard.type("@ate")
    await expect(page.locator("#command-picker [role=option]").first).to_contain_text("Atelier")
    await look(driver, f"mention-{width}")
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("@Atelier ")
    await page.keyboard.type(f"make the sky red {width}")
    await page.keyboard.press("Enter")

    said = driver.messages.filter(has=page.locator(".content .mention", has_text="@Atelier"))
    said = said.filter(has_text=f"make the sky red {width}").filter(has_not=page.locator(".components"))
    await expect(said.locator(".origin")).to_contain_text("Atelier")
    question = driver.messages.filter(has=page.get_by_role("button", name="Generate · 20 credits"))
    await expect(question).to_have_count(1)
    await expect(question.locator(".origin")).to_contain_text(f"@Atelier make the sky red {width}")
    await expect(page.locator("#reply-bar")).to_be_hidden()
    await look(driver, f"question-{width}")
    await question.get_by_role("button", name="Generate · 20 credits").click()
    edited = driver.messages.filter(has=page.locator(".components")).filter(has_text=f"make the sky red {width}")
    await expect(edited.locator(".tile img")).to_have_count(1)
    await expect(edited).to_contain_text("20 credits")
    await look(driver, f"edited-{width}")


async def test_refused_reply_keeps_text_and_original(open_page: OpenPage) -> None:
    driver = await open_page()
    await driver.send("my own words")
    await start_reply(driver, "my own words")
    await driver.page.keyboard.insert_text("x" * 2001)
    await driver.page.keyboard.press("Enter")
    await expect(driver.page.locator("#composer-error")).to_contain_text("at most 2000")
    await expect(driver.page.locator("#reply-bar")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440])
async def test_reply_puts_open_command_aside_and_brings_it_back(open_page: OpenPage, width: int) -> None:
    driver = await open_page(width=width)
    page, command = driver.page, driver.page.locator(".command")
    await driver.send(f"a remark {width}")
    await page.locator("#message-input").fill("/imagine a lighthouse at dusk")
    await expect(command.get_by_label("prompt")).to_have_value("a lighthouse at dusk")
    await start_reply(driver, f"a remark {width}")
    await expect(command).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(command.get_by_label("prompt")).to_have_value("a lighthouse at dusk")
    await start_reply(driver, f"a remark {width}")
    await page.keyboard.type(f"an answer {width}")
    await page.keyboard.press("Enter")
    await expect(driver.messages.filter(has_text=f"an answer {width}")).to_have_count(1)
    await expect(command.get_by_label("prompt")).to_have_value("a lighthouse at dusk")
    await look(driver, f"aside-{width}")
    await page.keyboard.press("Enter")
    await expect(driver.card("a lighthouse at dusk").first.locator(".tile img")).to_have_count(1)


@pytest.mark.parametrize("width", [390, 1440])
async def test_undo_posts_note_that_a_reply_goes_on_from(open_page: OpenPage, width: int) -> None:
    driver = await open_page(width=width)
    page, prompt = driver.page, f"an orchard {width}"
    await driver.send(f"/imagine {prompt}")
    await expect(driver.card(prompt).locator(".tile img")).to_have_count(1)
    await start_reply(driver, prompt)
    await page.keyboard.type(f"@Atelier in winter {width}")
    await page.keyboard.press("Enter")
    question = driver.messages.filter(has=page.get_by_role("button", name="Generate · 20 credits"))
    await question.get_by_role("button", name="Generate · 20 credits").click()
    edited = driver.messages.filter(has=page.locator(".components")).filter(has_text=f"in winter {width}")
    await expect(edited.locator(".tile img")).to_have_count(1)

    await edited.get_by_role("combobox").click()
    await page.get_by_role("option", name="Undo").click()
    note = driver.card(prompt).filter(has=page.get_by_text("Nothing is charged. Reply to this"))
    await expect(note).to_have_count(1)
    await look(driver, f"undo-{width}")
    await start_reply(driver, note)
    await page.keyboard.type(f"@Atelier in spring {width}")
    await page.keyboard.press("Enter")
    await expect(question).to_contain_text(f"in spring {width}")
    await driver.button(question, "Cancel").click()
    await expect(question).to_have_count(0)
