"""A member's use of the page, with a real browser and the real bot."""

import contextlib
import re

import pytest
from playwright.async_api import Locator, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from sandbox.providers import MANUAL
from sandbox.runner import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver
from tests.sandbox.discord.fixture_bot import picture

pytestmark = pytest.mark.asyncio(loop_scope="module")


def own_message(driver: PageDriver, words: str) -> Locator:
    """Return the ephemeral message with this text."""
    return driver.page.locator("#messages > li.message[data-ephemeral]").filter(has_text=words)


async def test_imagine_from_picker_shows_images_and_receipt_in_place(sandbox: Sandbox, member: PageDriver) -> None:
    sandbox.apis.skillboss.latency = MANUAL
    page = member.page
    await page.fill("#message-input", "/")
    options = page.locator("#command-picker [role=option]")
    await expect(options.filter(has_text="/imagine")).to_contain_text("Make pictures from a prompt")
    await page.type("#message-input", "im")
    await expect(options).to_have_count(1)
    await options.click()
    await page.fill("#option-prompt", "a harbour at dawn")
    await page.click("#add-option")
    await page.locator("#option-popup [role=option]").filter(has_text="images").first.click()
    await page.fill("#option-images", "2")
    await page.click("#send")

    card = member.card("a harbour at dawn")
    await expect(card).to_contain_text("Member used")
    await expect(card).to_contain_text("Queued")
    identity = await card.get_attribute("id")
    await sandbox.apis.skillboss.wait_for(
        lambda: [job for job in sandbox.apis.skillboss.jobs if "harbour" in job.request.prompt]
    )
    sandbox.apis.skillboss.advance()
    await expect(card).to_contain_text("Generating")
    sandbox.apis.skillboss.finish()
    await expect(card.locator(".gallery[data-count='2'] .tile img")).to_have_count(2)
    await expect(card).to_contain_text("24 credits")
    assert await card.get_attribute("id") == identity
    await expect(card.locator("img").first).to_have_attribute("alt", "Picture 1 of 2: a harbour at dawn")

    await card.locator(".tile").first.click()
    await expect(member.lightbox).to_contain_text("a harbour at dawn (1 of 2)")
    await page.keyboard.press("ArrowRight")
    await expect(member.lightbox).to_contain_text("(2 of 2)")
    await page.keyboard.press("ArrowRight")
    await expect(member.lightbox).to_contain_text("(1 of 2)")
    await member.lightbox.get_by_role("button", name="Next picture").press("Enter")
    await expect(member.lightbox).to_contain_text("(2 of 2)")
    await expect(member.lightbox.get_by_role("button", name="Next picture")).to_be_focused()
    assert await member.lightbox.locator("img").evaluate("each => each.decode().then(() => each.naturalWidth)") > 500
    await page.keyboard.press("Escape")
    await expect(member.lightbox).to_have_count(0)


async def test_cancel_button_ends_queued_job_without_charge(sandbox: Sandbox, member: PageDriver) -> None:
    sandbox.apis.skillboss.latency = MANUAL
    await member.send("/imagine prompt:never to be drawn")
    card = member.card("never to be drawn")
    await member.button(card, "Cancel").click()

    await expect(card).to_contain_text("Cancelled. Nothing was charged: 12 credits returned")
    await expect(member.button(card, "Cancel")).to_have_count(0)


async def test_page_by_keyboard_alone_reaches_every_step(member: PageDriver) -> None:
    page = member.page
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#message-input")).to_be_focused()
    await page.keyboard.type("/ima")
    await expect(page.locator("#command-picker [role=option]")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator("#option-prompt")).to_be_focused()
    await page.keyboard.type("keys under lamplight")
    await page.keyboard.press("Tab")
    await page.keyboard.type("asp")
    await page.keyboard.press("Enter")
    await expect(page.locator("#option-aspect_ratio")).to_be_focused()
    await page.keyboard.type("1:1")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    card = member.card("keys under lamplight")
    await expect(card).to_contain_text("1:1")
    tile = card.locator(".tile")
    await expect(tile).to_have_count(1)
    await tile.focus()
    await page.keyboard.press("Enter")
    await expect(member.lightbox).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(tile).to_be_focused()

    await page.locator("#message-input").focus()
    await page.keyboard.type("/credits balance ")
    await page.keyboard.press("Enter")
    answer = own_message(member, "used /credits balance")
    await expect(answer).to_contain_text("credits")
    dismiss = answer.get_by_role("button", name="Dismiss message")
    await dismiss.focus()
    await page.keyboard.press("Enter")
    await expect(answer).to_have_count(0)


async def test_ephemeral_is_shown_to_one_person_and_card_to_both(open_page: OpenPage) -> None:
    one, two = await open_page("member"), await open_page("member-two")
    await one.send("/imagine prompt:one for both")
    await expect(one.card("one for both").locator(".tile img")).to_have_count(1)
    await expect(two.card("one for both").locator(".tile img")).to_have_count(1)
    await one.send("/credits balance ")
    await two.send("/status ")
    mine, theirs = own_message(one, "Member used /credits balance"), own_message(two, "Member Two used /status")
    await expect(mine).to_have_count(1)
    await expect(theirs).to_have_count(1)
    await expect(one.card("Member Two used /status")).to_have_count(0)
    await expect(two.card("Member used /credits balance")).to_have_count(0)

    await expect(mine).to_contain_text("Only you can see this")
    await mine.get_by_role("button", name="Dismiss message").click()
    await expect(mine).to_have_count(0)
    await expect(theirs).to_have_count(1)


