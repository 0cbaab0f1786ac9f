"""The pages of `/history`, letter for letter."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from unittest.mock import AsyncMock, Mock

import discord
import pytest
from discord import ui
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.errors import FaultKind, SearchGoneError
from bot.domain.jobs import Delivery, Job, State
from bot.domain.searches import Search
from bot.services.history import Direction, Page, Selection
from bot.ui.delivery.page_turns import PageTurns
from bot.ui.handlers.history import HistoryHandlers
from bot.ui.render.history_page import empty_page, has_search_line, history_page
from bot.ui.render.job_card import Attached
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_context, make_image, make_job, make_request
from tests.ui.view_reader import gallery, labels, parts, texts

MINE: Final = Selection(guild_id=GUILD, member_id=MEMBER)
SEARCH_ID: Final = "0190a5c2d3e47f8899aabbccddeeff01"
HEADING = "## \u2068a lighthouse at dusk\u2069\n-# reve-2.0 · 1:1 · 1 picture · for <@42>"
AGO = f"<t:{int(START.timestamp())}:R>"
LINK = "https://discord.com/channels/700/800/555"


def job(delivery: Delivery | None = Delivery.CARD, **changes: Any) -> Job:
    """Return a finished job."""
    made = make_job(
        place=make_context(message_id=555),
        state=State.DONE,
        charged=12,
        provider="skillboss",
        finished_at=START + timedelta(seconds=31),
        delivery=delivery,
    )
    return replace(made, **changes)


def page(of: Job, *, kept: int = 1, removed: int = 0, **changes: Any) -> Page:
    """Return a page in the middle."""
    pictures = tuple(make_image(of, position=number) for number in range(kept))
    return replace(
        Page(job=of, pictures=pictures, removed=removed, position=3, total=120, newer=True, older=True), **changes
    )


def shown(of: Page, *files: str) -> list[str]:
    """Return the texts of a page below its images."""
    return texts(history_page(of, [Attached(filename=name) for name in files]))[-1].splitlines()


def disabled(view: ui.LayoutView) -> list[bool]:
    """Return the disabled state of each paging button."""
    return [part["disabled"] for part in parts(view) if part["type"] == 2]


def test_page_shows_job() -> None:
    """Prompt, options, image, receipt with time, and delivery."""
    view = history_page(page(job()), [Attached(filename="atelier-1.png")])
    assert texts(view) == [
        HEADING,
        f"-# 3 of 120\n-# 12 credits charged · by SkillBoss · {AGO}\n-# Posted in {LINK}",
    ]
    assert gallery(view) == [("attachment://atelier-1.png", "a lighthouse at dusk")]
    assert labels(view) == ["Newer", "Older", "Overview", "Favourite"]
    assert disabled(view) == [False, False, False, False]


def test_page_of_erased_prompt_says_so() -> None:
    view = history_page(page(job(request=make_request(prompt=""))), [Attached(filename="atelier-1.png")])
    assert "Prompt removed" in texts(view)[0]
    assert gallery(view) == [("attachment://atelier-1.png", "Prompt removed")]


def test_page_at_end_disables_button() -> None:
    assert disabled(history_page(page(job(), newer=False))) == [True, False, False, False]
    assert disabled(history_page(page(job(), older=False))) == [False, True, False, False]


def test_page_with_cut_prompt_has_prompt_button() -> None:
    view = history_page(page(job(request=make_request(prompt="a fox " * 60))))
    assert labels(view) == ["Newer", "Older", "Overview", "Favourite", "Show prompt"]


WHEREABOUTS = {
    Delivery.CARD: f"-# Posted in {LINK}",
    Delivery.DIRECT: "-# Delivered by direct message: its card could not be reached",
    Delivery.HISTORY: "-# Delivered here alone: its card could not be reached",
    Delivery.NOWHERE: "-# Delivered here alone: its card could not be reached",
    None: f"-# On its way to its card · {LINK}",
}


@pytest.mark.parametrize("delivery", WHEREABOUTS)
def test_page_names_delivery(delivery: Delivery | None) -> None:
    """With a link to the card if it has the images."""
    assert shown(page(job(delivery)), "1.png")[-1] == WHEREABOUTS[delivery]


def test_page_without_message_or_server_has_no_link() -> None:
    """The link needs both."""
    assert shown(page(job(place=make_context())), "1.png")[-1] == "-# Posted on its card"
    place = make_context(guild_id=0, message_id=5)
    assert shown(page(job(place=place)), "1.png")[-1] == "-# Posted on its card"


def test_page_of_late_images_says_free() -> None:
    late = job(state=State.LOST, charged=0, fault=FaultKind.DEADLINE)
    assert shown(page(late), "1.png")[1:] == [
        f"-# Came late, so free: 12 credits returned · by SkillBoss · {AGO}",
        f"-# Its card ended without pictures · {LINK}",
    ]


def test_receipt_of_partial_result_shows_refund() -> None:
    few = job(request=make_request(images=2), price=24)
    assert shown(page(few), "1.png")[1] == f"-# 24 held · 12 charged · 12 returned · by SkillBoss · {AGO}"


def test_receipt_has_the_display_name_of_a_service() -> None:
    of = page(job(provider="together"))
    view = history_page(of, [Attached(filename="1.png")], provider_name={"together": "Together AI"}.__getitem__)
    assert f"-# 12 credits charged · by Together AI · {AGO}" in texts(view)[-1].splitlines()


OVER = "no longer kept here: the studio keeps pictures for a while only."


@pytest.mark.parametrize(
    ("of", "line"),
    [
        (page(job(), kept=0, removed=1), f"The picture is {OVER} The card may still have it."),
        (page(job(), kept=0, removed=3), f"The 3 pictures are {OVER} The card may still have them."),
        (page(job(), kept=1, removed=1), f"1 picture of 2 is {OVER} The card may still have it."),
        (
            page(job(Delivery.DIRECT), kept=0, removed=2),
            f"The 2 pictures are {OVER} Your direct messages may still have them.",
        ),
        (page(job(Delivery.HISTORY), kept=0, removed=1), f"The picture is {OVER}"),
    ],
    ids=["the only one", "all", "one of two", "direct", "only here"],
)
def test_page_of_removed_images_explains_retention(of: Page, line: str) -> None:
    """With the place where they may still be."""
    assert shown(of, *("1.png" for _ in of.pictures))[0] == line


def test_page_counts_unshown_images() -> None:
    """Too large for any limit, or missing in the store."""
    assert shown(page(job(), kept=2), "1.png")[0] == "1 picture could not be shown here."


def test_empty_page_names_next_step() -> None:
    assert texts(empty_page(None)) == [
        "## Nothing here yet\nMake your first picture with `/imagine`; it is kept here for a while."
    ]
    (nothing,) = texts(empty_page("*fox*"))
    assert nothing.splitlines()[0] == "## Nothing found"
    assert nothing.splitlines()[-1] == "-# Search: \u2068\\*fox\\*\u2069"


def received(view: ui.LayoutView) -> list[Any]:
    """Return a view's components as discord.py reads them off a message."""
    sent: list[Any] = view.to_components()  # type: ignore[no-untyped-call]
    return [discord.components._component_factory(component) for component in sent]


