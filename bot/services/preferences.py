"""Members' default options."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot.domain.catalogue import Catalogue
from bot.domain.preferences import NO_PREFERENCES, Preferences, check_preferences
from bot.services.member_limits import FreeAction, MemberLimits
from db.database import Database
from db.preferences import PreferenceRepository


class PreferenceService:
    """Read and change members' default options.

    They are the same in every guild.
    """

    def __init__(
        self, *, database: Database, catalogue: Catalogue, now: Callable[[], datetime], limits: MemberLimits
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._now = now
        self._limits = limits

    async def get(self, member_id: int) -> Preferences:
        """Return a member's preferences, or the bot's defaults if none are set."""
        return await self._database.read(lambda connection: PreferenceRepository(connection).get(member_id))

    async def change(self, member_id: int, changes: Mapping[str, Any]) -> tuple[Preferences, Preferences]:
        """Change some of a member's preferences, by name.

        Return the preferences before and after. None resets one to the bot's default. If this raises, nothing is
        changed.

        Raises:
            UnknownModelError: no such model exists.
            OptionRangeError: a value is not allowed.
            StudioClosedError: no provider offers the model.
            TooManyRequestsError: the member changed them very often within a minute.
        """
        self._limits.count(FreeAction.PREFERENCE, member_id)
        check_preferences(changes, self._catalogue)
        wanted = {name: getattr(NO_PREFERENCES, name) if value is None else value for name, value in changes.items()}
        now = self._now()

        def write(connection: Connection) -> tuple[Preferences, Preferences]:
            repository = PreferenceRepository(connection)
            before = repository.get(member_id)
            after = replace(before, **wanted)
            if after != before:
                repository.save(member_id, after, now)
            return before, after

        return await self._database.write(write)
