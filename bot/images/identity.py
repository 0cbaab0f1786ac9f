"""Identity of a member's image: the hash of its bytes and its fingerprint."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from bot.domain.errors import ImageError, ImageProblem
from bot.images.fingerprint import fingerprint_file
from bot.images.sanitize import SanitizedImage, sanitize


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The hash and the fingerprint of an image.

    `fingerprint` is None if the image is too plain, or cannot be decoded because of `problem`.
    """

    sha256: str
    fingerprint: str | None = None
    problem: ImageProblem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The fingerprint of an image; None if it is too plain."""

    fingerprint: str | None


def hash_file(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_look(path: Path) -> Look:
    """Sanitize a member's image file in place and return its look.

    Takes processor time: run it in a worker. Raises as `sanitize` does.
    """
    return Look(fingerprint=fingerprint_file(path, sanitize(path).file))


def sanitize_with_look(path: Path) -> SanitizedImage:
    """Sanitize a member's image file in place, with hash and fingerprint.

    Takes processor time: run it in a worker. Raises as `sanitize` does.
    """
    original = hash_file(path)
    sanitized = sanitize(path)
    try:
        fingerprint = fingerprint_file(path, sanitized.file)
    except ImageError:  # it was decoded: no copy will be found, but the picture is fine
        fingerprint = None
    file = replace(sanitized.file, fingerprint=fingerprint)
    return replace(sanitized, file=file, original_sha256=original)
