"""Arguments and results of the functions of the decoder processes.

Not beside those functions: the bot has the values, but no decoder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.domain.images import ImageFile, InputChange


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """Limits of decoding.

    Bytes, pixels of one frame, pixels of a side, frames, pixels of all frames together.
    """

    max_bytes: int = 40 * 1024 * 1024
    max_pixels: int = 64 * 1024 * 1024
    max_side: int = 16_384
    max_frames: int = 1_000
    max_total_pixels: int = 256 * 1024 * 1024


DEFAULT_LIMITS: Final = ImageLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An image to upload: the stored file, or new bytes if `reencoded`.

    `extension` has no dot.
    """

    content: Path | bytes
    extension: str
    reencoded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SanitizedImage:
    """A member's image, ready for a provider.

    `changes` are those that a person may notice. `original_sha256` is the hash of the file as it came.
    """

    file: ImageFile
    changes: frozenset[InputChange] = frozenset()
    original_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The fingerprint of an image; None if it is too plain."""

    fingerprint: str | None
