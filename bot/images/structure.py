"""Check the structure of an image file before it is decoded.

A few bytes can make a decoder go over all pixels again, or build an object. Members' and providers' files are made of
pieces in the same numbers.
"""

import struct
from typing import Final

from bot.domain.errors import ImageError, ImageProblem
from bot.images.strip_metadata import strip_metadata

# As for members' files. Far more than encoders write.
_MOST_PIECES: Final = 50_000
_MOST_SCANS: Final = 64
_SCAN: Final = b"\xff\xda"


def check_structure(data: bytes, media_type: str) -> None:
    """Check that the file has no more pieces and scans than encoders write.

    Whether they fit together is left to the decoder.

    Raises:
        ImageError: TOO_LARGE if they are too many.
    """
    match media_type:
        case "image/png":
            _count(data, at=8, head=">I", pads=False, between=12)
        case "image/webp":
            _count(data, at=12, head="<4xI", pads=True, between=8)
        case _:
            _check_by_stripping(data, media_type)


def _count(data: bytes, *, at: int, head: str, pads: bool, between: int) -> None:
    """Count pieces by the lengths in their heads.

    `head` is a head's format, `between` the bytes of a piece beyond its length.
    """
    for _ in range(_MOST_PIECES):
        try:
            (length,) = struct.unpack_from(head, data, at)
        except struct.error:
            return
        at += between + length + (length % 2 if pads else 0)
    raise ImageError(ImageProblem.TOO_LARGE, "pieces")


def _check_by_stripping(data: bytes, media_type: str) -> None:
    try:
        strip_metadata(data, media_type)
    except ImageError as error:
        if error.problem is ImageProblem.TOO_LARGE:
            raise
        if media_type == "image/jpeg" and data.count(_SCAN) > _MOST_SCANS:
            # The pieces before the scans do not fit together, which a decoder may not mind.
            raise ImageError(ImageProblem.TOO_LARGE, "scans") from None
