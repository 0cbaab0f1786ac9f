"""Selects of channels, roles and people on the page."""

from collections.abc import AsyncIterator

import discord
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from sandbox.discord import DiscordServer
from tests.browser.minimal_bot import open_with_bot
from tests.browser.page_driver import PageDriver
from tests.sandbox.discord.fixture_bot import FixtureBot
from tests.sandbox.discord.test_entity_selects import Setup, objects, setup_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scene = tuple[PageDriver, DiscordServer, FixtureBot]


@pytest_asyncio.fixture(loop_scope="module", params=[390, 1440])
async def scene(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    """Yield the page as the member, and the bot behind it."""
    bot = FixtureBot()
    async with open_with_bot(chromium, bot, monkeypatch, width=request.param) as (driver, server):
        yield driver, server, bot


async def open_modal(scene: Scene, modal: discord.ui.Modal) -> Locator:
    """Let the bot open a modal for the member."""
    driver, _, bot = scene
    coming = bot.next_quiet()
    await driver.send("/quiet ")
    await (await coming).response.send_modal(modal)
    await expect(driver.modal).to_be_visible()
    return driver.modal


def select(modal: Locator, name: str) -> Locator:
    """Return a select of the modal."""
    return modal.locator(f"[data-field={name}] .select")


async def test_selects_of_modal_show_defaults_and_take_choices_by_mouse(scene: Scene) -> None:
    driver, server, _ = scene
    modal = await open_modal(scene, setup_of(server))
    await expect(select(modal, "channels").locator(".pick")).to_have_text(["#general", "#showcase"])
    await expect(select(modal, "roles").locator(".pick")).to_have_text(["@Moderators"])
    await expect(select(modal, "people")).to_have_text("Member")
    await expect(select(modal, "anybody")).to_have_text("@Patrons")

    await select(modal, "channels").click()
    offered = driver.page.locator(".select-popup [role=option]")
    await offered.filter(has_text="#showcase").click()
    await offered.filter(has_text="#announcements").click()
    await driver.page.get_by_role("button", name="Done").click()
    await select(modal, "roles").click()
    await driver.page.get_by_role("button", name="Clear").click()
    await expect(select(modal, "roles")).to_have_attribute("data-empty", "")
    await select(modal, "people").click()
    await offered.filter(has_text="Moderator").click()
    await modal.locator("#modal-submit").click()

    answer = driver.page.locator("#messages > li.message[data-ephemeral]")
    for line in ("channels: general, announcements", "roles: ", "people: moderator", "anybody: Patrons"):
        await expect(answer).to_contain_text(line)


async def test_selects_of_modal_are_used_by_keyboard(scene: Scene) -> None:
    driver, server, _ = scene
    modal = await open_modal(scene, setup_of(server))
    page = driver.page
    await select(modal, "channels").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("annou")
    await expect(page.locator(".select-popup [role=option]")).to_have_count(1)
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(select(modal, "channels")).to_be_focused()
    await select(modal, "anybody").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Clear")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(select(modal, "anybody")).to_be_focused()
    await page.locator("#modal-submit").focus()
    await page.keyboard.press("Enter")

    answer = page.locator("#messages > li.message[data-ephemeral]")
    await expect(answer).to_contain_text("channels: general, showcase, announcements")
    await expect(answer).to_contain_text("anybody: ")
    assert "Patrons" not in await answer.inner_text()


async def test_list_of_modal_fits_into_window(scene: Scene) -> None:
    driver, server, _ = scene
    modal = await open_modal(scene, setup_of(server))
    for name in ("channels", "anybody"):
        await select(modal, name).click()
        box = await driver.page.locator(".select-popup").bounding_box()
        size = driver.page.viewport_size
        assert box is not None
        assert size is not None
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        assert box["y"] + box["height"] <= size["height"]
        await driver.page.keyboard.press("Escape")


async def test_default_that_is_gone_is_not_shown(scene: Scene) -> None:
    _, server, _ = scene
    modal = setup_of(server)
    server.delete_role("Moderators")
    shown = await open_modal(scene, modal)
    await expect(select(shown, "roles")).to_have_attribute("data-empty", "")


async def test_choice_groups_are_filled_in(scene: Scene) -> None:
    driver, _, _ = scene
    modal = await open_modal(
        scene,
        Setup(
            period=discord.ui.RadioGroup(
                custom_id="period",
                options=[discord.RadioGroupOption(label=each, default=each == "day") for each in ("day", "week")],
            ),
            parts=discord.ui.CheckboxGroup(
                custom_id="parts", options=[discord.CheckboxGroupOption(label=each) for each in ("a", "b")]
            ),
            agreed=discord.ui.Checkbox(custom_id="agreed"),
        ),
    )
    await modal.get_by_label("week").check()
    await modal.locator("#modal-submit").click()
    await expect(modal.locator("[data-field=parts] .field-error")).to_have_text("This field is required.")
    await modal.get_by_label("b", exact=True).check()
    await modal.locator("[data-field=agreed] input").check()
    await modal.locator("#modal-submit").click()

    answer = driver.page.locator("#messages > li.message[data-ephemeral]")
    for line in ("period: week", "parts: b", "agreed: True"):
        await expect(answer).to_contain_text(line)


async def test_select_of_message_can_be_cleared(scene: Scene) -> None:
    driver, server, bot = scene
    coming = bot.next_quiet()
    await driver.send("/quiet ")
    interaction = await coming
    chosen: list[list[str]] = []

    class Roles(discord.ui.RoleSelect[discord.ui.View]):
        async def callback(self, interaction: discord.Interaction) -> None:
            chosen.append([each.name for each in self.values])
            await interaction.response.defer()

    view = discord.ui.View(timeout=60)
    patrons = server.world.role(server.world.guild("Community"), "Patrons")
    view.add_item(Roles(custom_id="roles", min_values=0, default_values=objects(patrons.id)))
    await interaction.response.send_message("choose", view=view)
    menu = driver.card("choose").locator(".select")
    await expect(menu).to_have_text("@Patrons")
    await menu.click()
    await driver.page.locator(".select-popup [role=option]").filter(has_text="Moderators").click()
    await expect(menu).to_have_text("@Moderators")
    await menu.click()
    await driver.page.get_by_role("button", name="Clear").click()
    await expect(menu).to_have_attribute("data-empty", "")

    assert chosen == [["Moderators"], []]
