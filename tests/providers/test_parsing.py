"""Images, handles and costs in answers; unusable values are left out."""

import base64
from decimal import Decimal

import pytest

from bot.providers.inline_images import decode
from bot.providers.parsing import MOST_IMAGES, amount_of, error_code, handle_of, image_urls

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
def test_image_addresses_are_unique_and_ordered(result: object) -> None:
    """Lists of strings or objects, bare or named, without duplicates."""
    assert image_urls(result) == (A, B)


def test_images_beyond_any_request_are_left_out() -> None:
    many = [f"https://cdn.example/{number}.png" for number in range(50_000)]

    assert image_urls(many) == tuple(many[:MOST_IMAGES])
    assert image_urls(["https://cdn.example/" + "a" * 10_000, A]) == (A,)


async def test_inline_images_beyond_any_request_are_left_out() -> None:
    texts = [base64.b64encode(b"%d" % number).decode() for number in range(100)]

    assert await decode([None, *texts]) == tuple(b"%d" % number for number in range(MOST_IMAGES))


@pytest.mark.parametrize("result", [None, "https://cdn.example/a.png", 5, {}, {"images": "x"}, []])
def test_other_result_has_no_images(result: object) -> None:
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
def test_handle_is_short_plain_name(value: object, handle: str | None) -> None:
    """It must fit an address without changing its path."""
    assert handle_of(value) == handle


@pytest.mark.parametrize(
    ("value", "cost"),
    [
        (12, Decimal(12)),
        (12.0, Decimal(12)),
        (0.0336, Decimal("0.0336")),
        (0, Decimal(0)),
        (-1, None),
        (True, None),
        ("12", None),
        (float("nan"), None),
    ],
)
def test_amount_is_exact(value: object, cost: Decimal | None) -> None:
    assert amount_of(value) == cost


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (402, 402),
        ("402", 402),
        (400, 400),
        (599, 599),
        (399, None),
        (600, None),
        ("0402", None),
        (" 402", None),
        ("\N{FULLWIDTH DIGIT FOUR}02", None),
        ("4" * 5_000, None),
        (402.0, None),
        (True, None),
        (None, None),
        ("", None),
    ],
)
def test_error_code_is_status_of_error(value: object, code: int | None) -> None:
    assert error_code(value) == code
