"""Aspect ratios of edits without a chosen ratio, and of delivered images."""

from dataclasses import replace

import pytest

from bot.domain.aspect_ratios import has_ratio, with_input_ratio
from bot.domain.images import ImageFile, InputImage
from bot.domain.options import RATIOS, nearest_ratio
from tests.support.catalogue import BOTH, SKILLBOSS, catalogue_with
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


@pytest.mark.parametrize(("sides", "ratio"), [((2100, 900), "21:9"), ((1250, 1000), "5:4"), ((400, 1600), "9:16")])
def test_input_ratio_is_the_nearest_that_the_model_has(sides: tuple[int, int], ratio: str) -> None:
    catalogue = catalogue_with("seedream-5", aspect_ratio=("21:9", "5:4", "1:1", "9:16"))
    request = make_request(model="seedream-5", inputs=(make_image(*sides),), keep_aspect_ratio=True)
    assert with_input_ratio(request, catalogue).aspect_ratio == ratio


def test_neighbouring_ratios_are_told_apart() -> None:
    named = [ratio for ratio in RATIOS if ":" in ratio]
    for ratio in named:
        width, height = map(int, ratio.split(":"))
        assert [each for each in named if has_ratio(width * 100, height * 100, each)] == [ratio]
