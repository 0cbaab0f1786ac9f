"""Pictures, handles and amounts are found in answers, and what cannot be used is left out."""

import pytest

from bot.providers.parsing import cost_of, handle_of, image_urls

A, B = "https://cdn.example/a.png", "https://cdn.example/b.png"


@pytest.mark.parametrize(
    "result",
    [
        [A, B, A],
        [{"url": A}, {"url": B}],
        {"images": [{"url": A}], "generated_images": [A, B]},
        {"resultUrls": [A, B, None, 7, "", "not an address", "ftp://x/y", "https://", "http://[", {"uri": A}]},
    ],
)
def test_addresses_are_found_once_and_in_order(result: object) -> None:
    """Lists of strings and of objects, bare or named; duplicates and nonsense are dropped."""
    assert image_urls(result) == (A, B)


@pytest.mark.parametrize("result", [None, "https://cdn.example/a.png", 5, {}, {"images": "x"}, []])
def test_what_is_no_result_has_no_pictures(result: object) -> None:
    """Anything else gives nothing."""
    assert image_urls(result) == ()


@pytest.mark.parametrize(
    ("value", "handle"),
    [
        ("c546", "c546"),
        (" c546 ", "c546"),
        (77, "77"),
        (True, None),
        ("", None),
        (".", None),
        ("..", None),
        ("a\nb", None),
        ("ü", None),
        ("x" * 201, None),
        (None, None),
    ],
)
def test_a_handle_is_a_short_plain_name(value: object, handle: str | None) -> None:
    """What could not stand in an address, or would change its path, is no handle."""
    assert handle_of(value) == handle


@pytest.mark.parametrize(
    ("value", "cost"),
    [(12, 12), (12.0, 12), (12.2, 13), (0, 0), (-1, None), (True, None), ("12", None), (float("nan"), None)],
)
def test_a_cost_is_whole_units(value: object, cost: int | None) -> None:
    """A part of a unit counts as one."""
    assert cost_of(value) == cost
