"""Functions of the decoder processes, as the bot names them in a call.

Each imports what it runs in the process that runs it: Pillow and libheif take 5 MB, and are not in the bot. Strangers'
files are only ever opened by the processes.
"""

# ruff: noqa: PLC0415 - see above

from pathlib import Path

from bot.domain.images import ImageFile
from bot.images.decoder_values import ImageLimits, Look, SanitizedImage, Upload


def finish_result(path: Path, limits: ImageLimits, packet: bytes | None) -> ImageFile:
    """Run `results.finish_result`."""
    from bot.images import results

    return results.finish_result(path, limits, packet)


def sanitize_with_hash(path: Path) -> SanitizedImage:
    """Run `sanitize.sanitize_with_hash`."""
    from bot.images import sanitize

    return sanitize.sanitize_with_hash(path)


def read_look(path: Path) -> Look:
    """Run `sanitize.read_look`."""
    from bot.images import sanitize

    return sanitize.read_look(path)


def fit(path: Path, image_file: ImageFile, limit_bytes: int, packet: bytes | None = None) -> Upload:
    """Run `reencode.fit`."""
    from bot.images import reencode

    return reencode.fit(path, image_file, limit_bytes, packet)


def make_unsigned(path: Path, image_file: ImageFile, limit_bytes: int, packet: bytes | None) -> Upload:
    """Run `reencode.make_unsigned`."""
    from bot.images import reencode

    return reencode.make_unsigned(path, image_file, limit_bytes, packet)


def make_thumbnail(path: Path, image_file: ImageFile) -> Upload:
    """Run `reencode.make_thumbnail`."""
    from bot.images import reencode

    return reencode.make_thumbnail(path, image_file)
