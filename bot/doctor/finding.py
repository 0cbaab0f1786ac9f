"""Results of checks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check.

    `remedy` says how to fix a fault. With a good result it is a note. A warning is good too: the bot works, but
    something should change; `atelier doctor --strict` fails for it.
    """

    good: bool
    what: str
    remedy: str = ""
    is_warning: bool = False
