"""The ratio of a request that keeps the form of its picture."""

from dataclasses import replace

import pytest

from bot.domain.ratios import formed, nearest_ratio
from bot.domain.requests import InputPicture, PictureFile
from tests.support.factories import a_request

BOTH = ("skillboss", "reve2img")


def a_picture(width: int, height: int) -> InputPicture:
    """Return a picture that is in the store."""
    return InputPicture(file=PictureFile(sha256="0" * 64, media_type="image/png", width=width, height=height, size=9))


def test_it_is_that_of_the_first_picture() -> None:
    """The rest of the request stays."""
    request = a_request(
        aspect_ratio="3:2", detail=3, inputs=(a_picture(300, 400), a_picture(400, 300)), keeps_form=True
    )
    assert formed(request, BOTH) == replace(request, aspect_ratio="3:4")


@pytest.mark.parametrize(
    "request_",
    [
        a_request(aspect_ratio="3:2", inputs=(a_picture(300, 400),)),
        a_request(aspect_ratio="3:2", inputs=(InputPicture(url="https://cdn.example/a.png"),), keeps_form=True),
        a_request(aspect_ratio="3:2", keeps_form=True),
    ],
    ids=["chosen", "not-here", "text"],
)
def test_else_it_stays(request_: object) -> None:
    """Where it was chosen, and as long as nothing is known of the picture."""
    assert formed(request_, BOTH) is request_  # type: ignore[arg-type]


def test_it_stays_where_no_provider_would_do_another() -> None:
    """A job that was accepted is not made impossible: SkillBoss edits nothing, so it has no ratio for it."""
    request = a_request(aspect_ratio="3:2", inputs=(a_picture(300, 400),), keeps_form=True)
    assert formed(request, ("skillboss",)) is request


def test_the_nearest_of_some() -> None:
    """Turned pictures have turned ratios, and what is beyond all of them has the last."""
    assert [nearest_ratio(*sides, ("16:9", "1:1", "9:16")) for sides in ((3, 2), (4, 5), (1, 9))] == [
        "16:9",
        "1:1",
        "9:16",
    ]
