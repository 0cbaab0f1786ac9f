"""Forums, reactions, pins and spoilers in the page."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, expect

from sandbox.discord import DiscordServer, Upload, add_sharing
from tests.browser.minimal_bot import minimal_world, open_with_bot
from tests.browser.page_driver import PageDriver
from tests.sandbox.discord.fixture_bot import FixtureBot, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scene = tuple[PageDriver, DiscordServer]


@pytest_asyncio.fixture(loop_scope="module", params=[390, 1440])
async def scene(
    chromium: Browser, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    """Yield the page as the member, with the demo's forum."""
    world = minimal_world()
    add_sharing(world)
    async with open_with_bot(chromium, FixtureBot(), monkeypatch, world=world, width=request.param) as opened:
        yield opened


async def open_channel(driver: PageDriver, name: str) -> None:
    """Open a channel of the sidebar, on a phone too."""
    if await driver.page.locator("#open-sidebar").is_visible():
        await driver.page.click("#open-sidebar")
    await driver.page.click(f"#channel-{name}")


async def test_post_is_written_opened_and_answered(scene: Scene) -> None:
    driver, server = scene
    page = driver.page
    await open_channel(driver, "showcase-forum")
    await expect(page.locator("#posts")).to_contain_text("There are no posts yet.")
    await expect(page.locator("#composer")).to_be_hidden()
    await page.click("#open-post-form")
    await page.fill("#post-title", "Blue hills")
    await page.fill("#post-text", "made at dusk")
    await page.get_by_label("landscape").check()
    await expect(page.get_by_label("picked")).to_have_count(0)
    await page.set_input_files("#post-files", FilePayload(name="hills.png", mimeType="image/png", buffer=picture()))
    await expect(page.locator("#post-form .file-chip")).to_have_attribute("data-state", "ready")
    await page.click("#send-post")

    post = page.locator("#posts > li.post")
    await expect(post).to_contain_text("made at dusk")
    await expect(post).not_to_have_attribute("data-unread", "")
    await expect(post.locator(".tag")).to_contain_text("landscape")
    await expect(post.locator("img")).to_be_visible()
    await post.get_by_role("button", name="Blue hills").click()
    await expect(page.locator("#channel-name .name")).to_have_text("Blue hills")
    await driver.send("and at dawn?")
    await expect(driver.card("and at dawn?")).to_be_visible()
    await page.click("#to-parent")
    await expect(post).to_contain_text("1 answer")

    other = await server.actor("member-two").create_post("Red door", "look", forum="showcase-forum")
    await expect(page.locator("#forum-count")).to_have_text("2 posts")
    await expect(page.locator("#posts > li").first).to_have_attribute("data-unread", "")
    await server.actor("member-two").react(server.world.message(other.id), "⭐")
    await expect(page.locator("#posts > li").first).to_contain_text("⭐ 1")


async def test_deleted_post_returns_to_its_forum(scene: Scene) -> None:
    driver, server = scene
    page = driver.page
    thread = await server.actor("member-two").create_post("Red door", "look", forum="showcase-forum")
    await open_channel(driver, "showcase-forum")
    await page.get_by_role("button", name="Red door").click()
    await expect(driver.card("look")).to_be_visible()
    await server.actor("owner").edit_thread(thread, locked=True)
    await expect(page.locator("#message-input")).not_to_be_editable()
    await server.actor("owner").delete_thread(thread)
    await expect(page.locator("#channel-name .name")).to_have_text("showcase-forum")
    await expect(page.locator("#posts")).to_contain_text("There are no posts yet.")


async def test_chip_adds_and_removes_own_reaction(scene: Scene) -> None:
    driver, server = scene
    message = await server.actor("member-two").say("look")
    await server.actor("member-two").react(message, "⭐")
    card = driver.card("look")
    chip = card.locator('[data-emoji="⭐"]')
    await expect(chip).to_have_attribute("aria-pressed", "false")
    await chip.click()
    await expect(chip).to_have_attribute("aria-pressed", "true")
    await expect(chip.locator(".count")).to_have_text("2")
    await chip.click()
    await expect(chip.locator(".count")).to_have_text("1")
    await card.get_by_role("button", name="Add a reaction").click()
    await driver.page.get_by_role("menuitem", name="🎨").click()
    await expect(card.locator('[data-emoji="🎨"]')).to_have_attribute("aria-pressed", "true")
    assert [each.emoji for each in message.reactions.values()] == ["⭐", "🎨"]


async def test_pin_and_thread_are_shown_on_their_message(scene: Scene) -> None:
    driver, server = scene
    owner = server.actor("owner")
    message = await server.actor("member-two").say("look")
    await owner.pin(message)
    await expect(driver.card("look").locator(".pinned-mark")).to_have_text("Pinned")
    await expect(driver.messages.filter(has_text="Owner pinned")).to_be_visible()
    server.threads.create_from_message(message, owner.user, {"name": "Details"})
    await driver.card("look").get_by_role("button", name="Details").click()
    await expect(driver.page.locator("#channel-name .name")).to_have_text("Details")


async def test_spoiler_picture_is_revealed_by_a_press(scene: Scene) -> None:
    driver, server = scene
    await server.actor("member-two").say("careful", Upload("SPOILER_a.png", picture()))
    tile = driver.card("careful").locator(".tile")
    await expect(tile.locator("img")).to_have_css("filter", "blur(32px) brightness(0.7)")
    await tile.click()
    await expect(tile.locator("img")).to_have_css("filter", "none")
    await expect(driver.lightbox).to_have_count(0)
