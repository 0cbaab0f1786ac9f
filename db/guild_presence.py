"""Arrivals of the bot in guilds, and departures."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select, update

from bot.domain.guild_settings import GUILD_SETTINGS
from bot.domain.pauses import PauseScope
from db.challenges import ChallengeRepository
from db.duels import DuelRepository
from db.guild_keys import GuildKeyRepository
from db.guilds import GuildRepository
from db.tables import (
    access_rules,
    allowances,
    automod_guilds,
    automod_rules,
    communities,
    jobs,
    pauses,
    presets,
    prompt_appeals,
    prompt_blocks,
    prompt_rules,
    sharing_settings,
)

_SETTINGS_OF_GUILD: Final = (
    allowances,
    access_rules,
    presets,
    sharing_settings,
    prompt_rules,
    prompt_blocks,
    prompt_appeals,
    automod_guilds,
    automod_rules,
)


class GuildPresenceRepository:
    """Arrivals and departures of the bot within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def arrive(self, guild_id: int, at: datetime) -> bool:
        """Record the bot's presence; return True if it is the first in this stay."""
        GuildRepository(self._connection).add(guild_id)
        row = communities.c.id == guild_id
        self._connection.execute(
            update(communities).where(row, communities.c.left_at.is_not(None)).values(left_at=None)
        )
        first = update(communities).where(row, communities.c.arrived_at.is_(None)).values(arrived_at=at, erased_at=None)
        return self._connection.execute(first).rowcount == 1

    def forget_arrival(self, guild_id: int) -> None:
        """Undo `arrive` after a lost greeting."""
        self._connection.execute(update(communities).where(communities.c.id == guild_id).values(arrived_at=None))

    def leave(self, guild_id: int, at: datetime) -> None:
        """Record a departure; the guild's provider keys are removed."""
        GuildRepository(self._connection).add(guild_id)
        GuildKeyRepository(self._connection).retire(guild_id, at)
        present = (communities.c.id == guild_id) & communities.c.left_at.is_(None)
        self._connection.execute(update(communities).where(present).values(left_at=at))

    def has_left(self, guild_id: int) -> bool:
        """Return whether the bot has left a guild and is not back."""
        gone = (communities.c.id == guild_id) & communities.c.left_at.is_not(None)
        return self._connection.execute(select(communities.c.id).where(gone)).first() is not None

    def list_present(self) -> tuple[int, ...]:
        """Return the guilds with the bot."""
        statement = select(communities.c.id).where(
            communities.c.arrived_at.is_not(None), communities.c.left_at.is_(None)
        )
        return tuple(self._connection.execute(statement).scalars())

    def list_expired(self, before: datetime) -> tuple[int, ...]:
        """Return the guilds left before a time and not erased yet."""
        statement = select(communities.c.id).where(communities.c.left_at < before, communities.c.erased_at.is_(None))
        return tuple(self._connection.execute(statement).scalars())

    def list_jobs(self, guild_id: int, most: int) -> tuple[str, ...]:
        """Return a guild's ended, undeleted jobs."""
        statement = select(jobs.c.id).where(
            jobs.c.guild_id == guild_id, jobs.c.finished_at.is_not(None), jobs.c.deleted_at.is_(None)
        )
        return tuple(self._connection.execute(statement.limit(most)).scalars())

    def erase(self, guild_id: int, before: datetime, at: datetime) -> bool:
        """Erase the settings, allowances, rules, presets and contests of a guild.

        It was left before a time. Its admission and its admins' pause end; what the operator set for it stays.
        Return False if the bot is back.
        """
        names: Collection[str] = (*GUILD_SETTINGS, "admitted_at", "arrived_at", "rules_version")
        gone = (communities.c.id == guild_id) & (communities.c.left_at < before)
        statement = update(communities).where(gone).values(**dict.fromkeys(names), erased_at=at)
        if self._connection.execute(statement).rowcount == 0:
            return False
        of_admins = (pauses.c.scope == PauseScope.STUDIO) & (pauses.c.name == str(guild_id))
        self._connection.execute(delete(pauses).where(of_admins))
        DuelRepository(self._connection).erase_guild(guild_id)
        ChallengeRepository(self._connection).erase_guild(guild_id)
        for table in _SETTINGS_OF_GUILD:
            self._connection.execute(delete(table).where(table.c.guild_id == guild_id))
        return True
