"""Odd answers of ComfyUI about its queue and its history."""

from typing import Any

import pytest

from bot.providers.comfyui.history import (
    OutputImage,
    Queue,
    find_entry,
    has_failed,
    messages,
    output_images,
    parse_queue,
)

PICTURE = {"filename": "a.png", "subfolder": "b", "type": "output"}


def queue_of(pending: list[Any], running: Any = ()) -> Queue | None:
    """Return the parsed queue of these entries."""
    return parse_queue({"queue_running": list(running), "queue_pending": pending})


def test_places_follow_the_numbers_and_odd_entries_have_none() -> None:
    pending = [[5, "c"], [-1, "a"], [2.5, "b", {}, {}, []], [2], "x", None, ["x", "y"], [1, ["z"]], [7, "a"]]
    queue = queue_of(pending, [[0, "r", {}], {}, [1]])

    assert queue == Queue(running=frozenset({"r"}), pending={"a": 1, "b": 2, "c": 3})
    assert [each in queue for each in ("r", "a", "y")] == [True, True, False]


@pytest.mark.parametrize(
    "document", [None, [], 5, {}, {"queue_running": []}, {"queue_running": {}, "queue_pending": []}]
)
def test_other_documents_are_no_queue(document: object) -> None:
    assert parse_queue(document) is None


@pytest.mark.parametrize("document", [None, [], {}, {"b": {}}, {"a": None}, {"a": []}])
def test_other_documents_have_no_entry(document: object) -> None:
    assert find_entry(document, "a") is None


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"outputs": None},
        {"outputs": []},
        {"outputs": {"9": None, "8": [], "7": {"images": None}, "6": {"images": {}}}},
        {"outputs": {"9": {"images": [None, [], "a.png", {}, {"filename": "a.png"}]}}},
        *(
            {"outputs": {"9": {"images": [PICTURE | changed]}}}
            for changed in (
                {"type": "temp"},
                {"type": ["output"]},
                {"filename": 5},
                {"filename": ""},
                {"filename": "a\nb"},
                {"filename": "a" * 1001},
                {"subfolder": None},
            )
        ),
    ],
)
def test_odd_outputs_have_no_pictures(entry: dict[str, Any]) -> None:
    assert output_images(entry) == []


def test_pictures_are_listed_once_in_their_order() -> None:
    other = PICTURE | {"filename": "b.png"}
    entry = {"outputs": {"9": {"images": [PICTURE, other]}, "8": {"images": [PICTURE], "text": ["x"]}}}

    assert output_images(entry) == [
        OutputImage(filename="a.png", subfolder="b"),
        OutputImage(filename="b.png", subfolder="b"),
    ]


def test_odd_messages_are_left_out() -> None:
    listed = [["a", {"b": 1}], ["c", None], ["d"], [5, {}], "e", None, {"f": 1}]

    assert messages({"status": {"messages": listed}}) == {"a": {"b": 1}, "c": {}}
    others: tuple[dict[str, Any], ...] = ({}, {"status": []}, {"status": {"messages": 5}})
    assert list(map(messages, others)) == [{}, {}, {}]


def test_only_an_error_is_a_failure() -> None:
    assert has_failed({"status": {"status_str": "error"}})
    others: tuple[dict[str, Any], ...] = ({}, {"status": None}, {"status": {"status_str": "success"}})
    assert not any(map(has_failed, others))
