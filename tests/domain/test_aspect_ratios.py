"""The ratio of a request that keeps the form of its picture."""

from dataclasses import replace

import pytest

from bot.domain.aspect_ratios import with_input_ratio
from bot.domain.images import ImageFile, InputImage
from bot.domain.options import nearest_ratio
from tests.support.factories import make_request

BOTH = ("skillboss", "reve2img")


def make_image(width: int, height: int) -> InputImage:
    """Return a picture that is in the store."""
    return InputImage(file=ImageFile(sha256="0" * 64, media_type="image/png", width=width, height=height, size=9))


def test_it_is_that_of_the_first_picture() -> None:
    """The rest of the request stays."""
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
def test_else_it_stays(request_: object) -> None:
    """Where it was chosen, and as long as nothing is known of the picture."""
    assert with_input_ratio(request_, BOTH) is request_  # type: ignore[arg-type]


def test_it_stays_where_no_provider_would_do_another() -> None:
    """A job that was accepted is not made impossible: SkillBoss edits nothing, so it has no ratio for it."""
    request = make_request(aspect_ratio="3:2", inputs=(make_image(300, 400),), keep_aspect_ratio=True)
    assert with_input_ratio(request, ("skillboss",)) is request


def test_the_nearest_of_some() -> None:
    """Turned pictures have turned ratios, and what is beyond all of them has the last."""
    assert [nearest_ratio(*sides, ("16:9", "1:1", "9:16")) for sides in ((3, 2), (4, 5), (1, 9))] == [
        "16:9",
        "1:1",
        "9:16",
    ]
