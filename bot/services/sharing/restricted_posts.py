"""Messages about shared pictures of age-restricted channels."""

from sqlalchemy import Connection

from bot.engine.clock import Clock
from db.database import Database
from db.guilds import GuildRepository
from db.submissions import SubmissionRepository, refresh_messages


class RestrictedPosts:
    """Channels of age-restricted pictures, and their messages."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list_places(self) -> list[tuple[int, int]]:
        """Return the guilds and channels with such messages, and for new ones."""

        def read(connection: Connection) -> list[tuple[int, int]]:
            repository, guilds = SubmissionRepository(connection), GuildRepository(connection)
            places = set(repository.list_restricted_places())
            for guild_id in repository.list_restricted_guilds():
                settings = guilds.settings(guild_id)
                channels = settings.showcase_channel_id, settings.review_channel_id
                places |= {(guild_id, each) for each in channels if each is not None}
            return sorted(places)

        return await self._database.read(read)

    async def refresh(self, guild_id: int) -> None:
        """Make a guild's messages about such pictures due again."""
        now = self._clock.now()

        def write(connection: Connection) -> None:
            refresh_messages(connection, SubmissionRepository(connection).list_restricted(guild_id), now)

        await self._database.write(write)
