"""Identity of a member's image: the hash of its bytes and its fingerprint."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import ImageProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The hash and the fingerprint of an image.

    `fingerprint` is None if the image is too plain, or cannot be decoded because of `problem`.
    """

    sha256: str
    fingerprint: str | None = None
    problem: ImageProblem | None = None


def hash_file(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
