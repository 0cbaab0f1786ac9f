"""Forms, completed options and given files in the page, with a small bot of the tests that has one of each."""

import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.minimal_bot import visiting
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
async def visitor(chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PageDriver]:
    """Give a member before a page whose bot sends forms."""
    async with visiting(chromium, FixtureBot(), monkeypatch) as (visitor, _):
        yield visitor


async def test_a_form_takes_text_a_choice_and_a_file(visitor: PageDriver) -> None:
    """Filled in and sent, every field reaches the bot, and the form goes."""
    await visitor.send("/form ")
    modal = visitor.modal
    await expect(modal.get_by_role("heading", name="Edit")).to_be_visible()
    await modal.locator("[data-field=prompt] .text-input").fill("make it rain")
    await modal.locator("[data-field=model] .select").click()
    await visitor.page.get_by_role("option", name="nano-banana", exact=True).click()
    await modal.locator("[data-field=image] input[type=file]").set_input_files(
        {"name": "street.png", "mimeType": "image/png", "buffer": picture()}
    )
    await expect(modal.locator("[data-field=image] .file-chip[data-state=ready]")).to_contain_text("street.png")
    await modal.locator("#modal-submit").click()

    answer = visitor.page.locator("#messages > li.message[data-ephemeral]")
    await expect(answer).to_contain_text("make it rain ['nano-banana'] ['street.png']")
    await expect(modal).to_have_count(0)


async def test_a_form_that_lacks_something_says_it_beside_the_field(visitor: PageDriver) -> None:
    """Without what is required nothing is sent; mended, it is."""
    await visitor.send("/form ")
    modal = visitor.modal
    await modal.locator("#modal-submit").click()
    error = modal.locator("[data-field=prompt] .field-error")
    await expect(error).to_have_text("This field is required.")
    await expect(modal.locator("[data-field=prompt] .text-input")).to_be_focused()

    await visitor.page.keyboard.type("now it is there")
    await expect(error).to_be_hidden()
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.locator("#messages > li.message[data-ephemeral]")).to_contain_text(
        "now it is there [] []"
    )


async def test_a_form_that_was_closed_sends_nothing(visitor: PageDriver) -> None:
    """Escape closes the form, and the command can be used again."""
    await visitor.send("/form ")
    await visitor.modal.locator("[data-field=prompt] .text-input").fill("left behind")
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.modal).to_have_count(0)

    await visitor.send("/form ")
    await expect(visitor.modal.locator("[data-field=prompt] .text-input")).to_have_value("")
    await expect(visitor.messages).to_have_count(0)


async def test_a_command_takes_a_file_by_its_option(visitor: PageDriver) -> None:
    """A file chosen in a command's option is what the bot reads."""
    await visitor.page.fill("#message-input", "/edit ")
    await visitor.page.locator("#option-image").set_input_files(
        {"name": "photo.png", "mimeType": "image/png", "buffer": picture(64, 48)}
    )
    await expect(visitor.page.locator("[data-option=image] .file-chip[data-state=ready]")).to_be_visible()
    await visitor.page.click("#send")

    await expect(visitor.card("photo.png 64x48")).to_contain_text(str(len(picture(64, 48))))


async def test_an_option_is_completed_by_the_bot(visitor: PageDriver) -> None:
    """What the bot offers for what was typed so far stands above the option, and is taken by the keyboard."""
    page = visitor.page
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

    await expect(visitor.card("a fox nano-banana-pro 1")).to_be_visible()


@pytest.mark.parametrize("way", ["drop", "paste"])
async def test_a_picture_is_dropped_or_pasted(visitor: PageDriver, way: str) -> None:
    """On the page it waits above the composer; while a command is filled in it becomes the file that is asked for."""
    page = visitor.page
    data = base64.b64encode(picture(64, 48)).decode()
    await page.evaluate(GIVE, [way, data])
    await expect(page.locator("#tray .file-chip[data-state=ready]")).to_contain_text("given.png")
    await expect(page.locator("[data-drop]")).to_have_count(0)
    await visitor.send("with a picture")
    await expect(visitor.card("with a picture").locator(".tile img")).to_have_count(1)

    await page.fill("#message-input", "/edit ")
    await page.evaluate(GIVE, [way, data])
    await expect(page.locator("[data-option=image] .file-chip[data-state=ready]")).to_contain_text("given.png")
    await page.click("#send")
    await expect(visitor.card("given.png 64x48")).to_be_visible()