async def test_number_out_of_range_shows_error_and_keeps_focus(member: PageDriver) -> None:
    await member.send("/imagine prompt:too many images:9")
    error = member.page.locator("#option-images-error")
    await expect(error).to_have_text("Must be between 1 and 4.")
    await expect(member.page.locator("#option-images")).to_be_focused()
    await expect(member.card("too many")).to_have_count(0)

    await member.page.fill("#option-images", "1")
    await expect(error).to_be_hidden()
    await member.page.click("#send")
    await expect(member.card("too many").locator(".tile img")).to_have_count(1)


async def test_long_prompt_is_complete_in_details_file(member: PageDriver) -> None:
    prompt = "a library under the sea " + "with shelves of coral and quiet green light, " * 90
    await member.send(f"/imagine model:nano-banana prompt:{prompt[:3_990]}")
    card = member.card("a library under the sea").filter(has_not=member.page.locator(".file-card"))
    await card.get_by_role("combobox").click()
    await member.page.get_by_role("option", name="Details").click()
    answer = own_message(member, "prompt.txt")

    await expect(answer).to_contain_text("Only you can see this")
    assert await member.download(answer, "prompt.txt") == prompt[:3_990].strip()


async def choose_details(member: PageDriver, menu: Locator) -> None:
    """Choose Details; an edit of the card closes an open menu."""
    for _ in range(10):
        await menu.click()
        with contextlib.suppress(PlaywrightTimeoutError):
            await member.page.get_by_role("option", name="Details").click(timeout=2_000)
            return
    raise AssertionError("the menu never stays open")


async def test_menu_entry_can_be_chosen_twice(member: PageDriver) -> None:
    await member.send("/imagine prompt:chosen twice")
    card = member.card("chosen twice").filter(has=member.page.locator(".tile"))
    menu = card.get_by_role("combobox")
    for count in (1, 2):
        await choose_details(member, menu)
        await expect(own_message(member, "Details").filter(has_text="chosen twice")).to_have_count(count)
        await expect(menu).to_have_text("More…")
    await expect(card.locator(".tile img")).to_have_count(1)


async def test_attached_photo_is_shown_in_plain_message(open_page: OpenPage) -> None:
    one, two = await open_page("member"), await open_page("member-two")
    async with one.page.expect_file_chooser() as chooser:
        await one.page.click("#attach")
    await (await chooser.value).set_files({"name": "harbour.png", "mimeType": "image/png", "buffer": picture(60, 40)})
    await expect(one.page.locator("#tray .file-chip[data-state=ready]")).to_contain_text("harbour.png")
    await one.send("look at this harbour")

    for driver in (one, two):
        shown = driver.card("look at this harbour").locator(".tile img")
        await expect(shown).to_have_count(1)
        assert await shown.evaluate("each => each.decode().then(() => each.naturalWidth)") == 60
    await expect(one.page.locator("#tray")).to_be_hidden()


async def test_page_at_390_px_needs_no_sideways_scrolling(open_page: OpenPage) -> None:
    phone = await open_page("member", width=390)
    await phone.send("/imagine prompt:seen on a phone")
    await expect(phone.card("seen on a phone").locator(".tile img")).to_have_count(1)

    assert await phone.page.evaluate("document.documentElement.scrollWidth") == 390
    await phone.page.click("#open-sidebar")
    await phone.page.click("#channel-showcase")
    await expect(phone.page.locator("#channel-name")).to_have_text(re.compile("showcase"))


async def test_channel_drawer_on_phone_takes_and_returns_focus(open_page: OpenPage) -> None:
    phone = await open_page("member", width=390)
    page = phone.page
    await page.focus("#open-sidebar")
    await page.keyboard.press("Enter")
    await expect(page.locator("#channel-general")).to_be_focused()

    await page.focus("#who")
    await page.select_option("#who", "owner")
    await expect(page.locator("#account .avatar")).to_have_text("O")
    await expect(page.locator("#who")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#open-sidebar")).to_be_focused()
    await expect(page.locator("#channels")).to_be_hidden()


async def test_credits_are_granted_seen_and_listed(open_page: OpenPage) -> None:
    """An admin grants; the member reads the bar and the history."""
    owner, member = await open_page("owner"), await open_page("member-two")
    await owner.send("/credits grant member:member-two amount:30 reason:for the poster")
    await owner.page.get_by_role("listbox", name="Values of member").get_by_role("option").click()
    await owner.page.click("#send")
    granted = own_message(owner, "got 30 credits.")
    await expect(granted).to_contain_text("Granted credits do not expire.")

    await member.send("/credits balance")
    balance = own_message(member, "30 granted, which do not expire")
    await expect(balance).to_contain_text("credits to spend")
    await expect(balance).to_contain_text(re.compile("[█░]{10} [0-9]+ of 5,000 used today"))
    await member.button(balance, "History").click()
    history = own_message(member, "Your credits")
    await expect(history).to_contain_text("+30 granted by")
    await expect(history).to_contain_text("for the poster")
    await member.button(history, "Spent").click()
    await expect(history).not_to_contain_text("for the poster")
