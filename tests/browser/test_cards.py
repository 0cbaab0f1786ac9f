"""Cards that ask, menus of messages, and places without the bot, in the page."""

import re
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from sandbox.discord import DiscordServer, Upload, add_elsewhere
from tests.browser.minimal_bot import small_world, visiting
from tests.browser.page_driver import PageDriver
from tests.sandbox.discord.fixture_bot import FixtureBot, card, picture, png

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = 390


class Asker(FixtureBot):
    """A bot whose /quiet answers with a private card that asks; `used` are the custom_ids that reached it."""

    def __init__(self) -> None:
        super().__init__()
        self.used: list[tuple[str, Any]] = []

    async def on_quiet(self, interaction: discord.Interaction) -> None:
        """Ask."""
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
        """Take a choice, or turn the card into another one."""
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


@pytest_asyncio.fixture(loop_scope="module", params=[PHONE, 1440])
async def stage(
    request: pytest.FixtureRequest, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[PageDriver, DiscordServer, Asker]]:
    """Give a member on a phone or before a screen, in a world that has places without the bot."""
    world, bot = small_world(), Asker()
    add_elsewhere(world)
    async with visiting(chromium, bot, monkeypatch, world=world, width=request.param) as (visitor, server):
        yield visitor, server, bot


Stage = tuple[PageDriver, DiscordServer, Asker]


async def asked(visitor: PageDriver) -> Locator:
    """Have the bot ask and return its card."""
    await visitor.send("/quiet ")
    asking = visitor.card("Which picture?")
    await expect(asking.locator(".tile img")).to_have_count(1)
    return asking


async def test_a_select_is_used_by_the_keyboard(stage: Stage) -> None:
    """Enter opens it, the arrows lead to an option, Enter takes it, and the focus is where it was."""
    visitor, _, bot = stage
    select = (await asked(visitor)).get_by_role("combobox")
    await select.focus()
    for key in ("Enter", "ArrowDown", "Enter"):
        await visitor.page.keyboard.press(key)

    await expect(select).to_contain_text("Picture 2")
    await expect(select).to_be_focused()
    await expect(visitor.page.locator(".select-popup")).to_have_count(0)
    await expect(select).not_to_have_attribute("data-live-busy", "")
    assert bot.used == [("pick", ["2"])]


async def test_a_disabled_button_does_nothing(stage: Stage) -> None:
    """Neither by a pointer nor by a key."""
    visitor, _, bot = stage
    off = visitor.button(await asked(visitor), "Not yet")
    await expect(off).to_be_disabled()
    await off.dispatch_event("click")
    await off.click(force=True)

    assert bot.used == []
    await expect(visitor.page.locator(".message .failure")).to_have_count(0)


async def test_a_card_turns_in_its_place_and_is_dismissed(stage: Stage) -> None:
    """What came after it stays after it; once put away it does not come back."""
    visitor, server, _ = stage
    asking = await asked(visitor)
    await server.actor("moderator").say("came later")
    await expect(visitor.messages).to_have_count(2)
    await visitor.button(asking, "Edit it").click()

    first = visitor.messages.first
    await expect(first).to_contain_text("Done")
    await expect(first.locator(".tile img")).to_have_attribute("src", re.compile(r"/b\.png$"))
    await expect(visitor.messages.last).to_contain_text("came later")
    await first.get_by_role("button", name="Dismiss message").click()
    await expect(visitor.messages).to_have_count(1)
    await visitor.page.reload()
    await expect(visitor.messages).to_have_count(1)


async def test_a_message_is_forwarded_by_its_menu(stage: Stage) -> None:
    """The menu has the bot's own commands first; the copy shows the picture and has the same commands."""
    visitor, server, _ = stage
    page = visitor.page
    await server.actor("member-two").say("my photo", Upload("photo.png", picture(600)))
    await visitor.card("my photo").focus()
    await page.keyboard.press("Shift+F10")
    menu = page.get_by_role("menu")
    await expect(menu.get_by_role("menuitem").first).to_have_text("Report")
    await menu.get_by_role("menuitem", name="Forward").click()
    await page.get_by_role("menuitem", name="#general").click()

    copy = visitor.messages.nth(1)
    await expect(copy.locator(".forwarded .tile img")).to_have_count(1)
    await expect(copy.locator(".forwarded")).to_contain_text("my photo")
    await copy.focus()
    await page.keyboard.press("Shift+F10")
    await menu.get_by_role("menuitem", name="Report").click()
    await expect(visitor.messages.last).to_contain_text("reported")


async def test_the_address_of_a_message_leads_to_it(stage: Stage) -> None:
    """It is shown by its channel, as Discord does, and pressing it goes to the message."""
    visitor, server, _ = stage
    first = await server.actor("member-two").say("written first")
    channel = server.world.channel("general")
    await server.actor("moderator").say(f"https://discord.com/channels/{channel.guild_id}/{channel.id}/{first.id}")
    await visitor.messages.last.get_by_role("button", name=re.compile("^#general .* message$")).click()
    await expect(visitor.card("written first")).to_be_focused()


async def test_the_app_on_an_account_goes_where_its_owner_goes(stage: Stage) -> None:
    """In a server without the bot nothing is offered, until the person has the app themselves."""
    visitor, server, _ = stage
    page = visitor.page
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
    await page.check("#person-app")
    await expect(page.locator("#person-app")).to_be_checked()
    await page.click("#close-panel")
    await visitor.send("/hello ")

    await expect(visitor.card("Hello")).to_have_count(1)
    assert server.world.user("member").has_app


@pytest.mark.parametrize("way", ["embed", "gallery"])
async def test_another_app_posts_a_picture(stage: Stage, way: str) -> None:
    """From the panel, to try menus on."""
    visitor, _, _ = stage
    await visitor.page.click("#toggle-panel")
    await visitor.page.click(f"#example-{way}")
    await visitor.page.click("#close-panel")

    shown = visitor.messages.locator(".tile img")
    await expect(shown).to_have_count(1)
    assert await shown.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 960
