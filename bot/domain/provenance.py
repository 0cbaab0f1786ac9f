"""Provenance of pictures: marks in files, and fingerprints."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.domain.images import InputImage

FINGERPRINT_BITS: Final = 256
MAX_DISTANCE: Final = 31
"""Differing bits up to which two fingerprints count as the same picture, as PDQ recommends."""

_BAND_BITS: Final = 16
_BANDS: Final = FINGERPRINT_BITS // _BAND_BITS
_BAND_MASK: Final = (1 << _BAND_BITS) - 1


class SourceType(StrEnum):
    """Used terms of IPTC's vocabulary "Digital Source Type"."""

    GENERATED = "trainedAlgorithmicMedia"
    EDITED = "compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Statement of a picture's file about its origin.

    `model` is None while nobody may know it.
    """

    source: SourceType
    model: str | None


def mark_for(model: str, inputs: Iterable[InputImage], *, from_photo: bool = False) -> Mark:
    """Return the mark of a picture made by a model.

    It counts as edited if an input is not the bot's own picture. `from_photo`: an earlier edit had such an input.
    """
    edited = from_photo or any(each.parent is None for each in inputs)
    return Mark(source=SourceType.EDITED if edited else SourceType.GENERATED, model=model)


def distance(one: str, other: str) -> int:
    """Return the number of differing bits of two fingerprints."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def index_keys(fingerprint: str) -> list[int]:
    """Return the index keys of a fingerprint, one for each band."""
    value = int(fingerprint, 16)
    return [band << _BAND_BITS | value >> band * _BAND_BITS & _BAND_MASK for band in range(_BANDS)]


def search_keys(fingerprint: str) -> list[int]:
    """Return keys to find all fingerprints within `MAX_DISTANCE`.

    Of 31 differing bits in 16 bands, one band has at most one. So each band is tried as it is, and with each of its
    bits flipped (Norouzi et al., "Fast Search in Hamming Space with Multi-Index Hashing").
    """
    keys = index_keys(fingerprint)
    return [key ^ flip for key in keys for flip in (0, *(1 << bit for bit in range(_BAND_BITS)))]
