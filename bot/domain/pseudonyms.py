"""Pseudonyms of members after their deletion."""

import hmac
from typing import Final

_BYTES: Final = 8
_SIGN_BIT: Final = 1 << 63


def pseudonym_of(member_id: int, key: bytes) -> int:
    """Return the keyed hash for a member.

    It is negative, and no id of Discord is. Without the key nobody can tell whose it is, not even by trying all ids.
    """
    digest = hmac.digest(key, str(member_id).encode(), "sha256")
    return int.from_bytes(digest[:_BYTES], "big") % _SIGN_BIT - _SIGN_BIT


def is_pseudonym(member_id: int) -> bool:
    """Return whether an id is the pseudonym of a member."""
    return member_id < 0
