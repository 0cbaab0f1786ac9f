"""A channel with 500 messages and changing job cards."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from sandbox.discord import DiscordServer, Message, default_world
from sandbox.discord.encoding import Json
from sandbox.discord.entities import COMPONENTS_V2
from sandbox.discord.messages import MessageForm
from sandbox.web import Page
from tests.browser.page_driver import PageDriver

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESSAGES, RUNNING = 500, 10
WATCH = """() => {
    window.touched = new Set();
    window.made = 0;
    const note = (record) => {
        const node = record.target.nodeType === Node.ELEMENT_NODE ? record.target : record.target.parentElement;
        window.touched.add(node.closest(".message")?.id ?? node.id);
        window.made += record.addedNodes.length;
    };
    new MutationObserver((records) => records.forEach(note)).observe(document.querySelector("#messages"),
        { childList: true, subtree: true, attributes: true, characterData: true });
}"""


def card(number: int, line: str) -> Json:
    """Return a job's card."""
    texts = [f"## picture {number}", "-# reve-2.0 · 1:1 · 1 picture", line]
    button = {"type": 2, "style": 2, "label": "Cancel", "custom_id": f"a1:cancel:{number}"}
    inner: list[Json] = [{"type": 10, "content": text} for text in texts]
    return {
        "flags": COMPONENTS_V2,
        "components": [{"type": 17, "components": [*inner, {"type": 1, "components": [button]}]}],
    }


class BusyChannel:
    """A fake Discord with messages; `jobs` are the changing cards."""

    def __init__(self) -> None:
        self.server = DiscordServer(default_world(token="nobody connects"))
        self.page = Page(self.server)
        self.page.mount()
        world, self.jobs = self.server.world, list[Message]()
        channel, bot = world.channel("general"), world.bot.id
        people = [world.user("member").id, world.user("member-two").id]
        for number in range(MESSAGES):
            if number % (MESSAGES // RUNNING) == MESSAGES // RUNNING - 1:
                form = MessageForm(payload=card(len(self.jobs), "In line, 3rd"))
                self.jobs.append(self.server.messages.create(channel, bot, form))
            else:
                form = MessageForm(payload={"content": f"message {number} " + "of many words " * (number % 7)})
                self.server.messages.create(channel, people[number // 3 % 2], form)

    def change(self, job: Message, line: str) -> None:
        """Edit a card as the bot does."""
        self.server.messages.edit(job, MessageForm(payload=card(self.jobs.index(job), line)))


@pytest_asyncio.fixture(loop_scope="module")
async def busy_channel() -> AsyncIterator[BusyChannel]:
    """Yield the served channel."""
    busy_channel = BusyChannel()
    await busy_channel.server.start()
    yield busy_channel
    await busy_channel.server.close()


@pytest_asyncio.fixture(loop_scope="module")
async def driver(chromium: Browser, busy_channel: BusyChannel) -> AsyncIterator[PageDriver]:
    """Yield the page of the channel as the member."""
    driver = await PageDriver.open(chromium, busy_channel.page.url)
    yield driver
    await driver.close()


async def test_message_edit_changes_only_its_node(busy_channel: BusyChannel, driver: PageDriver) -> None:
    await expect(driver.messages).to_have_count(MESSAGES)
    page, job = driver.page, busy_channel.jobs[-1]
    await page.focus("#message-input")
    await page.keyboard.type("half a sen")
    await page.evaluate(WATCH)
    busy_channel.change(job, "Drawing · 40 %")
    changed = page.locator(f"#message-{job.id}")
    await expect(changed).to_contain_text("Drawing · 40 %")
    await page.keyboard.type("tence")

    assert await page.evaluate("[...window.touched]") == [f"message-{job.id}"]
    assert await page.evaluate("window.made") == 0
    assert await changed.get_attribute("tabindex") == "0"  # the last message is the one that the tab key reaches
    await expect(page.locator("#message-input")).to_be_focused()
    await expect(page.locator("#message-input")).to_have_value("half a sentence")


async def test_simultaneous_edits_keep_nodes_and_newest_message_visible(
    busy_channel: BusyChannel, driver: PageDriver
) -> None:
    page = driver.page
    ids = [f"message-{job.id}" for job in busy_channel.jobs]
    await page.evaluate(f"window.kept = {json.dumps(ids)}.map((id) => document.getElementById(id))")
    await page.evaluate(WATCH)
    for percent in (10, 20, 30):
        for job in busy_channel.jobs:
            busy_channel.change(job, f"Drawing · {percent} %")
    await expect(page.locator(f"#{ids[-1]}")).to_contain_text("Drawing · 30 %")

    assert sorted(await page.evaluate("[...window.touched]")) == sorted(ids)
    assert await page.evaluate("window.kept.every((node) => node.isConnected)")
    await expect(driver.messages.last).to_be_in_viewport()


async def test_scrolled_up_view_stays_while_messages_change(busy_channel: BusyChannel, driver: PageDriver) -> None:
    page = driver.page
    await expect(driver.messages.last).to_be_in_viewport()
    await page.hover("#messages")
    await page.mouse.wheel(0, -2_000)
    await expect(page.locator("#jump")).to_be_visible()
    read = driver.card("message 450 ")
    await read.scroll_into_view_if_needed()
    await expect(read).to_be_in_viewport()
    busy_channel.change(busy_channel.jobs[-1], "Drawing\n\non\n\nseveral\n\nlines")
    await busy_channel.server.actor("member-two").say("the newest of all")
    await expect(driver.card("the newest of all")).to_have_count(1)

    await expect(read).to_be_in_viewport()
    await expect(page.locator("#jump")).to_contain_text("1 new")
    await busy_channel.server.actor("member-two").say("one more")
    await expect(page.locator("#jump")).to_contain_text("2 new")
    scroller, jump = await page.locator("#scroller").bounding_box(), await page.locator("#jump").bounding_box()
    assert scroller
    assert jump
    assert scroller["y"] + scroller["height"] <= jump["y"]  # it covers no button of a card
    await page.click("#jump")
    await expect(driver.card("one more")).to_be_in_viewport()
    await expect(page.locator("#jump")).to_be_hidden()
    await page.mouse.wheel(0, -2_000)
    await expect(page.locator("#jump")).to_have_text("Jump to the newest message")


async def test_first_message_by_home_key_becomes_visible(busy_channel: BusyChannel, driver: PageDriver) -> None:
    del busy_channel
    page = driver.page
    await driver.messages.last.focus()
    await page.keyboard.press("Home")
    await expect(driver.messages.first).to_be_focused()
    await expect(driver.messages.first).to_be_in_viewport()
