"""Which pictures can be started from, judged by what Discord says of them: nothing is fetched for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.attachments import MAX_BYTES, SERVED, AttachmentInfo, InputPolicy
from bot.domain.errors import InputError, InputProblem
from bot.domain.images import ImageFile, ImageRef, InputImage
from bot.domain.options import REVE_RATIOS

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
CDN = "https://cdn.discordapp.com/attachments/1/2/photo.png"
ALONE = InputPolicy(min_url_lifetime=timedelta(hours=2))
STORED = ImageFile(sha256="a" * 64, media_type="image/png", width=64, height=64, size=99)


def signed(address: str = CDN, *, hours: float = 24) -> str:
    """Return an address that is good for so many hours."""
    return f"{address}?ex={int((NOW + timedelta(hours=hours)).timestamp()):x}&is=65f2b0ad&hm=00&"


PHOTO = AttachmentInfo(url=signed(), filename="photo.png", media_type="image/png", size=123_456, width=1024, height=768)


def problem_of(*offered: AttachmentInfo, policy: InputPolicy = SERVED) -> InputProblem:
    """Return why pictures are refused."""
    with pytest.raises(InputError) as refusal:
        policy.admit(offered, NOW)
    return refusal.value.problem


def test_a_photo_is_admitted_with_its_address_and_parent() -> None:
    """That is all that a request needs; the file comes later."""
    parent = ImageRef(job_id="1" * 32, position=0)
    (admitted,) = SERVED.admit([replace(PHOTO, parent=parent)], NOW)
    assert admitted == InputImage(url=PHOTO.url, parent=parent)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"media_type": "application/pdf", "width": None, "height": None}, InputProblem.WRONG_TYPE),
        ({"media_type": "image/heic"}, InputProblem.WRONG_TYPE),
        ({"media_type": "video/mp4"}, InputProblem.WRONG_TYPE),
        ({"media_type": "image/svg+xml"}, InputProblem.WRONG_TYPE),
        ({"media_type": None, "filename": "notes.txt"}, InputProblem.WRONG_TYPE),
        ({"size": 30 * 1024 * 1024}, InputProblem.TOO_HEAVY),
        ({"size": MAX_BYTES + 1}, InputProblem.TOO_HEAVY),
        ({"width": None, "height": None}, InputProblem.UNMEASURED),
        ({"width": 0}, InputProblem.UNMEASURED),
        ({"width": 8193}, InputProblem.TOO_LARGE),
        ({"width": 8192, "height": 4097}, InputProblem.TOO_LARGE),
        ({"width": 1, "height": 1}, InputProblem.TOO_SMALL),
        ({"height": 15}, InputProblem.TOO_SMALL),
        ({"url": signed(hours=-0.01)}, InputProblem.EXPIRED),
        ({"url": CDN}, InputProblem.EXPIRED),
        ({"url": f"{CDN}?ex=nonsense"}, InputProblem.EXPIRED),
        ({"url": f"{CDN}?ex={'f' * 40}"}, InputProblem.EXPIRED),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, Any], problem: InputProblem) -> None:
    """By the first thing that is wrong with it."""
    assert problem_of(replace(PHOTO, **changes)) is problem


@pytest.mark.parametrize(
    "changes",
    [
        {"media_type": "image/jpeg; charset=binary"},
        {"media_type": "IMAGE/WEBP"},
        {"media_type": "image/gif"},
        {"media_type": None, "filename": "A.JPEG"},
        {"media_type": None, "filename": "", "size": None},  # what an embed knows
        {"size": MAX_BYTES},
        {"width": 8192, "height": 4096},
        {"width": 16, "height": 16},
    ],
)
def test_what_is_just_right_is_admitted(changes: dict[str, Any]) -> None:
    """Limits are inclusive."""
    assert len(SERVED.admit([replace(PHOTO, **changes)], NOW)) == 1


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("https://cdn.discordapp.com/attachments/1/2/a.png", True),
        ("https://media.discordapp.net/attachments/1/2/a.png", True),
        ("https://images-ext-1.discordapp.net/external/x/https/example.org/a.png", True),
        ("https://cdn.discordapp.com:443/a.png", True),
        ("http://cdn.discordapp.com/a.png", False),
        ("https://cdn.discordapp.com:8443/a.png", False),
        ("https://cdn.discordapp.com.example.org/a.png", False),
        ("https://user@cdn.discordapp.com/a.png", False),
        ("https://cdn.discordapp.com@example.org/a.png", False),
        ("https://images-ext-1.evil.discordapp.net/a.png", False),
        ("https://images-ext-1discordapp.net/a.png", False),
        ("https://example.org/cdn.discordapp.com/a.png", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("file:///etc/passwd", False),
        ("https://[", False),
        ("https://cdn.discordapp.com:99999999/", False),
        ("", False),
    ],
)
def test_only_discords_own_hosts_are_known(address: str, *, known: bool) -> None:
    """A message can show pictures of anywhere; the studio goes nowhere but to Discord."""
    assert SERVED.is_known(address) is known


def test_what_stands_in_for_discord_is_known_by_its_origin() -> None:
    """The sandbox keeps files where its API is; no other port of that machine is meant."""
    policy = InputPolicy(extra_origin="http://127.0.0.1:5000/api/v10")
    assert policy.is_known("http://127.0.0.1:5000/cdn/attachments/1/2/a.png")
    assert not policy.is_known("http://127.0.0.1:5001/cdn/attachments/1/2/a.png")
    assert not policy.is_known("http://127.0.0.1/cdn/attachments/1/2/a.png")


def test_a_picture_from_elsewhere_is_refused() -> None:
    """Before its size or anything else is looked at by the network."""
    assert problem_of(replace(PHOTO, url="https://example.org/photo.png")) is InputProblem.FOREIGN


def test_five_pictures_are_too_many() -> None:
    """Four is what one command attaches."""
    assert problem_of(*[PHOTO] * 5) is InputProblem.TOO_MANY


def test_of_several_the_wrong_one_is_named() -> None:
    """By its number from 1 and its name; of one alone the name says enough."""
    with pytest.raises(InputError) as refusal:
        SERVED.admit([PHOTO, replace(PHOTO, filename="b.pdf", media_type="application/pdf")], NOW)
    assert (refusal.value.position, refusal.value.name, refusal.value.value) == (2, "b.pdf", "application/pdf")
    with pytest.raises(InputError) as refusal:
        SERVED.admit([replace(PHOTO, size=MAX_BYTES + 1)], NOW)
    assert (refusal.value.position, refusal.value.limit) == (None, MAX_BYTES)


class TestWithoutAnAddressOfOurs:
    """Providers fetch from Discord themselves, so the address must outlive the job, and the file be fit as it is."""

    def test_an_address_of_a_day_outlives_a_job(self) -> None:
        """Discord signs for about a day, and a job lives for two hours."""
        assert ALONE.admit([PHOTO], NOW) == SERVED.admit([PHOTO], NOW)

    def test_one_that_ends_before_the_job_is_refused(self) -> None:
        """It would be gone when the provider comes for it."""
        assert problem_of(replace(PHOTO, url=signed(hours=1.99)), policy=ALONE) is InputProblem.SHORT_LIVED

    def test_a_gif_is_refused(self) -> None:
        """We would give its first frame, but cannot."""
        assert problem_of(replace(PHOTO, media_type="image/gif"), policy=ALONE) is InputProblem.ANIMATED

    def test_what_an_embed_shows_lives_on(self) -> None:
        """Its proxy signs without an end."""
        proxied = "https://images-ext-1.discordapp.net/external/x/https/example.org/a.png"
        assert len(ALONE.admit([replace(PHOTO, url=proxied)], NOW)) == 1

    def test_a_stored_picture_needs_an_address_too(self) -> None:
        """That it is in the store is no use to a provider."""
        with pytest.raises(InputError) as refusal:
            ALONE.check([InputImage(file=STORED)], NOW)
        assert refusal.value.problem is InputProblem.GONE
        ALONE.check([InputImage(file=STORED, url=signed())], NOW)
        SERVED.check([InputImage(file=STORED)], NOW)

    def test_a_stored_gif_is_told_by_its_file_or_its_name(self) -> None:
        """Whatever the address says, and the other way round."""
        for picture in (
            InputImage(url=signed(), file=replace(STORED, media_type="image/gif")),
            InputImage(url=signed("https://cdn.discordapp.com/attachments/1/2/a.GIF")),
        ):
            with pytest.raises(InputError) as refusal:
                ALONE.check([picture], NOW)
            assert refusal.value.problem is InputProblem.ANIMATED


def test_a_request_that_waited_is_checked_again() -> None:
    """A question about the price may be answered when the address has run out."""
    for picture in (InputImage(url=signed(hours=-1)), InputImage()):
        with pytest.raises(InputError):
            SERVED.check([picture], NOW)


def test_of_what_a_message_has_the_usable_is_offered() -> None:
    """A PDF beside a photo is passed over; alone, it says why it is none; where nothing is, that is said."""
    pdf = replace(PHOTO, filename="b.pdf", media_type="application/pdf")
    assert SERVED.select_usable([pdf, PHOTO], NOW) == (PHOTO,)
    with pytest.raises(InputError) as refusal:
        SERVED.select_usable([pdf, replace(PHOTO, width=1)], NOW)
    assert refusal.value.problem is InputProblem.WRONG_TYPE
    with pytest.raises(InputError) as refusal:
        SERVED.select_usable([], NOW)
    assert refusal.value.problem is InputProblem.NONE


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(1024, 1024, "1:1"), (1920, 1080, "16:9"), (1080, 1920, "9:16"), (451, 300, "3:2"), (4000, 100, "16:9")],
)
def test_the_shape_is_the_nearest_that_has_a_name(width: int, height: int, shape: str) -> None:
    """So that an edit has the form of its picture where nothing else was chosen."""
    assert replace(PHOTO, width=width, height=height).aspect_ratio == shape
    assert replace(PHOTO, width=width, height=None).aspect_ratio is None


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_turned_pictures_have_turned_shapes(width: int, height: int) -> None:
    """Upright and lying pictures are treated alike."""
    shape = replace(PHOTO, width=width, height=height).aspect_ratio
    turned = replace(PHOTO, width=height, height=width).aspect_ratio
    assert shape in REVE_RATIOS
    assert turned is not None
    assert shape is not None
    one, other = shape.split(":"), turned.split(":")[::-1]
    assert one == other


@given(st.text(max_size=60))
def test_no_address_breaks_it(address: str) -> None:
    """Whatever a message says, it is known or it is not."""
    with pytest.raises(InputError):
        SERVED.check([InputImage(url=address)], NOW)
