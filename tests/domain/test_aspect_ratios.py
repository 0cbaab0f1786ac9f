"""Aspect ratios of edits without a chosen ratio, and of delivered images."""

from dataclasses import replace

import pytest

from bot.domain.aspect_ratios import has_ratio, with_input_ratio
from bot.domain.images import ImageFile, InputImage
from bot.domain.options import nearest_ratio
from tests.support.catalogue import BOTH, SKILLBOSS
from tests.support.factories import make_request


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
    assert with_input_ratio(request, SKILLBOSS) is request


def test_nearest_ratio_returns_the_closest_of_the_given_ones() -> None:
    assert [nearest_ratio(*sides, ("16:9", "1:1", "9:16")) for sides in ((3, 2), (4, 5), (1, 9))] == [
        "16:9",
        "1:1",
        "9:16",
    ]


@pytest.mark.parametrize(
    ("size", "ratio", "expected"),
    [
        ((1792, 1024), "16:9", True),  # SkillBoss's own size
        ((1024, 1792), "9:16", True),
        ((1248, 832), "3:2", True),
        ((1024, 1024), "16:9", False),
        ((1024, 1792), "16:9", False),
        ((1152, 864), "3:2", False),  # 4:3
        ((1024, 1792), "auto", True),
        ((1, 1), "16:9", True),  # fitted to a pixel
        ((16, 9), "16:9", True),
        ((9, 16), "16:9", False),
    ],
)
def test_size_is_compared_with_asked_ratio(size: tuple[int, int], ratio: str, *, expected: bool) -> None:
    assert has_ratio(*size, ratio) is expected
