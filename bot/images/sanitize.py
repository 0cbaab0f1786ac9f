"""Sanitizing of members' images.

It enforces limits, turns images upright, keeps one frame and strips metadata.
"""

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image

from bot.domain.attachments import GIF, MAX_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE
from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.images.decode import HEAD_BYTES, PILLOW_FORMATS, ImageLimits, inspect, pillow_faults, sniff
from bot.images.strip_metadata import UPRIGHT, StrippedImage, strip_metadata

INPUT_LIMITS: Final = ImageLimits(max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS, max_side=MAX_SIDE)
"""Limits of an input image; of an animation, for its first frame."""

_JPEG: Final = "image/jpeg"
_PNG: Final = "image/png"
_END_OF_JPEG: Final = b"\xff\xd9"
_QUALITY: Final = 95
# A re-encoded file may grow a little: providers take more.
_WRITTEN_LIMITS: Final = replace(INPUT_LIMITS, max_bytes=2 * MAX_BYTES)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SanitizedImage:
    """A member's image, ready for a provider.

    `converted`: the image came in another format, or with more frames.
    """

    file: ImageFile
    converted: bool


def sanitize(path: Path) -> SanitizedImage:
    """Make a member's image file fit for a provider, in place.

    Takes processor time: run it in a worker. GIFs and animations become a PNG of their first frame. Rotated
    images are turned upright. The pixels of all others stay as they were encoded.

    Raises:
        ImageError: As `inspect`, and TOO_SMALL.
    """
    if path.stat().st_size > INPUT_LIMITS.max_bytes:
        raise ImageError(ImageProblem.TOO_LARGE, "bytes")
    data = path.read_bytes()
    stripped = strip_metadata(data, sniff(data[:HEAD_BYTES], len(data)))
    path.write_bytes(stripped.data)
    file = inspect(path, INPUT_LIMITS)
    if min(file.width, file.height) < MIN_SIDE:
        raise ImageError(ImageProblem.TOO_SMALL, "pixels")
    becomes_png = file.media_type == GIF or (stripped.moving and file.media_type != _PNG)
    if stripped.orientation != UPRIGHT or becomes_png:
        _redraw(path, file.media_type, stripped)
    elif file.media_type == _JPEG and not stripped.data.endswith(_END_OF_JPEG):
        # Cut off right at its end: decoders take it, so its end is put back.
        path.write_bytes(stripped.data + _END_OF_JPEG)
    else:
        return SanitizedImage(file=file, converted=stripped.moving)
    return SanitizedImage(file=inspect(path, _WRITTEN_LIMITS), converted=stripped.moving)


def _redraw(path: Path, media_type: str, stripped: StrippedImage) -> None:
    """Encode the image again, as a person sees it."""
    out = BytesIO()
    with path.open("rb") as opened, pillow_faults():
        image: Image.Image = Image.open(opened, formats=[PILLOW_FORMATS[media_type]])
        profile = image.info.get("icc_profile")
        image.load()
        if stripped.moving:
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        if turn := _TURNS.get(stripped.orientation):
            image = image.transpose(turn)
        if stripped.moving or media_type == _PNG:
            image.save(out, "PNG", icc_profile=profile)
        elif media_type == "image/webp":
            image.save(out, "WEBP", quality=_QUALITY, exact=True, icc_profile=profile)
        else:
            image.save(out, "JPEG", quality=_QUALITY, icc_profile=profile)
    path.write_bytes(out.getvalue())
