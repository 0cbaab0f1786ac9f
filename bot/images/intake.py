"""What becomes of a picture that a member gives: checked, stood upright, one frame, and nothing but the picture."""

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from bot.domain.errors import PictureError, PictureProblem
from bot.domain.inputs import MAX_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE
from bot.images.bare import bared
from bot.images.decode import PILLOW_FORMATS, PictureInfo, PictureLimits, inspect, pillow_faults

INPUT_LIMITS: Final = PictureLimits(max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS, max_side=MAX_SIDE)
"""What a picture may have; of an animation, its first frame."""

_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1
_QUALITY: Final = 95
# What is written anew may grow a little: providers take more.
_WRITTEN_LIMITS: Final = replace(INPUT_LIMITS, max_bytes=2 * MAX_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A picture as it is to be kept. `converted`: it came in another format, or with more frames."""

    info: PictureInfo
    converted: bool


def take_in(path: Path) -> Intake:
    """Make the file fit to be given to a provider, in place. Takes processor time: run it in a worker.

    GIFs and animations become a PNG of their first frame, what lies on its side is turned upright, and of all others
    the pixels stay as they were encoded. Raises `PictureError`: TOO_SMALL besides what `inspect` does.
    """
    info = inspect(path, INPUT_LIMITS, first_frame=True)
    if min(info.width, info.height) < MIN_SIDE:
        raise PictureError(PictureProblem.TOO_SMALL, "pixels")
    animated = info.frames > 1 or info.media_type == "image/gif"
    if not animated and _is_upright(path, info):
        path.write_bytes(bared(path.read_bytes(), info.media_type))
        return Intake(info=inspect(path, INPUT_LIMITS), converted=False)
    _redraw(path, info, as_png=animated)
    return Intake(info=inspect(path, _WRITTEN_LIMITS), converted=animated)


def _is_upright(path: Path, info: PictureInfo) -> bool:
    with path.open("rb") as file, pillow_faults():
        image = Image.open(file, formats=[PILLOW_FORMATS[info.media_type]])
        try:
            return bool(image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT)
        except Exception:  # noqa: BLE001 - broken EXIF turns nothing, and is taken out
            return True


def _redraw(path: Path, info: PictureInfo, *, as_png: bool) -> None:
    """Write the first frame anew, as a person sees it."""
    out = BytesIO()
    with path.open("rb") as file, pillow_faults():
        image: Image.Image = Image.open(file, formats=[PILLOW_FORMATS[info.media_type]])
        profile = image.info.get("icc_profile")
        image.load()
        if as_png:
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        image = ImageOps.exif_transpose(image)
        image.info.clear()
        if as_png or info.media_type == "image/png":
            image.save(out, "PNG", icc_profile=profile)
        elif info.media_type == "image/webp":
            image.save(out, "WEBP", quality=_QUALITY, exact=True, icc_profile=profile)
        else:
            image.save(out, "JPEG", quality=_QUALITY, icc_profile=profile)
    path.write_bytes(out.getvalue())
