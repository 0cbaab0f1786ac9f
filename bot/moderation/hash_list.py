"""Comparison of pictures with the list of takedowns."""

from collections.abc import Collection, Iterable
from typing import Final, TypeVar

from bot.domain.provenance import distance

SAME_PICTURE_BITS: Final = 15
"""Differing bits of 256 up to which a picture counts as one that was taken down.

A wrong match refuses an innocent picture, so it is stricter than the search for a picture's origin (31): scaled and
re-encoded copies differ in 10 bits at most, different pictures in 60 and more. Of the 16 parts of a fingerprint one is
then the same, so each part is looked up as it is.
"""

_Found = TypeVar("_Found")


def is_same_picture(one: str | None, other: str | None) -> bool:
    """Return whether two fingerprints are those of copies.

    A plain picture has none and is the copy of nothing: flat colours all look alike.
    """
    return one is not None and other is not None and distance(one, other) <= SAME_PICTURE_BITS


def first_match(
    hashes: Collection[str], fingerprint: str | None, listed: Iterable[tuple[_Found, str, str | None]]
) -> _Found | None:
    """Return the first listed picture with one of the hashes, or a close look.

    `listed` are candidates: what to return, their hash and their fingerprint.
    """
    for found, sha256, look in listed:
        if sha256 in hashes or is_same_picture(fingerprint, look):
            return found
    return None
