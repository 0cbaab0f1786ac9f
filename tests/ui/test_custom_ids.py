"""Custom ids are permanent: each issued form is answered for ever."""

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

import bot.ui
from bot.container import Container
from bot.settings import Settings
from bot.ui.buttons import (
    BUTTONS,
    CUSTOM_ID,
    MENU,
    NEWER,
    OLDER,
    OPEN,
    PICTURE_REMIX,
    ButtonSpec,
    MenuEntry,
    card_menu,
    custom_id,
)
from bot.ui.handlers.component_registry import ComponentRegistry
from db.database import Database

ISSUED = (Path(__file__).parent / "issued_custom_ids.txt").read_text().split()
ISSUED_FORMS = (Path(__file__).parent / "issued_form_ids.txt").read_text().split()
ID = "0190a5c2d3e47f8899aabbccddeeff00"
SEARCH_ID = "0190a5c2d3e47f8899aabbccddeeff01"
SOURCES = Path(bot.ui.__file__).parent
# Fields of forms, which Discord sends back with their form.
FORMS = ("rule_forms", "modals", "edit_menu", "remix_forms", "setup_forms", "share_form")


def action_of(form: str) -> str:
    """Return version and action of a custom id."""
    match = CUSTOM_ID.fullmatch(form)
    assert match is not None
    return match["action"]


@pytest.fixture
async def components(sqlite_database: Database) -> AsyncIterator[ComponentRegistry]:
    """Yield the registry of a client with every cog loaded."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503))) as http:
        container = Container(Settings(shard_count=1), database=sqlite_database, http=http)
        await container.install()
        yield container.client.components
        await container.close()


@pytest.mark.parametrize("form", ISSUED)
async def test_every_issued_custom_id_has_a_handler(form: str, components: ComponentRegistry) -> None:
    assert action_of(form) in components.actions


async def test_every_registered_action_is_listed(components: ComponentRegistry) -> None:
    assert components.actions == {action_of(form) for form in ISSUED}
    assert components.forms == {action_of(form) for form in ISSUED_FORMS}


@pytest.mark.parametrize("button", BUTTONS, ids=lambda button: button.action)
def test_every_button_form_is_listed(button: ButtonSpec) -> None:
    """New forms are added to the file; none is removed."""
    assert button.build(ID).custom_id in ISSUED


@pytest.mark.parametrize("button", [NEWER, OLDER], ids=lambda button: button.action)
def test_paging_form_of_a_search_is_listed(button: ButtonSpec) -> None:
    assert button.build(ID, search_id=SEARCH_ID).custom_id in ISSUED


@pytest.mark.parametrize("button", PICTURE_REMIX.values(), ids=lambda button: button.action)
def test_priced_form_of_a_picture_is_listed(button: ButtonSpec) -> None:
    listed = [form for form in ISSUED if action_of(form) == button.action]
    prices = [int(match["price"]) for form in listed if (match := CUSTOM_ID.fullmatch(form)) and match["price"]]
    assert button.build(ID, picture=2, price=prices[0]).custom_id in listed


@pytest.mark.parametrize("action", ["newer", "older", "grid", "gridnewer", "gridolder", OPEN, "star", "unstar"])
def test_form_among_found_favourites_is_listed(action: str) -> None:
    assert custom_id(action, ID, 1, search_id=SEARCH_ID) in ISSUED


def test_menu_form_is_listed() -> None:
    assert card_menu(ID, list(MenuEntry)).custom_id == custom_id(MENU, ID)
    assert custom_id(MENU, ID) in ISSUED


def test_every_custom_id_is_made_by_custom_id() -> None:
    """Fields of forms are exempt."""
    for source in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "custom_id" and source.stem not in FORMS:
                assert isinstance(node.value, ast.Call | ast.Name), source


@pytest.mark.parametrize(
    "form",
    [
        "a1:cancel:0190a5c2d3e47f8899aabbccddeeff00",
        "a1:cancel:0190a5c2d3e47f8899aabbccddeeff0:0",
        "a1:cancel:0190A5C2D3E47F8899AABBCCDDEEFF00:0",
        "xa1:cancel:0190a5c2d3e47f8899aabbccddeeff00:0",
        "a1:cancel:0190a5c2d3e47f8899aabbccddeeff00:0\n",
        "a1:older:0190a5c2d3e47f8899aabbccddeeff00:0:",
        "a1:older:0190a5c2d3e47f8899aabbccddeeff00:0:0190a5c2d3e47f8899aabbccddeeff0",
        "a2:cancel:0190a5c2d3e47f8899aabbccddeeff00:0",
    ],
)
def test_unissued_custom_id_is_not_answered(form: str) -> None:
    assert CUSTOM_ID.fullmatch(form) is None


def test_custom_ids_fit_discord_limit() -> None:
    """Discord allows 100 characters."""
    assert len(custom_id("reference", "f" * 32, 99, search_id="f" * 32)) <= 100