QUERIES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=100)


def stored(query: str) -> Search:
    """Return a search as it is stored."""
    return Search(id=SEARCH_ID, member_id=MEMBER, query=query, created_at=START)


def custom_ids(view: ui.LayoutView) -> list[str]:
    """Return the custom ids of a page's buttons."""
    return [part["custom_id"] for part in parts(view) if part["type"] == 2]


@given(QUERIES)
@example("a*b_c `x` ~~y~~ \u202e")
@example("a *bold* _fox_ [x](y) <@1> @everyone # -# `x` ~~y~~ ||z|| 1. \\ \\\\")
@example("\u2068fox\u2069")
@example("x" * 100)
def test_page_of_a_search_shows_it_and_carries_its_id(query: str) -> None:
    of = job()
    view = history_page(page(of, search=stored(query)))
    assert custom_ids(view)[:2] == [f"a1:newer:{of.id}:0:{SEARCH_ID}", f"a1:older:{of.id}:0:{SEARCH_ID}"]
    assert has_search_line(received(view))


@given(QUERIES)
@example("-# Search: fox")
def test_page_without_a_search_carries_no_id_and_no_search_line(prompt: str) -> None:
    of = job(request=make_request(prompt=prompt))
    view = history_page(page(of))
    assert custom_ids(view)[:2] == [f"a1:newer:{of.id}:0", f"a1:older:{of.id}:0"]
    assert not has_search_line(received(view))


def turner(found: Search | None = None) -> tuple[HistoryHandlers, Mock]:
    """Return handlers over a fake service with this search, and that service."""
    service = Mock(turn=AsyncMock(return_value=None), get_search=AsyncMock(return_value=found))
    if found is None:
        service.get_search.side_effect = SearchGoneError
    return HistoryHandlers(
        history=service, images=Mock(), actions=(), prices=AsyncMock(return_value={}), page_turns=PageTurns()
    ), service


def press(view: ui.LayoutView, custom_id: str) -> Any:
    """Return the press of a button on a page."""
    interaction = Mock(guild_id=GUILD, user=Mock(id=MEMBER), data={"custom_id": custom_id})
    interaction.message.components = received(view)
    interaction.response.defer = AsyncMock()
    interaction.edit_original_response = AsyncMock()
    return interaction


async def test_press_with_a_search_id_turns_within_that_search() -> None:
    search = stored("a fox")
    handlers, service = turner(search)
    view = history_page(page(job(), search=search))
    await handlers.show_older(press(view, custom_ids(view)[1]), "1" * 32)
    service.get_search.assert_awaited_once_with(SEARCH_ID, MEMBER)
    service.turn.assert_awaited_once_with(replace(MINE, search=search), "1" * 32, Direction.OLDER)


async def test_press_with_a_purged_search_raises_search_gone() -> None:
    handlers, service = turner()
    view = history_page(page(job(), search=stored("a fox")))
    with pytest.raises(SearchGoneError):
        await handlers.show_newer(press(view, custom_ids(view)[0]), "1" * 32)
    service.turn.assert_not_awaited()


async def test_press_on_a_page_from_before_stored_searches_raises_search_gone() -> None:
    """Such a page shows a search but has no id.

    Paging on would silently leave the search.
    """
    handlers, service = turner()
    view = history_page(page(job(), search=stored("a fox")))
    with pytest.raises(SearchGoneError):
        await handlers.show_older(press(view, f"a1:older:{'1' * 32}:0"), "1" * 32)
    service.turn.assert_not_awaited()


async def test_press_on_an_old_page_without_a_search_turns_it() -> None:
    handlers, service = turner()
    view = history_page(page(job()))
    await handlers.show_newer(press(view, f"a1:newer:{'1' * 32}:0"), "1" * 32)
    service.turn.assert_awaited_once_with(MINE, "1" * 32, Direction.NEWER)
