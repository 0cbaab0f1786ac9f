"""Rules for input images, checked by metadata alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.attachments import MAX_BYTES, SERVED, AttachmentInfo, InputPolicy, is_fetchable
from bot.domain.errors import InputError, InputProblem
from bot.domain.images import ImageFile, ImageRef, InputImage
from bot.domain.options import REVE_RATIOS

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
CDN = "https://cdn.discordapp.com/attachments/1/2/photo.png"
STORED = ImageFile(sha256="a" * 64, media_type="image/png", width=64, height=64, size=99)


def signed(address: str = CDN, *, hours: float = 24) -> str:
    """Return a URL with an expiry in so many hours."""
    return f"{address}?ex={int((NOW + timedelta(hours=hours)).timestamp()):x}&is=65f2b0ad&hm=00&"


PHOTO = AttachmentInfo(url=signed(), filename="photo.png", media_type="image/png", size=123_456, width=1024, height=768)


def problem_of(*offered: AttachmentInfo, policy: InputPolicy = SERVED) -> InputProblem:
    """Return the problem of refused attachments."""
    with pytest.raises(InputError) as refusal:
        policy.admit(offered, NOW)
    return refusal.value.problem


def test_admit_photo_returns_its_url_and_parent() -> None:
    parent = ImageRef(job_id="1" * 32, position=0)
    (admitted,) = SERVED.admit([replace(PHOTO, parent=parent)], NOW)
    assert admitted == InputImage(url=PHOTO.url, parent=parent)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"media_type": "application/pdf", "width": None, "height": None}, InputProblem.WRONG_TYPE),
        ({"media_type": "image/bmp"}, InputProblem.WRONG_TYPE),
        ({"media_type": "image/tiff"}, InputProblem.WRONG_TYPE),
        ({"media_type": "video/mp4"}, InputProblem.WRONG_TYPE),
        ({"media_type": "image/svg+xml"}, InputProblem.WRONG_TYPE),
        ({"media_type": None, "filename": "notes.txt"}, InputProblem.WRONG_TYPE),
        ({"size": 30 * 1024 * 1024}, InputProblem.TOO_HEAVY),
        ({"size": MAX_BYTES + 1}, InputProblem.TOO_HEAVY),
        ({"media_type": "application/octet-stream", "filename": "notes.txt"}, InputProblem.WRONG_TYPE),
        ({"media_type": "image/jpeg", "width": 10_000, "height": 10_001}, InputProblem.TOO_LARGE),
        ({"width": 10_000, "height": 5_001}, InputProblem.TOO_LARGE),
        ({"media_type": "image/webp", "width": 8192, "height": 4097}, InputProblem.TOO_LARGE),
        ({"width": 1, "height": 1}, InputProblem.TOO_SMALL),
        ({"height": 15}, InputProblem.TOO_SMALL),
        ({"url": signed(hours=-0.01)}, InputProblem.EXPIRED),
        ({"url": CDN}, InputProblem.EXPIRED),
        ({"url": f"{CDN}?ex=nonsense"}, InputProblem.EXPIRED),
        ({"url": f"{CDN}?ex={'f' * 40}"}, InputProblem.EXPIRED),
    ],
)
def test_admit_unusable_attachment_raises_its_first_problem(changes: dict[str, Any], problem: InputProblem) -> None:
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
        {"media_type": "image/heic", "filename": "IMG_0001.HEIC", "width": None, "height": None},
        {"media_type": "image/avif"},
        {"media_type": "image/jpg"},
        {"media_type": "image/apng"},
        {"media_type": "image/something-new"},
        {"media_type": "application/octet-stream", "filename": "photo.jfif"},
        {"media_type": "application/octet-stream", "filename": "photo"},
        {"media_type": "application/octet-stream", "filename": "upload.bin", "width": None},
        {"media_type": "", "filename": "photo.jpe"},
        {"media_type": None, "filename": "photo.heif"},
        {"width": None, "height": None},
        {"width": 0},
        {"width": 0, "height": 1},
        {"width": 8193},
        {"width": 10_000, "height": 5_000},
        {"media_type": "image/jpg", "width": 10_000, "height": 10_000},
        {"width": 16, "height": 16},
    ],
)
def test_admit_attachment_at_the_limits_accepts_it(changes: dict[str, Any]) -> None:
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
def test_is_known_accepts_only_discords_hosts(address: str, *, known: bool) -> None:
    assert SERVED.is_known(address) is known


def test_is_known_accepts_extra_origin_with_its_port_only() -> None:
    policy = InputPolicy(extra_origin="http://127.0.0.1:5000/api/v10")
    assert policy.is_known("http://127.0.0.1:5000/cdn/attachments/1/2/a.png")
    assert not policy.is_known("http://127.0.0.1:5001/cdn/attachments/1/2/a.png")
    assert not policy.is_known("http://127.0.0.1/cdn/attachments/1/2/a.png")


def test_admit_foreign_url_raises_foreign_before_other_checks() -> None:
    assert problem_of(replace(PHOTO, url="https://example.org/photo.png")) is InputProblem.FOREIGN


def test_admit_five_attachments_raises_too_many() -> None:
    assert problem_of(*[PHOTO] * 5) is InputProblem.TOO_MANY


def test_input_error_of_several_names_position_and_file() -> None:
    """One attachment alone needs no position."""
    with pytest.raises(InputError) as refusal:
        SERVED.admit([PHOTO, replace(PHOTO, filename="b.pdf", media_type="application/pdf")], NOW)
    assert (refusal.value.position, refusal.value.name, refusal.value.value) == (2, "b.pdf", "application/pdf")
    with pytest.raises(InputError) as refusal:
        SERVED.admit([replace(PHOTO, size=MAX_BYTES + 1)], NOW)
    assert (refusal.value.position, refusal.value.limit) == (None, MAX_BYTES)


def test_check_accepts_stored_image_without_url() -> None:
    SERVED.check([InputImage(file=STORED), InputImage(file=STORED, url=signed(hours=-1))], NOW)


def test_admit_url_of_embed_proxy_never_expires() -> None:
    proxied = "https://images-ext-1.discordapp.net/external/x/https/example.org/a.png"
    assert len(SERVED.admit([replace(PHOTO, url=proxied)], NOW)) == 1


@pytest.mark.parametrize(
    ("url", "fetchable"),
    [
        (signed(hours=2.1), True),
        (signed(hours=1.9), False),
        (CDN, False),
        ("https://studio.example/inputs/token", True),
        ("", False),
        (None, False),
    ],
)
def test_url_is_fetchable_until_its_signature_ends(url: str | None, *, fetchable: bool) -> None:
    assert is_fetchable(url, NOW + timedelta(hours=2)) is fetchable


def test_check_of_confirmed_request_finds_expired_url() -> None:
    for picture in (InputImage(url=signed(hours=-1)), InputImage()):
        with pytest.raises(InputError):
            SERVED.check([picture], NOW)


def test_select_usable_skips_unusable_attachments_and_explains_none() -> None:
    pdf = replace(PHOTO, filename="b.pdf", media_type="application/pdf")
    assert SERVED.select_usable([pdf, PHOTO], NOW) == (PHOTO,)
    with pytest.raises(InputError) as refusal:
        SERVED.select_usable([pdf, replace(PHOTO, width=1)], NOW)
    assert refusal.value.problem is InputProblem.WRONG_TYPE
    unknown = replace(PHOTO, filename="data", media_type="application/octet-stream", width=None, height=None)
    assert SERVED.select_usable([unknown, PHOTO], NOW) == (PHOTO,)
    assert SERVED.select_usable([unknown], NOW) == (unknown,)
    with pytest.raises(InputError) as refusal:
        SERVED.select_usable([], NOW)
    assert refusal.value.problem is InputProblem.NONE


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(1024, 1024, "1:1"), (1920, 1080, "16:9"), (1080, 1920, "9:16"), (451, 300, "3:2"), (4000, 100, "16:9")],
)
def test_aspect_ratio_is_the_nearest_named_one(width: int, height: int, shape: str) -> None:
    assert replace(PHOTO, width=width, height=height).aspect_ratio == shape
    assert replace(PHOTO, width=width, height=None).aspect_ratio is None


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_aspect_ratio_of_turned_image_is_turned(width: int, height: int) -> None:
    shape = replace(PHOTO, width=width, height=height).aspect_ratio
    turned = replace(PHOTO, width=height, height=width).aspect_ratio
    assert shape in REVE_RATIOS
    assert turned is not None
    assert shape is not None
    one, other = shape.split(":"), turned.split(":")[::-1]
    assert one == other


@given(st.text(max_size=60))
def test_is_known_takes_any_text(address: str) -> None:
    with pytest.raises(InputError):
        SERVED.check([InputImage(url=address)], NOW)
