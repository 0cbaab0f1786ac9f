"""Sanitizing of members' images.

It enforces limits, converts what providers do not take, turns images upright, keeps one frame and strips metadata.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import AvifImagePlugin, Image, ImageOps
from pillow_heif import register_heif_opener

from bot.domain.attachments import GIF, MAX_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE, SOURCE_PIXELS
from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import InputChange
from bot.images.decode import PILLOW_FORMATS, inspect, load_first_frame, pillow_faults
from bot.images.decoder_values import ImageLimits, Look, SanitizedImage
from bot.images.file_types import HEAD_BYTES, sniff
from bot.images.identity import hash_file
from bot.images.strip_metadata import UPRIGHT, StrippedImage, colour_chunks, strip_metadata, with_colour_chunks

INPUT_LIMITS: Final = ImageLimits(max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS, max_side=MAX_SIDE)
"""Limits of a sanitized image; of an animation, for its first frame."""

_JPEG: Final = "image/jpeg"
_PNG: Final = "image/png"
_WEBP: Final = "image/webp"
_END_OF_JPEG: Final = b"\xff\xd9"
_QUALITY: Final = 95
# Zlib's quickest: the higher levels take several times as long for a few per cent.
_COMPRESS_LEVEL: Final = 1
# A re-encoded file may grow a little: providers take more.
_WRITTEN_LIMITS: Final = replace(INPUT_LIMITS, max_bytes=2 * MAX_BYTES)
_WEBP_ENCODED_PIXELS: Final = 12_000_000
"""Most pixels of a redrawn WebP that stays one: its encoder takes 24 bytes a pixel, others hardly any."""
_SCAN_COEFFICIENTS_PIXELS: Final = 50_000_000
"""Pixels of a JPEG with several scans: all its coefficients are in memory, 300 MB by then."""
# How a picture is brought upright that lies as EXIF says.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Formats that providers do not take, by the first brand of their file; `mif1` and `msf1` say it by another brand.
_BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIF"),
}
_GENERAL_BRANDS: Final = (b"mif1", b"msf1")
_CONTAINER_TYPES: Final = {"AVIF": "image/avif", "HEIF": "image/heic"}

# The decoders' own threads would take the cores from everybody else.
register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# Pillow warns at fewer pixels than this module takes; the limits here are checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = max(SOURCE_PIXELS.values())


def sanitize(path: Path) -> SanitizedImage:
    """Make a member's image file fit for a provider, in place.

    Takes processor time and up to 450 MB: run it in a worker. HEIC and AVIF become a JPEG, or a PNG if they are
    transparent; GIFs and animations a PNG of their first frame. Images beyond `INPUT_LIMITS` are halved until they
    fit, and rotated ones are turned upright. The pixels of all others stay as they were encoded.

    Raises:
        ImageError: As `inspect`, and TOO_SMALL.
    """
    if path.stat().st_size > INPUT_LIMITS.max_bytes:
        raise ImageError(ImageProblem.TOO_LARGE, "bytes")
    data = path.read_bytes()
    container = _container(data[:64])
    if container is not None:
        return _convert(path, container)
    media_type = sniff(data[:HEAD_BYTES], len(data))
    stripped = strip_metadata(data, media_type)
    path.write_bytes(stripped.data)
    return _still(path, media_type, stripped)


def read_look(path: Path) -> Look:
    """Sanitize a member's image file in place and return its look.

    Takes processor time: run it in a worker. Raises as `sanitize` does.
    """
    return Look(fingerprint=sanitize(path).file.fingerprint)


def sanitize_with_hash(path: Path) -> SanitizedImage:
    """Sanitize a member's image file in place; keep the original's hash.

    Takes processor time: run it in a worker. Raises as `sanitize` does.
    """
    original = hash_file(path)
    return replace(sanitize(path), original_sha256=original)


def _container(head: bytes) -> str | None:
    """Return Pillow's name of an ISO container's format, None for others."""
    if head[4:8] != b"ftyp":
        return None
    brands = [head[at : at + 4] for at in range(16, min(len(head), int.from_bytes(head[:4])), 4)]
    known = head[8:12] if head[8:12] not in _GENERAL_BRANDS else next((each for each in brands if each in _BRANDS), b"")
    return _BRANDS.get(known)


def _convert(path: Path, container: str) -> SanitizedImage:
    """Encode an image of a format unknown to providers again, upright."""
    with _opened(path, container) as image:
        factor = _factor(image.size, SOURCE_PIXELS[_CONTAINER_TYPES[container]])
        profile = image.info.get("icc_profile")
        image.load()
        turned: Image.Image = ImageOps.exif_transpose(image)
        drawn = _reduced(_plain(turned), factor)
        if drawn.mode == "RGBA" and drawn.getchannel("A").getextrema() == (255, 255):
            drawn = drawn.convert("RGB")
        drawn.info.clear()
        out = BytesIO()
        if drawn.mode in {"RGB", "L"}:
            # Lettering frays when colours are stored at half the resolution.
            drawn.save(out, "JPEG", quality=_QUALITY, subsampling="4:4:4", icc_profile=profile)
        else:
            drawn.save(out, "PNG", compress_level=_COMPRESS_LEVEL, icc_profile=profile)
    path.write_bytes(out.getvalue())
    changes = {InputChange.CONVERTED} | ({InputChange.SCALED} if factor > 1 else set())
    return SanitizedImage(file=inspect(path, _WRITTEN_LIMITS), changes=frozenset(changes))


def _still(path: Path, media_type: str, stripped: StrippedImage) -> SanitizedImage:
    """Redraw a rotated, animated or too large image; check any other."""
    with _opened(path, PILLOW_FORMATS[media_type]) as image:
        most = SOURCE_PIXELS[media_type]
        factor = _factor(image.size, min(most, _SCAN_COEFFICIENTS_PIXELS) if stripped.scans > 1 else most)
    changes = {InputChange.FIRST_FRAME} if stripped.moving else set()
    if factor > 1:
        changes.add(InputChange.SCALED)
    becomes_png = media_type == GIF or (stripped.moving and media_type != _PNG)
    if stripped.orientation != UPRIGHT or becomes_png or factor > 1:
        _redraw(path, media_type, stripped, factor)
        return SanitizedImage(file=inspect(path, _WRITTEN_LIMITS), changes=frozenset(changes))
    file = inspect(path, INPUT_LIMITS)
    if media_type == _JPEG and not stripped.data.endswith(_END_OF_JPEG):
        # Cut off right at its end: decoders take it, so its end is put back.
        path.write_bytes(stripped.data + _END_OF_JPEG)
        file = inspect(path, INPUT_LIMITS)
    return SanitizedImage(file=file, changes=frozenset(changes))


def _redraw(path: Path, media_type: str, stripped: StrippedImage, factor: int) -> None:
    """Encode the image again, as a person sees it."""
    out = BytesIO()
    with _opened(path, PILLOW_FORMATS[media_type]) as image:
        profile = image.info.get("icc_profile")
        size = image.size
        if factor > 1:
            # libjpeg then decodes a smaller picture; other decoders ignore this.
            image.draft(None, (size[0] // factor, size[1] // factor))
        loaded = load_first_frame(image)
        drawn = _plain(loaded) if stripped.moving or factor > 1 else loaded
        drawn = _reduced(drawn, factor * image.width // size[0])
        turn = _TURNS.get(stripped.orientation)
        if turn is not None:  # the first of them is 0
            drawn = drawn.transpose(turn)
        del loaded
        large = math.prod(size) > _WEBP_ENCODED_PIXELS
        lossy = media_type == _JPEG or (media_type == _WEBP and not stripped.lossless)
        if media_type == _JPEG or (large and lossy and not stripped.moving and drawn.mode == "RGB"):
            drawn.save(out, "JPEG", quality=_QUALITY, icc_profile=profile)
        elif media_type == _WEBP and not stripped.moving and not large:
            # Of a lossless picture the quality says how hard to compress.
            quality = 0 if stripped.lossless else _QUALITY
            drawn.save(
                out,
                "WEBP",
                lossless=stripped.lossless,
                quality=quality,
                method=0,
                exact=True,
                icc_profile=profile,
            )
        else:
            drawn.save(out, "PNG", compress_level=_COMPRESS_LEVEL, icc_profile=profile)
    written = out.getvalue()
    if media_type == _PNG:
        written = with_colour_chunks(written, colour_chunks(stripped.data))
    path.write_bytes(written)


@contextmanager
def _opened(path: Path, pillow_format: str) -> Iterator[Image.Image]:
    """Open an image without decoding it; Pillow's faults become `ImageError`."""
    with path.open("rb") as file, pillow_faults():
        yield Image.open(file, formats=[pillow_format])


def _factor(size: tuple[int, int], most_pixels: int) -> int:
    """Return the power of two by which to divide the sides to fit the limits.

    Raises:
        ImageError: TOO_LARGE above `most_pixels`, TOO_SMALL if a side is too short for that.
    """
    if math.prod(size) > most_pixels:
        raise ImageError(ImageProblem.TOO_LARGE, "pixels")
    factor, sides = 1, size
    while max(sides) > MAX_SIDE or math.prod(sides) > MAX_PIXELS:
        factor *= 2
        sides = (math.ceil(size[0] / factor), math.ceil(size[1] / factor))
    if min(sides) < MIN_SIDE:
        raise ImageError(ImageProblem.TOO_SMALL, "pixels")
    return factor


def _plain(image: Image.Image) -> Image.Image:
    """Return the image in a mode for averaging and saving."""
    if image.mode.startswith("I"):
        # 16 bits a pixel, which Pillow would clip to white.
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in {"L", "RGB", "RGBA", "CMYK"}:
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image if factor <= 1 else image.reduce(factor)
