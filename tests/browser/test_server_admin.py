"""Roles, people, servers, rights and webhooks in the page's panel."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import discord
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from sandbox.discord import DiscordServer
from tests.browser.minimal_bot import open_with_bot
from tests.browser.page_driver import PageDriver
from tests.sandbox.discord.fixture_bot import FixtureBot

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", params=[390, 1440])
async def scene(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[PageDriver, DiscordServer]]:
    """Yield the page as the member, with the panel open."""
    async with open_with_bot(chromium, FixtureBot(), monkeypatch, width=request.param) as (driver, server):
        await driver.page.click("#toggle-panel")
        yield driver, server


def pressed(group: Locator, name: str) -> Locator:
    """Return a toggle of a group by its label."""
    return group.get_by_role("button", name=name, exact=True)


async def test_role_is_created_given_and_deleted(scene: tuple[PageDriver, DiscordServer]) -> None:
    driver, server = scene
    page = driver.page
    await page.click("#group-roles > summary")
    await page.fill("#new-role", "Painters")
    await page.click("#new-role-add")
    mine = pressed(page.locator("#person-roles"), "Painters")
    await expect(mine).to_have_attribute("aria-pressed", "false")
    await mine.click()
    await expect(mine).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#roles-role option:checked")).to_have_text("Painters · 1 person")
    right = pressed(page.locator("#role-rights"), "Manage Server")
    await right.click()
    await expect(right).to_have_attribute("aria-pressed", "true")
    guild = server.world.guild("Community")
    role = server.world.role(guild, "Painters")
    assert guild.members[server.world.user("member").id].role_ids == [role.id]

    await page.click("#delete-role")
    await expect(mine).to_have_count(0)
    assert role.id not in guild.roles


async def test_lost_right_of_bot_is_shown(scene: tuple[PageDriver, DiscordServer]) -> None:
    driver, _ = scene
    page = driver.page
    await page.click("#group-channels > summary")
    await page.select_option("#rights-channel", label="#announcements")
    right = pressed(page.locator("#bot-rights"), "Send Messages")
    await expect(right).to_have_attribute("aria-pressed", "false")
    await right.click()
    await expect(right).to_have_attribute("aria-pressed", "true")


async def test_new_server_gets_and_loses_bot(scene: tuple[PageDriver, DiscordServer]) -> None:
    driver, server = scene
    page = driver.page
    await page.click("#group-servers > summary")
    await page.fill("#new-server", "Harbour")
    await page.click("#new-server-add")
    await page.click("#close-panel")
    if await page.locator("#open-sidebar").is_visible():
        await page.click("#open-sidebar")
    await page.get_by_role("button", name="Harbour").click()
    await expect(page.locator("#place-name")).to_have_text("Harbour")
    await page.click("#toggle-panel")
    await page.click("#invite-bot")
    await expect(page.locator("#server-place")).to_have_text("Harbour: the bot is in it.")
    assert server.world.bot.id in server.world.guild("Harbour").members

    await page.click("#remove-bot")
    await expect(page.locator("#invite-bot")).to_be_visible()


async def test_person_in_lost_channel_is_moved_to_first(scene: tuple[PageDriver, DiscordServer]) -> None:
    driver, server = scene
    guild = server.world.guild("Community")
    server.give_role("member", "Moderators")
    await driver.page.click("#close-panel")
    if await driver.page.locator("#open-sidebar").is_visible():
        await driver.page.click("#open-sidebar")
    await driver.page.click("#channel-moderators")
    await expect(driver.page.locator("#channel-name")).to_have_text("moderators")
    server.take_role("member", server.world.role(guild, "Moderators"))

    await expect(driver.page.locator("#channel-name")).to_have_text("general")


async def test_alert_to_other_service_is_shown(scene: tuple[PageDriver, DiscordServer]) -> None:
    driver, server = scene
    page = driver.page
    await page.click("#group-hooks > summary")
    await expect(page.locator("#hook-url")).to_have_value(server.receiver_url)
    await page.select_option("#hook-status", "500")
    async with aiohttp.ClientSession() as session:
        await session.post(server.receiver_url, json={"percentage": 80})
        await expect(page.locator("#hook-list")).to_contain_text('"percentage": 80')
        await expect(page.locator("#hook-status")).to_have_value("500")
        await page.click("#hook-channel")
        await expect(page.locator("#hook-channel-url")).to_have_value(server.webhook_url("general"))
        await session.post(await page.input_value("#hook-channel-url"), json={"content": "80 % are used"})

    await page.click("#close-panel")
    await expect(driver.card("80 % are used")).to_be_visible()


async def test_premium_button_buys_its_sku(chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = FixtureBot()
    async with open_with_bot(chromium, bot, monkeypatch) as (driver, server):
        sku = server.store.add_sku("Studio Plus")
        coming = bot.next_quiet()
        await driver.page.reload()
        await driver.page.wait_for_selector("body[data-ready]")
        await driver.send("/quiet ")
        view = discord.ui.View(timeout=60)
        view.add_item(discord.ui.Button(sku_id=int(sku.id)))
        await (await coming).response.send_message("Only with Plus", view=view)
        await driver.button(driver.card("Only with Plus"), "Studio Plus").click()
        await driver.page.click("#toggle-panel")
        await driver.page.click("#group-store > summary")
        bought = driver.page.locator("#entitlement-list li")
        await expect(bought).to_contain_text("Member · active")
        await bought.get_by_role("button", name="Refund").click()

        await expect(bought).to_contain_text("Member · refunded")


async def test_channel_is_created_shown_and_deleted(scene: tuple[PageDriver, DiscordServer]) -> None:
    driver, server = scene
    page = driver.page
    await page.click("#group-channels > summary")
    await page.fill("#new-channel", "Review")
    await page.click("#new-channel-add")
    await expect(page.locator("#delete-channel")).to_have_text("Delete #review")
    await expect(page.locator("#channel-review")).to_have_count(1)
    await page.click("#delete-channel")

    await expect(page.locator("#channel-review")).to_have_count(0)
    await page.click("#group-servers > summary")
    changed = asyncio.create_task(server.guilds_changed.wait())
    await asyncio.sleep(0)
    await page.select_option("#server-language", "de")
    await changed
    assert server.world.guild("Community").locale == "de"


async def test_roles_follow_the_person_of_the_page(scene: tuple[PageDriver, DiscordServer]) -> None:
    driver, _ = scene
    page = driver.page
    chosen = page.locator("#roles-person option:checked")
    await page.click("#group-roles > summary")
    await expect(chosen).to_have_text("Member")
    await page.click("#close-panel")
    if await page.locator("#open-sidebar").is_visible():
        await page.click("#open-sidebar")
    await page.select_option("#who", "moderator")
    await expect(chosen).to_have_text("Moderator")
