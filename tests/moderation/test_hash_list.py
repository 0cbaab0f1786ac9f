"""Comparison of pictures with a list of those taken down."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image, ImageEnhance

from bot.domain.provenance import index_keys
from bot.images.fingerprint import fingerprint
from bot.moderation.hash_list import SAME_PICTURE_BITS, first_match, is_same_picture
from sandbox.providers.pictures import draw_picture

Change = Callable[[Image.Image], Image.Image]
LOOK = f"{0xABCDEF << 100:064x}"


def drawn(number: int) -> Image.Image:
    """Return a picture of the sandbox."""
    file = draw_picture(f"job {number}", number % 4, width=512, height=512, format="png")
    return Image.open(BytesIO(file)).convert("RGB")


def encoded(image: Image.Image, form: str, quality: int) -> Image.Image:
    """Return a picture after a lossy encoding."""
    file = BytesIO()
    image.save(file, form, quality=quality)
    return Image.open(file).convert("RGB")


def flipped(bits: int) -> str:
    """Return a fingerprint with as many other bits, spread over its parts."""
    value = int(LOOK, 16)
    for bit in range(bits):
        value ^= 1 << bit * 16 % 256 + bit * 16 // 256
    return f"{value:064x}"


@pytest.mark.parametrize(
    "change",
    [
        lambda image: encoded(image, "JPEG", 30),
        lambda image: encoded(image.resize((300, 300)), "WEBP", 70),
        lambda image: image.resize((1024, 1024), Image.Resampling.BICUBIC),
        lambda image: image.convert("L").convert("RGB"),
        lambda image: ImageEnhance.Contrast(image).enhance(1.05),
    ],
)
def test_copy_of_a_picture_is_the_same_picture(change: Change) -> None:
    for number in range(12):
        image = drawn(number)
        assert is_same_picture(fingerprint(image), fingerprint(change(image)))


def test_different_pictures_are_not_the_same() -> None:
    looks = [fingerprint(drawn(number)) for number in range(30)]
    assert not any(is_same_picture(one, other) for at, one in enumerate(looks) for other in looks[:at])


def test_plain_picture_is_the_copy_of_nothing() -> None:
    plain = fingerprint(Image.new("RGB", (256, 256), "red"))
    assert plain is None
    assert not is_same_picture(plain, plain)


def test_copies_share_a_part_of_their_fingerprint() -> None:
    near, far = flipped(SAME_PICTURE_BITS), flipped(SAME_PICTURE_BITS + 1)
    assert is_same_picture(LOOK, near)
    assert set(index_keys(LOOK)) & set(index_keys(near))
    assert not is_same_picture(LOOK, far)


def test_match_by_hash_needs_no_fingerprint() -> None:
    listed = [("A", "1" * 64, None), ("B", "2" * 64, LOOK)]
    assert first_match({"1" * 64}, None, listed) == "A"
    assert first_match({"3" * 64}, flipped(3), listed) == "B"
    assert first_match({"3" * 64}, flipped(40), listed) is None
