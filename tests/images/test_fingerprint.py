"""Fingerprints: alike for copies, different for others."""

from io import BytesIO
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from bot.domain.errors import ImageError
from bot.domain.provenance import MAX_DISTANCE, distance, index_keys, search_keys
from bot.images.decoder_values import DEFAULT_LIMITS
from bot.images.fingerprint import fingerprint
from bot.images.results import finish_result
from bot.images.sanitize import read_look
from sandbox.providers.pictures import draw_picture
from tests.images.samples import encoded
from tests.support.image_server import bomb, lying


def scene(number: int) -> Image.Image:
    """Return a picture of the sandbox's."""
    drawn = draw_picture(f"scene {number}", 0, width=600, height=400, format="png")
    return Image.open(BytesIO(drawn)).convert("RGB")


def print_of(image: Image.Image) -> str:
    """Return a picture's fingerprint, which must exist."""
    found = fingerprint(image)
    assert found is not None
    return found


def reread(image: Image.Image, file_format: str, quality: int) -> Image.Image:
    """Return a picture after encoding."""
    return Image.open(BytesIO(encoded(image, file_format, quality=quality))).convert("RGB")


@pytest.mark.parametrize(
    "changed",
    [
        lambda image: reread(image, "JPEG", 50),
        lambda image: reread(image.resize((300, 200)), "WEBP", 70),
        lambda image: image.convert("L").convert("RGB"),
        lambda image: ImageEnhance.Contrast(image).enhance(1.2),
    ],
)
def test_copy_has_a_close_fingerprint(changed) -> None:  # type: ignore[no-untyped-def]
    for number in range(5):
        image = scene(number)
        assert distance(print_of(image), print_of(changed(image))) <= MAX_DISTANCE


def test_different_pictures_have_distant_fingerprints() -> None:
    prints = [print_of(scene(number)) for number in range(12)]
    assert min(distance(one, other) for one, other in combinations(prints, 2)) > 2 * MAX_DISTANCE


def test_plain_picture_has_no_fingerprint() -> None:
    assert fingerprint(Image.new("RGB", (300, 200), "teal")) is None


def test_search_finds_every_fingerprint_within_the_distance() -> None:
    """The worst case: two differing bits in each band but one."""
    one = print_of(scene(1))
    bits = [bit for band in range(16) for bit in (16 * band, 16 * band + 9)][:MAX_DISTANCE]
    other = f"{int(one, 16) ^ sum(1 << bit for bit in bits):064x}"
    assert distance(one, other) == MAX_DISTANCE
    assert set(search_keys(one)) & set(index_keys(other))


def test_result_and_rotated_copy_have_the_same_fingerprint(tmp_path: Path) -> None:
    result, copy = tmp_path / "a", tmp_path / "b"
    result.write_bytes(encoded(scene(3)))
    with Image.open(result) as image:
        turned = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    copy.write_bytes(lying(encoded(turned, "JPEG", quality=90), 6))
    found = finish_result(result, DEFAULT_LIMITS, None).fingerprint
    look = read_look(copy).fingerprint
    assert found is not None
    assert look is not None
    assert distance(found, look) <= MAX_DISTANCE


def test_look_of_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bomb())
    with pytest.raises(ImageError):
        read_look(path)
