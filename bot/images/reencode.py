"""Re-encoding of images to fit an upload limit.

An image that fits stays untouched; any other keeps as many of its pixels as possible.
"""

import math
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from bot.domain.errors import ImageError, ImageProblem
from bot.domain.images import ImageFile
from bot.images.decode import PILLOW_FORMATS, load_first_frame, pillow_faults
from bot.images.decoder_values import Upload
from bot.images.marks import MAX_PACKET_BYTES, add_packet, own_packet
from bot.images.picture_store import EXTENSIONS

_QUALITIES: Final = (95, 90, 85, 78)
_SCALED_QUALITY: Final = 85
_FULL_COLOUR_QUALITY: Final = 90
_ROUNDS: Final = 8
_SMALLEST_SIDE: Final = 64
_LARGEST_WEBP_SIDE: Final = 16_383
_THUMBNAIL_QUALITY: Final = 80
UNSIGNED_SIDE: Final = 1536
"""Pixels of the longer side of a picture with a secret model."""
THUMBNAIL_SIDE: Final = 384
"""Pixels of a thumbnail's longer side: a third of a phone's width, at three device pixels each."""


def fit(path: Path, image_file: ImageFile, limit_bytes: int, packet: bytes | None = None) -> Upload:
    """Return the image in at most `limit_bytes`.

    Takes processor time: run it in a worker. An image that is too large becomes a JPEG, or a WebP if it is
    transparent anywhere: first at falling quality, then at falling size, in a bounded number of steps that
    depend on the file alone. Its EXIF orientation is applied and its other metadata dropped (a colour profile
    stays). Of an animation the first frame stays. With an XMP `packet`, the result has the file's own mark, else this
    one, unless only the picture alone fits: a signature is lost with the bytes that it signs.

    Raises:
        ImageError: TOO_LARGE if no sensible size fits.
        OSError: The file cannot be read.
    """
    if image_file.size <= limit_bytes:
        return Upload(content=path, extension=EXTENSIONS[image_file.media_type], reencoded=False)
    with path.open("rb") as file, pillow_faults():
        image, profile = load_upright(Image.open(file, formats=[PILLOW_FORMATS[image_file.media_type]]))
        media_type = "image/webp" if image.mode == "RGBA" else "image/jpeg"
        if packet is None:
            return _shrink(image, _Encoder(media_type, profile, limit_bytes))
        packet = own_packet(path.read_bytes()) or packet
        try:
            upload = _shrink(image, _Encoder(media_type, profile, limit_bytes - MAX_PACKET_BYTES))
        except ImageError:
            # A picture without a mark is better than none.
            return _shrink(image, _Encoder(media_type, profile, limit_bytes))
        return replace(upload, content=add_packet(bytes(upload.content), media_type, packet))


