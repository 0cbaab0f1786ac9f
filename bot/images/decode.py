"""Telling whether a file is a picture, by decoding all of it."""

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401 - see below

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.images.decoder_values import DEFAULT_LIMITS, ImageLimits
from bot.images.file_types import HEAD_BYTES, sniff
from bot.images.fingerprint import DRAFT_SIDE, fingerprint
from bot.images.quick_png import decode_usual_png
from bot.images.structure import check_structure

PILLOW_FORMATS: Final = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
"""The media types that are pictures here, with Pillow's names for them."""

# The plugins are imported above: otherwise Pillow imports all that it has to find one of them.


def inspect(path: Path, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFile:
    """Decode the image completely, once, and return its description.

    That includes the fingerprint of the first frame. A JPEG is decoded at a fraction of its size: all its data is read,
    but fewer pixels are computed. Takes processor time: run it in a worker.

    Raises:
        ImageError: NOT_A_PICTURE (another format, or broken), TRUNCATED, or TOO_LARGE (by the header, or of too
            many pieces, before the decoder begins).
        OSError: The file cannot be read.
    """
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise ImageError(ImageProblem.TOO_LARGE, "bytes")
    data = path.read_bytes()
    media_type = sniff(data[:HEAD_BYTES], size)
    check_structure(data, media_type)
    with pillow_faults():
        image = Image.open(BytesIO(data), formats=[PILLOW_FORMATS[media_type]])
        width, height = image.size
        look = _check_and_look(data, image, limits)
    sha256 = hashlib.sha256(data).hexdigest()
    return ImageFile(sha256=sha256, media_type=media_type, width=width, height=height, size=size, fingerprint=look)


@contextmanager
def pillow_faults() -> Iterator[None]:
    """Turn Pillow's exceptions on a bad file into `ImageError`.

    A fault of the disk stays an OSError.
    """
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise ImageError(ImageProblem.TOO_LARGE, "pixels") from None
    except Exception as error:
        # The operating system's errors carry a number, Pillow's own OSErrors do not.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        # Pillow's decoders raise nearly anything on hostile input: struct.error, SyntaxError, IndexError, ...
        cut_off = isinstance(error, (EOFError, IndexError, struct.error))
        truncated = cut_off or "truncated" in str(error).lower()
        problem = ImageProblem.TRUNCATED if truncated else ImageProblem.NOT_A_PICTURE
        raise ImageError(problem, type(error).__name__) from None


def _check_and_look(data: bytes, image: Image.Image, limits: ImageLimits) -> str | None:
    """Decode an image; return the fingerprint of its first frame."""
    _check_size(image, limits)
    if isinstance(image, PngImagePlugin.PngImageFile):
        decoded = decode_usual_png(data, image)
        if decoded is not None:
            return _fingerprint(decoded)
    return _decode(image, limits, animated=not isinstance(image, JpegImagePlugin.JpegImageFile))


def _decode(image: Image.Image, limits: ImageLimits, *, animated: bool) -> str | None:
    """Decode frame after frame; return the fingerprint of the first.

    A JPEG's further images are not frames.
    """
    total, look = 0, None
    for frame in range(limits.max_frames):
        if frame:
            try:
                image.seek(frame)
            except EOFError:
                return look
        total += _check_size(image, limits)
        if total > limits.max_total_pixels:
            raise ImageError(ImageProblem.TOO_LARGE, "frames")
        if not frame:
            image.draft("RGB", (DRAFT_SIDE, DRAFT_SIDE))  # formats other than JPEG ignore it
        loaded = _load(image)
        if not frame:
            look = _fingerprint(loaded)
        if not animated:
            return look
    try:
        image.seek(limits.max_frames)
    except EOFError:
        return look
    raise ImageError(ImageProblem.TOO_LARGE, "frames")


def _fingerprint(image: Image.Image) -> str | None:
    try:
        with pillow_faults():
            return fingerprint(image)
    except ImageError:  # it was decoded: no copy will be found, but the picture is fine
        return None


def load_first_frame(image: Image.Image) -> Image.Image:
    """Return the first frame of an opened image, decoded.

    Pillow would decode a WebP with a further copy of its pixels.
    """
    frame = _load(image)
    if isinstance(image, WebPImagePlugin.WebPImageFile):
        image._decoder = None  # noqa: SLF001 - it keeps two more frames
    return frame


def _load(image: Image.Image) -> Image.Image:
    """Decode and return the present frame; those of a WebP come in turn."""
    if not isinstance(image, WebPImagePlugin.WebPImageFile):
        image.load()
        return image
    pixels = _webp_pixels(image)
    if image.mode == image.rawmode:
        frame = Image.frombuffer(image.mode, image.size, pixels, "raw", image.rawmode, 0, 1)
    else:
        frame = Image.frombytes(image.mode, image.size, pixels, "raw", image.rawmode)
    frame.info = image.info
    return frame


def _webp_pixels(image: WebPImagePlugin.WebPImageFile) -> bytes:
    """Return the pixels of the next frame, without Pillow's own copy."""
    frame = image._decoder.get_next()  # noqa: SLF001 - a test compares it with Pillow's public way
    if frame is None:
        raise EOFError
    pixels: bytes = frame[0]
    return pixels


def _check_size(image: Image.Image, limits: ImageLimits) -> int:
    """Return the pixels of the present frame.

    Raises:
        ImageError: TOO_LARGE if they exceed the limits.
    """
    pixels = image.width * image.height
    if pixels > limits.max_pixels or max(image.size) > limits.max_side:
        raise ImageError(ImageProblem.TOO_LARGE, "pixels")
    return pixels
