"""Errors of guilds' own provider keys. None of them holds a key."""

from enum import StrEnum

from bot.domain.errors.base import AtelierError
from bot.domain.errors.providers import FaultKind


class GuildKeyError(AtelierError):
    """A guild's own key cannot be used or stored."""

    code = "guild_key"


class KeysOffError(GuildKeyError):
    """The operator lets no guild use own keys, or none for this provider."""

    code = "keys_off"


class KeyFormProblem(StrEnum):
    """The mistake in a typed key."""

    PREFIX = "prefix"  # with "Bearer" or the name of a header before it
    BLANK = "blank"  # blanks or line breaks inside
    CHARACTER = "character"  # beyond printable ASCII
    LENGTH = "length"


class KeyFormError(GuildKeyError):
    """The typed text cannot be a key."""

    code = "key_form"

    def __init__(self, problem: KeyFormProblem) -> None:
        super().__init__()
        self.problem = problem


class KeyNotSavedError(GuildKeyError):
    """The provider does not accept a key, or did not answer.

    `fault` is GUILD_KEY_REJECTED, GUILD_ACCOUNT_EMPTY or UNAVAILABLE.
    """

    code = "key_not_saved"

    def __init__(self, provider: str, fault: FaultKind) -> None:
        super().__init__()
        self.provider = provider
        self.fault = fault


class KeyGoneError(GuildKeyError):
    """The guild has no key for this provider any more."""

    code = "key_gone"


class NoGuildKeyError(GuildKeyError):
    """The guild uses own keys, and none of them serves this request.

    `fault` is that of a key for it, None without such a key; `provider` is its provider. `models` have a usable key.
    """

    code = "no_guild_key"

    def __init__(
        self, model: str, *, models: tuple[str, ...] = (), provider: str | None = None, fault: FaultKind | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.models = models
        self.provider = provider
        self.fault = fault