def make_unsigned(path: Path, image_file: ImageFile, limit_bytes: int, packet: bytes | None) -> Upload:
    """Return the image as a JPEG without any trace of its model.

    Takes processor time: run it in a worker. All such files have the same format and at most `UNSIGNED_SIDE` pixels a
    side. They have no metadata but the XMP `packet`. What is transparent becomes white.

    Raises:
        ImageError: TOO_LARGE if no sensible size fits, or it cannot be decoded.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file, pillow_faults():
        opened = Image.open(file, formats=[PILLOW_FORMATS[image_file.media_type]])
        image, profile = load_upright(opened)
        if image.mode == "RGBA":
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image).convert("RGB")
        image = _scaled(image, min(1.0, UNSIGNED_SIDE / max(image.size)))
        media_type = "image/jpeg"
        upload = _shrink(image, _Encoder(media_type, profile, limit_bytes - MAX_PACKET_BYTES))
    return upload if packet is None else replace(upload, content=add_packet(bytes(upload.content), media_type, packet))


def make_thumbnail(path: Path, image_file: ImageFile) -> Upload:
    """Return the image with at most `THUMBNAIL_SIDE` pixels a side.

    Takes processor time: run it in a worker. It has no metadata, and of an animation the first frame.

    Raises:
        ImageError: The file cannot be decoded.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file, pillow_faults():
        opened = Image.open(file, formats=[PILLOW_FORMATS[image_file.media_type]])
        # A JPEG is decoded at a fraction of its size; other formats ignore this.
        opened.draft("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        image, _ = load_upright(opened)
        image = _scaled(image, min(1.0, THUMBNAIL_SIDE / max(image.size)))
        media_type = "image/webp" if image.mode == "RGBA" else "image/jpeg"
        out = BytesIO()
        image.save(out, PILLOW_FORMATS[media_type], quality=_THUMBNAIL_QUALITY)
    return Upload(content=out.getvalue(), extension=EXTENSIONS[media_type], reencoded=True)


class _Encoder:
    """Encodes to one format and says whether the result fits."""

    def __init__(self, media_type: str, profile: bytes | None, limit_bytes: int) -> None:
        self.media_type = media_type
        self.largest_side = _LARGEST_WEBP_SIDE if media_type == "image/webp" else math.inf
        self._profile = profile
        self._limit_bytes = limit_bytes

    def excess(self, size: int) -> float:
        """Return how many times too large `size` bytes are."""
        return size / max(1, self._limit_bytes)

    def encode(self, image: Image.Image, quality: int) -> bytes:
        """Return the encoded picture, empty if the encoder cannot do it."""
        out = BytesIO()
        try:
            if self.media_type == "image/webp":
                # The quickest method: the others take up to three times as long for a few per cent.
                image.save(out, "WEBP", quality=quality, method=0, icc_profile=self._profile)
            else:
                # Lettering frays when colours are stored at half the resolution.
                subsampling = "4:4:4" if quality >= _FULL_COLOUR_QUALITY else "4:2:0"
                # Not `optimize`: for that Pillow wants all output in one buffer, which noise overruns.
                image.save(out, "JPEG", quality=quality, subsampling=subsampling, icc_profile=self._profile)
        except (ValueError, OSError):
            # libwebp has no room for the first partition of a large noisy picture; at lower quality it has.
            return b""
        return out.getvalue()


def _shrink(image: Image.Image, encoder: _Encoder) -> Upload:
    """Lower the quality, then the size, until it fits."""
    scale = min(1.0, encoder.largest_side / max(image.size))
    at_hand = _scaled(image, scale)
    data = b""
    for quality in _QUALITIES:
        data = encoder.encode(at_hand, quality)
        if data and encoder.excess(len(data)) <= 1:
            return Upload(content=data, extension=EXTENSIONS[encoder.media_type], reencoded=True)
    for _ in range(_ROUNDS):
        # Bytes grow with the area; a little less, so that the next round mostly is the last.
        scale *= min(0.9, 0.95 / math.sqrt(encoder.excess(len(data)))) if data else 0.7
        if max(image.size) * scale < _SMALLEST_SIDE:
            break
        at_hand = _scaled(image, scale)
        data = encoder.encode(at_hand, _SCALED_QUALITY)
        if data and encoder.excess(len(data)) <= 1:
            return Upload(content=data, extension=EXTENSIONS[encoder.media_type], reencoded=True)
    raise ImageError(ImageProblem.TOO_LARGE, "upload")


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    if scale == 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def load_upright(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """Return the first frame as shown, and its colour profile.

    The frame is RGB, or RGBA if it is transparent anywhere.
    """
    profile = image.info.get("icc_profile") if image.mode in {"RGB", "RGBA", "P"} else None
    image = load_first_frame(image)
    with suppress(Exception):  # broken EXIF is no reason to lose the picture
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # 16 bits a pixel, which Pillow would clip to white.
        image = image.point(lambda value: value * (1 / 256))
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    # Pillow would write comments and XMP from here.
    image.info.clear()
    return image, profile
