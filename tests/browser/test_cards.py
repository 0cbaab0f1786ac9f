"""Ephemeral cards, message menus, and places without the bot, in the page."""

import re
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from sandbox.discord import DiscordServer, Upload, add_elsewhere
from tests.browser.minimal_bot import minimal_world, open_with_bot
from tests.browser.page_driver import PageDriver
from tests.sandbox.discord.fixture_bot import FixtureBot, card, picture, png

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = 390


class CardBot(FixtureBot):
    """A bot with a private card on /quiet; `used` are received custom_ids."""

    def __init__(self) -> None:
        super().__init__()
        self.used: list[tuple[str, Any]] = []

    async def on_quiet(self, interaction: discord.Interaction) -> None:
        """Send the card."""
        view = card("Which picture?", "attachment://a.png")
        select: discord.ui.Select[Any] = discord.ui.Select(custom_id="pick", placeholder="Choose a picture")
        for number in range(1, 4):
            select.add_option(label=f"Picture {number}", value=str(number))
        view.add_item(discord.ui.ActionRow(select))
        go: discord.ui.Button[Any] = discord.ui.Button(label="Edit it", custom_id="go")
        off: discord.ui.Button[Any] = discord.ui.Button(label="Not yet", custom_id="off", disabled=True)
        view.add_item(discord.ui.ActionRow(go, off))
        await interaction.response.send_message(view=view, file=png(), ephemeral=True)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Accept a choice, or replace the card with another one."""
        data: Any = interaction.data
        if interaction.type is not discord.InteractionType.component:
            return
        self.used.append((data["custom_id"], data.get("values")))
        if data["custom_id"] == "go":
            await interaction.response.edit_message(view=card("In line, 2nd"), attachments=[])
            await interaction.edit_original_response(
                view=card("Done", "attachment://b.png"), attachments=[png("b.png")]
            )
        else:
            await interaction.response.defer()
            if data.get("values") == ["3"]:
                await interaction.followup.send("Third", ephemeral=True)
                view = discord.ui.LayoutView.from_message(interaction.message) if interaction.message else None
                await interaction.edit_original_response(view=view)


@pytest_asyncio.fixture(loop_scope="module", params=[PHONE, 1440])
async def page_with_bot(
    request: pytest.FixtureRequest, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[PageDriver, DiscordServer, CardBot]]:
    """Yield the page on a phone or desktop, in a world with other places."""
    world, bot = minimal_world(), CardBot()
    add_elsewhere(world)
    async with open_with_bot(chromium, bot, monkeypatch, world=world, width=request.param) as (driver, server):
        yield driver, server, bot


PageWithBot = tuple[PageDriver, DiscordServer, CardBot]


async def ask_for_card(driver: PageDriver) -> Locator:
    """Use /quiet and return the card."""
    await driver.send("/quiet ")
    asking = driver.card("Which picture?")
    await expect(asking.locator(".tile img")).to_have_count(1)
    return asking


async def test_select_by_keyboard_sends_choice_and_keeps_focus(page_with_bot: PageWithBot) -> None:
    driver, _, bot = page_with_bot
    select = (await ask_for_card(driver)).get_by_role("combobox")
    await select.focus()
    for key in ("Enter", "ArrowDown", "Enter"):
        await driver.page.keyboard.press(key)

    await expect(select).to_contain_text("Picture 2")
    await expect(select).to_be_focused()
    await expect(driver.page.locator(".select-popup")).to_have_count(0)
    await expect(select).not_to_have_attribute("data-live-busy", "")
    assert bot.used == [("pick", ["2"])]


async def test_edit_clears_choice_and_same_choice_is_sent_once(page_with_bot: PageWithBot) -> None:
    driver, _, bot = page_with_bot
    select = (await ask_for_card(driver)).get_by_role("combobox")

    async def choose(name: str) -> None:
        await select.click()
        await driver.page.get_by_role("option", name=name).click()

    await choose("Picture 2")
    await expect(select).not_to_have_attribute("data-live-busy", "")
    await choose("Picture 2")
    await choose("Picture 3")
    await expect(select).to_have_text("Choose a picture")
    await choose("Picture 3")
    await expect(driver.card("Third")).to_have_count(2)
    assert bot.used == [("pick", ["2"]), ("pick", ["3"]), ("pick", ["3"])]


async def test_disabled_button_by_pointer_or_key_sends_nothing(page_with_bot: PageWithBot) -> None:
    driver, _, bot = page_with_bot
    off = driver.button(await ask_for_card(driver), "Not yet")
    await expect(off).to_be_disabled()
    await off.dispatch_event("click")
    await off.click(force=True)

    assert bot.used == []
    await expect(driver.page.locator(".message .failure")).to_have_count(0)


async def test_updated_card_keeps_its_place_until_dismissed(page_with_bot: PageWithBot) -> None:
    driver, server, _ = page_with_bot
    asking = await ask_for_card(driver)
    await server.actor("moderator").say("came later")
    await expect(driver.messages).to_have_count(2)
    await driver.button(asking, "Edit it").click()

    first = driver.messages.first
    await expect(first).to_contain_text("Done")
    await expect(first.locator(".tile img")).to_have_attribute("src", re.compile(r"/b\.png$"))
    await expect(driver.messages.last).to_contain_text("came later")
    await first.get_by_role("button", name="Dismiss message").click()
    await expect(driver.messages).to_have_count(1)
    await driver.page.reload()
    await expect(driver.messages).to_have_count(1)


async def test_forwarded_message_shows_image_and_same_commands(page_with_bot: PageWithBot) -> None:
    driver, server, _ = page_with_bot
    page = driver.page
    await server.actor("member-two").say("my photo", Upload("photo.png", picture(600)))
    await driver.card("my photo").focus()
    await page.keyboard.press("Shift+F10")
    menu = page.get_by_role("menu")
    await expect(menu.get_by_role("menuitem").first).to_have_text("Report")
    await menu.get_by_role("menuitem", name="Forward").click()
    await page.get_by_role("menuitem", name="#general").click()

    copy = driver.messages.nth(1)
    await expect(copy.locator(".forwarded .tile img")).to_have_count(1)
    await expect(copy.locator(".forwarded")).to_contain_text("my photo")
    await copy.focus()
    await page.keyboard.press("Shift+F10")
    await menu.get_by_role("menuitem", name="Report").click()
    await expect(driver.messages.last).to_contain_text("reported")


async def test_message_link_shows_channel_and_opens_message(page_with_bot: PageWithBot) -> None:
    driver, server, _ = page_with_bot
    first = await server.actor("member-two").say("written first")
    channel = server.world.channel("general")
    await server.actor("moderator").say(f"https://discord.com/channels/{channel.guild_id}/{channel.id}/{first.id}")
    await driver.messages.last.get_by_role("button", name=re.compile("^#general .* message$")).click()
    await expect(driver.card("written first")).to_be_focused()


async def test_account_app_in_server_without_bot_offers_commands(page_with_bot: PageWithBot) -> None:
    driver, server, _ = page_with_bot
    page = driver.page
    narrow = (page.viewport_size or {"width": 0})["width"] == PHONE

    async def look_around(place: str) -> None:
        if narrow:
            await page.click("#open-sidebar")
        await page.get_by_role("button", name=place).click()
        await expect(page.locator("#channel-name")).not_to_have_text("general")

    await look_around("Elsewhere")
    await expect(page.locator("#place-note")).to_have_text("Atelier is not installed in this server.")
    await page.fill("#message-input", "/hello")
    await expect(page.locator("#command-picker")).to_contain_text("No command of this name")
    await page.fill("#message-input", "")
    await page.click("#toggle-panel")
    await page.click("#group-person > summary")
    await page.check("#person-app")
    await expect(page.locator("#person-app")).to_be_checked()
    await page.click("#close-panel")
    await driver.send("/hello ")

    await expect(driver.card("Hello")).to_have_count(1)
    assert server.world.user("member").has_app


@pytest.mark.parametrize("way", ["embed", "gallery"])
async def test_example_post_from_panel_shows_image(page_with_bot: PageWithBot, way: str) -> None:
    driver, _, _ = page_with_bot
    await driver.page.click("#toggle-panel")
    await driver.page.click("#group-person > summary")
    await driver.page.click(f"#example-{way}")
    await driver.page.click("#close-panel")

    shown = driver.messages.locator(".tile img")
    await expect(shown).to_have_count(1)
    assert await shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 960
