from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from bot.domain.errors import ImageError, ImageProblem
from bot.images.decode import inspect
from bot.images.decoder_values import Upload
from bot.images.reencode import fit
from tests.images.samples import encoded, noise


def fitted(path: Path, data: bytes, limit_bytes: int) -> Upload:
    """Re-encode a file of these bytes and check the common guarantees."""
    path.write_bytes(data)
    result = fit(path, inspect(path), limit_bytes)
    assert size_of(result) <= limit_bytes
    return result


def size_of(upload: Upload) -> int:
    """Return the size of an upload in bytes."""
    return len(upload.content) if isinstance(upload.content, bytes) else upload.content.stat().st_size


def opened(upload: Upload) -> Image.Image:
    """Return the fully decoded image of an upload."""
    assert isinstance(upload.content, bytes)
    image = Image.open(BytesIO(upload.content))
    image.load()
    return image


@pytest.mark.parametrize(
    ("file_format", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("GIF", "gif")]
)
def test_fitting_image_is_unchanged(tmp_path: Path, file_format: str, extension: str) -> None:
    """A file of exactly the limit is uploaded itself."""
    path = tmp_path / "a"
    data = encoded(noise(), file_format)

    result = fitted(path, data, len(data))

    assert not result.reencoded
    assert path == result.content
    assert extension == result.extension
    assert data == path.read_bytes()


def test_large_opaque_image_becomes_full_size_jpeg(tmp_path: Path) -> None:
    """Quality goes before pixels."""
    data = encoded(noise(size=(512, 512)))

    result = fitted(tmp_path / "a", data, len(data) // 2)

    assert (result.extension, opened(result).format, opened(result).size) == ("jpg", "JPEG", (512, 512))


def test_much_too_large_image_is_scaled_down(tmp_path: Path) -> None:
    """The aspect ratio stays."""
    result = fitted(tmp_path / "a", encoded(noise(size=(512, 256))), 20_000)

    width, height = opened(result).size
    assert width < 512
    assert width == pytest.approx(2 * height, abs=2)
    assert size_of(result) > 5_000, "no more is lost than needed"


def test_reencoding_is_deterministic(tmp_path: Path) -> None:
    """A repeated delivery is identical."""
    data = encoded(noise(size=(256, 256)))

    assert fitted(tmp_path / "a", data, 20_000) == fitted(tmp_path / "b", data, 20_000)


@pytest.mark.parametrize("limit_bytes", [100_000, 15_000])
def test_transparent_image_becomes_transparent_webp(tmp_path: Path, limit_bytes: int) -> None:
    """At full size and scaled down."""
    image = noise(size=(256, 256)).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 128, 256))

    result = fitted(tmp_path / "a", encoded(image), limit_bytes)

    shown = opened(result)
    assert (result.extension, shown.mode) == ("webp", "RGBA")
    assert (
        shown.getpixel((shown.width // 4, shown.height // 2))[3],  # type: ignore[index]
        shown.getpixel((shown.width * 3 // 4, shown.height // 2))[3],  # type: ignore[index]
    ) == (0, 255)


def test_opaque_alpha_channel_becomes_jpeg(tmp_path: Path) -> None:
    """Many tools write an opaque alpha channel."""
    data = encoded(noise(size=(256, 256)).convert("RGBA"))

    assert fitted(tmp_path / "a", data, len(data) // 2).extension == "jpg"


def test_transparent_palette_becomes_transparent_webp(tmp_path: Path) -> None:
    """GIF or palette PNG."""
    image = noise("L", size=(200, 200)).convert("P")
    data = encoded(image, "PNG", transparency=0)

    assert opened(fitted(tmp_path / "a", data, len(data) - 1)).mode == "RGBA"


def test_too_large_animation_becomes_first_frame(tmp_path: Path) -> None:
    frames = [noise(size=(200, 200), seed=seed) for seed in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert fitted(tmp_path / "a", data, len(data) // 2).extension == "jpg"


def test_metadata_is_dropped_and_rotation_applied(tmp_path: Path) -> None:
    """The colours stay."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010E] = "taken at home"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = noise(size=(400, 200))
    data = encoded(image, "JPEG", quality=100, exif=exif, comment=b"taken at home", icc_profile=profile)

    result = fitted(tmp_path / "a", data, len(data) * 2 // 3)

    assert isinstance(result.content, bytes)
    assert b"taken at home" not in result.content
    assert opened(result).size == (200, 400)
    assert dict(opened(result).getexif()) == {}
    assert profile == opened(result).info["icc_profile"]


def test_broken_exif_is_ignored(tmp_path: Path) -> None:
    """Garbage EXIF: no rotation."""
    data = encoded(noise(size=(200, 100)), "JPEG", quality=100, exif=b"Exif\0\0garbage")

    assert opened(fitted(tmp_path / "a", data, len(data) * 2 // 3)).width == 200


def test_16_bit_grey_keeps_brightness(tmp_path: Path) -> None:
    image = Image.frombytes("I;16", (64, 64), b"".join((30_000 + step).to_bytes(2, "little") for step in range(4096)))
    data = encoded(image, compress_level=0)

    shown = opened(fitted(tmp_path / "a", data, len(data) // 2)).convert("L")

    assert pytest.approx(shown.getpixel((32, 32)), abs=6) == 125


def test_transparent_image_beyond_webp_limit_is_scaled(tmp_path: Path) -> None:
    """WebP allows 16,383 pixels per side."""
    image = noise(size=(16_384, 4)).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 100, 4))
    data = encoded(image)

    assert opened(fitted(tmp_path / "a", data, len(data) - 1)).width == 16_383


def test_unfittable_image_is_too_large(tmp_path: Path) -> None:
    """A thumbnail of a few pixels is useless."""
    data = encoded(noise(size=(256, 256)))

    with pytest.raises(ImageError) as caught:
        fitted(tmp_path / "a", data, 400)

    assert caught.value.problem == ImageProblem.TOO_LARGE


def test_zero_limit_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        fitted(tmp_path / "a", encoded(noise()), 0)


def test_failing_encoder_quality_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libwebp fails on large noise at high quality.

    The next quality or size is tried.
    """
    save = Image.Image.save

    def failing(image: Image.Image, out: BytesIO, file_format: str, **options: Any) -> None:
        if options["quality"] > 85 or image.width > largest:
            raise ValueError("encoding error 6")
        save(image, out, file_format, **options)

    data = encoded(noise(size=(512, 512)))
    monkeypatch.setattr(Image.Image, "save", failing)

    largest = 512
    assert opened(fitted(tmp_path / "a", data, len(data) // 2)).width == 512
    largest = 300
    assert opened(fitted(tmp_path / "a", data, len(data) // 2)).width == 251
