"""Provider keys of guilds: their form, state and faults."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.domain.errors import FaultKind, KeyFormError, KeyFormProblem

SHORTEST_KEY: Final = 12
LONGEST_KEY: Final = 300
"""Characters of a key; those of known providers have 30 to 200."""

_PREFIXES: Final = ("bearer ", "key ", "authorization:", "x-key:", "x-api-key:")

KEY_FAULTS: Final = {
    FaultKind.KEY_REJECTED: FaultKind.GUILD_KEY_REJECTED,
    FaultKind.ACCOUNT_EMPTY: FaultKind.GUILD_ACCOUNT_EMPTY,
}
"""Faults of a key as those of a guild's own key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildKey:
    """A guild's key for a provider, encrypted.

    `fault` is the reason to use it for no new job: the provider rejected it, its account is empty, or it cannot be
    decrypted. `retired_at` is the time of its removal; it then serves running jobs alone.
    """

    id: str
    guild_id: int
    provider: str
    ciphertext: str = field(repr=False)
    set_by: int
    set_at: datetime
    retired_at: datetime | None = None
    fault: FaultKind | None = None


def read_key(typed: str) -> str:
    """Return a typed key without blanks around it.

    Raises:
        KeyFormError: it cannot be a key.
    """
    key = typed.strip()
    if key.lower().startswith(_PREFIXES):
        raise KeyFormError(KeyFormProblem.PREFIX)
    if any(character.isspace() for character in key):
        raise KeyFormError(KeyFormProblem.BLANK)
    if not (key.isascii() and key.isprintable()):
        raise KeyFormError(KeyFormProblem.CHARACTER)
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise KeyFormError(KeyFormProblem.LENGTH)
    return key
