"""Results of checks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check.

    `remedy` says how to fix a fault. With a good result it is a note.
    """

    good: bool
    what: str
    remedy: str = ""
