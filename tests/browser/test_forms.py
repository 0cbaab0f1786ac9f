"""Forms, autocompletion and files in the page, with a small test bot."""

import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.minimal_bot import open_with_bot
from tests.browser.page_driver import PageDriver
from tests.sandbox.discord.fixture_bot import FixtureBot, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

GIVE = """([way, data]) => {
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "given.png", { type: "image/png" }));
    const how = { bubbles: true, cancelable: true };
    if (way === "paste") {
        document.activeElement.dispatchEvent(new ClipboardEvent("paste", { ...how, clipboardData: transfer }));
        return;
    }
    for (const name of ["dragover", "drop"]) {
        document.querySelector("#messages").dispatchEvent(new DragEvent(name, { ...how, dataTransfer: transfer }));
    }
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def driver(chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PageDriver]:
    """Yield the page as the member, with a bot for forms."""
    async with open_with_bot(chromium, FixtureBot(), monkeypatch) as (driver, _):
        yield driver


async def test_form_with_text_choice_and_file_reaches_bot(driver: PageDriver) -> None:
    await driver.send("/form ")
    modal = driver.modal
    await expect(modal.get_by_role("heading", name="Edit")).to_be_visible()
    await modal.locator("[data-field=prompt] .text-input").fill("make it rain")
    await modal.locator("[data-field=model] .select").click()
    await driver.page.get_by_role("option", name="nano-banana", exact=True).click()
    await modal.locator("[data-field=image] input[type=file]").set_input_files(
        {"name": "street.png", "mimeType": "image/png", "buffer": picture()}
    )
    await expect(modal.locator("[data-field=image] .file-chip[data-state=ready]")).to_contain_text("street.png")
    await modal.locator("#modal-submit").click()

    answer = driver.page.locator("#messages > li.message[data-ephemeral]")
    await expect(answer).to_contain_text("make it rain ['nano-banana'] ['street.png']")
    await expect(modal).to_have_count(0)


async def test_form_without_required_field_shows_error_until_filled(driver: PageDriver) -> None:
    await driver.send("/form ")
    modal = driver.modal
    await modal.locator("#modal-submit").click()
    error = modal.locator("[data-field=prompt] .field-error")
    await expect(error).to_have_text("This field is required.")
    await expect(modal.locator("[data-field=prompt] .text-input")).to_be_focused()

    await driver.page.keyboard.type("now it is there")
    await expect(error).to_be_hidden()
    await driver.page.keyboard.press("Enter")
    await expect(driver.page.locator("#messages > li.message[data-ephemeral]")).to_contain_text("now it is there [] []")


async def test_closed_form_sends_nothing_and_command_works_again(driver: PageDriver) -> None:
    await driver.send("/form ")
    await driver.modal.locator("[data-field=prompt] .text-input").fill("left behind")
    await driver.page.keyboard.press("Escape")
    await expect(driver.modal).to_have_count(0)

    await driver.send("/form ")
    await expect(driver.modal.locator("[data-field=prompt] .text-input")).to_have_value("")
    await expect(driver.messages).to_have_count(0)


async def test_file_option_sends_chosen_file(driver: PageDriver) -> None:
    await driver.page.fill("#message-input", "/edit ")
    await driver.page.locator("#option-image").set_input_files(
        {"name": "photo.png", "mimeType": "image/png", "buffer": picture(64, 48)}
    )
    await expect(driver.page.locator("[data-option=image] .file-chip[data-state=ready]")).to_be_visible()
    await driver.page.click("#send")

    await expect(driver.card("photo.png 64x48")).to_contain_text(str(len(picture(64, 48))))


async def test_autocompleted_option_is_picked_by_keyboard(driver: PageDriver) -> None:
    page = driver.page
    offered = page.locator("#option-popup [role=option]")
    await page.fill("#message-input", "/imagine prompt:a fox")
    await page.click("#add-option")
    await offered.filter(has_text="model").click()
    await expect(page.locator("#option-model")).to_be_focused()
    await page.keyboard.type("nano")
    await expect(offered).to_have_text(["nano-banana", "nano-banana-pro"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#option-model")).to_have_value("nano-banana-pro")
    await page.click("#send")

    await expect(driver.card("a fox nano-banana-pro 1")).to_be_visible()


@pytest.mark.parametrize("way", ["drop", "paste"])
async def test_dropped_or_pasted_image_goes_to_composer_or_option(driver: PageDriver, way: str) -> None:
    page = driver.page
    data = base64.b64encode(picture(64, 48)).decode()
    await page.evaluate(GIVE, [way, data])
    await expect(page.locator("#tray .file-chip[data-state=ready]")).to_contain_text("given.png")
    await expect(page.locator("[data-drop]")).to_have_count(0)
    await driver.send("with a picture")
    await expect(driver.card("with a picture").locator(".tile img")).to_have_count(1)

    await page.fill("#message-input", "/edit ")
    await page.evaluate(GIVE, [way, data])
    await expect(page.locator("[data-option=image] .file-chip[data-state=ready]")).to_contain_text("given.png")
    await page.click("#send")
    await expect(driver.card("given.png 64x48")).to_be_visible()
