"""The first view, and the ways to a command, with the real bot."""

import pytest
from playwright.async_api import expect

from sandbox.runner import Sandbox
from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_first_view_explains_sandbox_until_closed(member: PageDriver) -> None:
    page = member.page
    await expect(page.locator("#welcome")).to_contain_text("all fake, no account, no key")
    await expect(page.locator("#channel-topic")).to_contain_text("make pictures")
    await page.get_by_role("button", name="Hide this line").click()
    await page.reload()
    await expect(page.locator("body[data-ready]")).to_be_visible()

    await expect(page.locator("#welcome")).to_be_hidden()


async def test_every_channel_of_a_server_has_a_topic(sandbox: Sandbox) -> None:
    without = [each.name for each in sandbox.discord.world.channels.values() if each.guild_id and not each.topic]

    assert without == []


async def test_stranger_lands_where_a_picture_is(open_page: OpenPage) -> None:
    page = (await open_page()).page
    await page.select_option("#who", "stranger")

    await expect(page.locator("#channel-lobby")).to_have_attribute("aria-current", "page")
    await expect(page.locator("#messages .tile img")).to_be_in_viewport()


async def test_slash_typed_anywhere_opens_commands(member: PageDriver) -> None:
    page, field = member.page, member.page.locator("#message-input")
    await page.locator("#toggle-theme").focus()
    await page.keyboard.type("/he")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("/he")
    await expect(page.locator("#command-picker [role=option]").filter(has_text="/help")).to_be_visible()

    await page.fill("#message-input", "half a sentence")
    await page.locator("#toggle-theme").focus()
    await page.keyboard.press("/")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("half a sentence")
    await page.keyboard.press("/")
    await expect(field).to_have_value("half a sentence/")

    await page.fill("#message-input", "/imagine a kept prompt")
    await page.locator("#toggle-theme").focus()
    await page.keyboard.press("/")
    await expect(page.locator("#option-prompt")).to_be_focused()
    await expect(page.locator("#option-prompt")).to_have_value("a kept prompt")


async def test_send_button_runs_typed_command(member: PageDriver) -> None:
    await member.send("/help")

    answer = member.page.locator("#messages > li.message[data-ephemeral]")
    await expect(answer).to_contain_text("Member used /help")
    await expect(member.page.locator("#message-input")).to_have_value("")


async def test_send_button_asks_for_missing_option(member: PageDriver) -> None:
    await member.send("/imagine")

    await expect(member.page.locator("#option-prompt")).to_be_focused()
    await expect(member.page.locator("#pending > li")).to_have_count(0)


async def test_sent_command_and_message_scroll_into_view(sandbox: Sandbox, member: PageDriver) -> None:
    page = member.page
    for number in range(40):
        await sandbox.discord.actor("member-two").say(f"line {number}\n\nand more")
    for line, shown in (("/imagine prompt:far below the fold", "far below the fold"), ("my own words", "my own words")):
        await expect(member.messages.last).to_be_in_viewport()
        await page.hover("#messages")
        await page.mouse.wheel(0, -2_000)
        await expect(page.locator("#jump")).to_be_visible()
        await member.send(line)

        await expect(member.card(shown)).to_be_in_viewport()
        await expect(page.locator("#jump")).to_be_hidden()


async def test_layout_that_moves_the_view_up_keeps_newest_message_in_view(sandbox: Sandbox, member: PageDriver) -> None:
    page = member.page
    for number in range(20):
        await sandbox.discord.actor("member-two").say(f"row {number}\n\nand more")
    await expect(member.card("row 19")).to_be_in_viewport()
    await page.evaluate("""async () => {
        const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        document.querySelector("#scroller").scrollTop -= 300;
        await frames();
        document.querySelector("#messages").lastElementChild.style.paddingBottom = "900px";
        await frames();
    }""")

    await expect(page.locator("#jump")).to_be_hidden()
    beyond = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)"
    assert await page.evaluate(f"{beyond}(document.querySelector('#scroller'))") < 80
