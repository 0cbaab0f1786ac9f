"""Aspect ratios of edits without a chosen ratio."""

from dataclasses import replace

import pytest

from bot.domain.aspect_ratios import with_input_ratio
from bot.domain.images import ImageFile, InputImage
from bot.domain.options import nearest_ratio
from tests.support.factories import make_request

BOTH = ("skillboss", "reve2img")


def make_image(width: int, height: int) -> InputImage:
    """Return an input image in the store."""
    return InputImage(file=ImageFile(sha256="0" * 64, media_type="image/png", width=width, height=height, size=9))


def test_ratio_of_first_input_replaces_the_estimate() -> None:
    request = make_request(
        aspect_ratio="3:2", detail=3, inputs=(make_image(300, 400), make_image(400, 300)), keep_aspect_ratio=True
    )
    assert with_input_ratio(request, BOTH) == replace(request, aspect_ratio="3:4")


@pytest.mark.parametrize(
    "request_",
    [
        make_request(aspect_ratio="3:2", inputs=(make_image(300, 400),)),
        make_request(aspect_ratio="3:2", inputs=(InputImage(url="https://cdn.example/a.png"),), keep_aspect_ratio=True),
        make_request(aspect_ratio="3:2", keep_aspect_ratio=True),
    ],
    ids=["chosen", "not-here", "text"],
)
def test_ratio_stays_if_chosen_or_input_unknown(request_: object) -> None:
    assert with_input_ratio(request_, BOTH) is request_  # type: ignore[arg-type]


def test_ratio_stays_if_no_provider_can_do_another() -> None:
    request = make_request(aspect_ratio="3:2", inputs=(make_image(300, 400),), keep_aspect_ratio=True)
    assert with_input_ratio(request, ("skillboss",)) is request


def test_nearest_ratio_returns_the_closest_of_the_given_ones() -> None:
    assert [nearest_ratio(*sides, ("16:9", "1:1", "9:16")) for sides in ((3, 2), (4, 5), (1, 9))] == [
        "16:9",
        "1:1",
        "9:16",
    ]
