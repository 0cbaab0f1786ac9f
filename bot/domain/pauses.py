"""Pauses: stops of new jobs, by the operator or by a server's admins."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

MAX_REASON: Final = 100
"""The most characters of a pause's reason."""


class PauseScope(StrEnum):
    """The extent of a pause."""

    ALL = "all"
    """Everything, by the operator."""
    GUILD = "guild"
    """One server, by the operator."""
    STUDIO = "studio"
    """One server, by its admins."""
    MODEL = "model"
    PROVIDER = "provider"

    @property
    def is_admins(self) -> bool:
        """Return True if a server's admins begin and end such a pause."""
        return self is PauseScope.STUDIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause. `name` is the id of the server, model or provider; "" for all.

    `actor_id` is 0 for the command line.
    """

    scope: PauseScope
    name: str
    reason: str
    actor_id: int
    at: datetime


class Pauses:
    """The pauses of a moment."""

    def __init__(self, entries: Iterable[Pause] = ()) -> None:
        self._entries = {(each.scope, each.name): each for each in entries}

    def __bool__(self) -> bool:
        """Return whether anything is paused."""
        return bool(self._entries)

    def __iter__(self) -> Iterator[Pause]:
        """Yield the pauses, the widest first."""
        order = list(PauseScope)
        return iter(sorted(self._entries.values(), key=lambda each: (order.index(each.scope), each.at, each.name)))

    @property
    def of_all(self) -> Pause | None:
        """The pause of everything."""
        return self._entries.get((PauseScope.ALL, ""))

    @property
    def guilds(self) -> tuple[int, ...]:
        """The paused guilds."""
        scopes = (PauseScope.GUILD, PauseScope.STUDIO)
        return tuple(sorted({int(name) for scope, name in self._entries if scope in scopes}))

    def find(self, scope: PauseScope, name: str) -> Pause | None:
        """Return the pause of a server, model or provider itself, or None."""
        return self._entries.get((scope, name))

    def names(self, scope: PauseScope) -> frozenset[str]:
        """Return the paused names in a scope."""
        return frozenset(name for each, name in self._entries if each is scope)

    def of_guild(self, guild_id: int) -> Pause | None:
        """Return the pause of a whole guild, the operator's first."""
        own = (self._entries.get((scope, str(guild_id))) for scope in (PauseScope.GUILD, PauseScope.STUDIO))
        return self.of_all or next((each for each in own if each is not None), None)

    def of_operator(self, guild_id: int) -> tuple[Pause, ...]:
        """Return the operator's pauses for a guild, the widest first."""
        elsewhere = (PauseScope.GUILD, PauseScope.STUDIO)
        own = self._entries.get((PauseScope.GUILD, str(guild_id)))
        return tuple(each for each in self if each is own or each.scope not in elsewhere)

    def blocking(self, guild_id: int, model: str, providers: Collection[str]) -> Pause | None:
        """Return the pause in a job's way, or None.

        `providers` are all that could take the job: only together their pauses stop it.
        """
        whole = self.of_guild(guild_id) or self._entries.get((PauseScope.MODEL, model))
        if whole is not None or not providers:
            return whole
        paused = [self._entries.get((PauseScope.PROVIDER, each)) for each in providers]
        return None if None in paused else paused[0]
