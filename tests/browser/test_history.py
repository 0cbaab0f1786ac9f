"""The overview of `/history` and the page of a job, in the page."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_driver import PageDriver

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = 390
OUTSIDE = """(message) => [...message.querySelectorAll("*")]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth + 0.5)
    .map((each) => each.className)"""
LOW = """(message) => [...message.querySelectorAll(".button, .select")]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 43.5)
    .map((each) => each.textContent)"""


async def draw(driver: PageDriver, *prompts: str) -> None:
    """Make a picture for each prompt."""
    for prompt in prompts:
        await driver.send(f"/imagine prompt:{prompt}")
        await expect(driver.card(prompt).last.locator(".tile img")).to_have_count(1)


async def open_entry(driver: PageDriver, overview: Locator, name: str) -> None:
    """Open a picture by the menu of an overview."""
    await overview.get_by_role("combobox").click()
    await driver.page.get_by_role("option", name=name).click()


@pytest.mark.parametrize("width", [PHONE, 1440])
async def test_overview_leads_to_a_page_and_back(open_page: OpenPage, width: int) -> None:
    driver = await open_page(width=width)
    prompts = [f"{animal} of {width} pixels" for animal in ("heron", "otter", "badger")]
    await draw(driver, *prompts)
    await driver.send("/history ")
    history = driver.messages.last
    await expect(history).to_contain_text("Your pictures")
    tiles = history.locator(".tile img")
    await expect(tiles).to_have_count(3 if width == PHONE else 6)
    await expect(tiles.first).to_have_attribute("alt", f"1 · {prompts[-1]}")
    assert await history.evaluate(OUTSIDE) == []
    if width == PHONE:
        assert await history.evaluate(LOW) == []

    await open_entry(driver, history, f"2 · {prompts[1]}")
    await expect(history).to_contain_text(f"2 of {3 if width == PHONE else 6}")
    await expect(history).to_contain_text(prompts[1])
    await expect(history.locator(".tile img")).to_have_count(1)
    assert await history.evaluate(OUTSIDE) == []
    if width == PHONE:
        assert await history.evaluate(LOW) == []

    await driver.button(history, "Favourite").click()
    await expect(driver.button(history, "Unfavourite")).to_be_visible()
    await driver.button(history, "Overview").click()
    await driver.button(history, "Favourites").click()
    await expect(history).to_contain_text("Your favourites")
    await expect(history.locator(".tile img")).to_have_count(1 if width == PHONE else 2)


async def test_card_becomes_favourite_in_its_menu(open_page: OpenPage) -> None:
    driver = await open_page(width=PHONE)
    await draw(driver, "a lynx among birches")
    card = driver.card("a lynx among birches").last
    await card.get_by_role("combobox").click()
    await driver.page.get_by_role("option", name="Favourite").click()
    await expect(driver.messages.last).to_contain_text("A favourite now: find it in /history under Favourites.")
