"""Identity of a member's image: the hash of its bytes and its fingerprint."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from bot.domain.errors import ImageProblem
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
    return Look(fingerprint=sanitize(path).file.fingerprint)


def sanitize_with_hash(path: Path) -> SanitizedImage:
    """Sanitize a member's image file in place; keep the original's hash.

    Takes processor time: run it in a worker. Raises as `sanitize` does.
    """
    original = hash_file(path)
    return replace(sanitize(path), original_sha256=original)
