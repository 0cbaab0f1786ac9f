"""Takedowns of pictures and their receipts."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

EVERYWHERE: Final = 0
"""The guild id of a takedown in every guild."""
MAX_REASON: Final = 400
"""Characters of a reason."""

# Read by phone: neither I, L, O and U, nor the digits 0 and 1.
_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUP: Final = 4
_GROUPS: Final = 2
_LENGTH: Final = _GROUP * _GROUPS
_NOISE: Final = re.compile(r"[^0-9A-Z]")


class TakedownKind(StrEnum):
    """The party behind a takedown."""

    AUTHOR = "author"  # the member who made it
    MODERATOR = "moderator"
    REPORTS = "reports"  # a moderator, after members' reports
    PRIVACY = "privacy"  # a deletion of everything about its member
    OPERATOR = "operator"  # by `atelier takedown`

    @property
    def refuses(self) -> bool:
        """True if the same picture is refused later.

        Members delete their own pictures for any reason, and may make them again.
        """
        return self in (TakedownKind.MODERATOR, TakedownKind.REPORTS, TakedownKind.OPERATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenPicture:
    """A picture on the list: the hash of its bytes, and its fingerprint.

    The fingerprint is None if the picture is too plain to tell from others.
    """

    sha256: str
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Takedown:
    """A decision to remove a picture and its copies.

    `guild_id` is its scope; 0 is everywhere. `job_id` and `position` are where the picture came from; both are None if
    only its file or hash was known, and the position is None for all pictures of the job. `actor_id` is 0 for the
    operator. While `lifted_at` is None, the pictures are refused if its kind refuses them.
    """

    id: str
    code: str
    guild_id: int
    kind: TakedownKind
    actor_id: int
    reason: str
    at: datetime
    job_id: str | None = None
    position: int | None = None
    lifted_at: datetime | None = None


def make_code(number: int) -> str:
    """Return the receipt's code of a random number, such as `7K4M-2QX9`."""
    letters = []
    for _ in range(_LENGTH):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    groups = ("".join(letters[start : start + _GROUP]) for start in range(0, _LENGTH, _GROUP))
    return "-".join(groups)


def read_code(typed: str) -> str | None:
    """Return a code as it is stored, however it was typed; None if it is none."""
    letters = _NOISE.sub("", typed.upper())
    if len(letters) != _LENGTH or not set(letters) <= set(_LETTERS):
        return None
    return f"{letters[:_GROUP]}-{letters[_GROUP:]}"
