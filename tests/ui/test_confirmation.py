"""Questions before an expensive request and before a deletion."""

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.confirmations import Confirmation
from bot.domain.jobs import State
from bot.ui.render.confirmation import EditedPicture, delete_question, deleted_note, question_card
from tests.support.clock import START
from tests.support.factories import GUILD, MEMBER, make_id, make_job, make_request
from tests.ui.view_reader import parts, texts


def a_draft(**changes: Any) -> Confirmation:
    """Return a confirmation of 96 credits."""
    values: dict[str, Any] = {
        "id": make_id(),
        "guild_id": GUILD,
        "member_id": MEMBER,
        "request": make_request(images=4, detail=2),
        "price": 96,
        "private": False,
        "created_at": START,
    }
    return Confirmation(**(values | changes))


@pytest.mark.parametrize(
    ("usual", "words"),
    [
        (None, "This takes 96 credits."),
        ((25, 40), "This takes 96 credits; usually 25-40 s."),
        ((150, 400), "This takes 96 credits; usually 2-7 min."),
    ],
)
def test_confirmation_shows_price_and_time(usual: tuple[int, int] | None, words: str) -> None:
    """Median and 90th percentile, if measured."""
    heading, said = texts(question_card(a_draft(), usual))
    assert heading.splitlines()[1] == "-# reve-2.0 · 1:1 · 4 pictures · detail 2 · for <@42>"
    assert said == words


def test_confirmation_with_risen_price_says_so() -> None:
    _, said = texts(question_card(a_draft(), None, dearer_than_asked=True))
    assert said == "The price has changed since it was shown.\nThis takes 96 credits."


def test_confirmation_buttons_carry_id() -> None:
    """The button repeats the price; both work after a restart."""
    draft = a_draft()
    buttons = [part for part in parts(question_card(draft, None)) if part["type"] == 2]
    assert [(each["label"], each["custom_id"]) for each in buttons] == [
        ("Generate · 96 credits", f"a1:confirm:{draft.id}:0:96"),
        ("Cancel", f"a1:decline:{draft.id}:0"),
    ]


def test_delete_question_names_loss() -> None:
    """Images, if any; no refund."""
    with_pictures = make_job(state=State.DONE, charged=12, finished_at=START + timedelta(seconds=30))
    assert texts(delete_question(with_pictures))[1] == (
        "Delete this? Its pictures go for good: here, in `/history` and in the showcase."
        " What was made from them stays.\n"
        "-# Credits that were charged stay charged."
    )
    without = make_job(state=State.FAILED, charged=0, finished_at=START)
    assert texts(delete_question(without))[1].startswith("Delete this? Its card goes for good.")


def test_deleted_note_for_unreachable_card_says_so() -> None:
    """With the next step."""
    assert texts(deleted_note(card_gone=True)) == ["Deleted."]
    assert texts(deleted_note(card_gone=False)) == [
        "Deleted. Its message cannot be reached any more: dismiss or delete it yourself."
    ]


def test_edit_question_offers_each_picture_and_marks_the_chosen_one() -> None:
    edited = EditedPicture(link="https://discord.com/channels/1/2/3", positions=(0, 1, 3), chosen=1)
    card = question_card(a_draft(), None, edited=edited)
    picks = [each for each in parts(card) if ":pick:" in each.get("custom_id", "")]
    assert [(each["label"], each["custom_id"][-1], each["style"]) for each in picks] == [
        ("Picture 1", "0", 2),
        ("Picture 2", "1", 3),
        ("Picture 4", "3", 2),
    ]
    assert "Starts from https://discord.com/channels/1/2/3." in texts(card)[1]
    assert "Only you" not in texts(card)[1]
    assert "left" not in texts(card)[1]


@pytest.mark.parametrize(
    ("count", "places"),
    [(1, None), (2, "1 left · 2 right"), (3, "1 left · 2 top right · 3 bottom right"), (4, "1, 2 above · 3, 4 below")],
)
def test_edit_question_for_several_pictures_says_places(count: int, places: str | None) -> None:
    edited = EditedPicture(link="https://discord.com/channels/1/2/3", positions=range(count))
    said = texts(question_card(a_draft(), None, edited=edited))[1].split("\n-# ")
    assert said[2:] == ([] if places is None else [places])
