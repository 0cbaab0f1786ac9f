"""Alerts to admins about closed review channels."""

from typing import Protocol

from sqlalchemy import Connection

from bot.domain.guild_settings import GuildSettings
from db.database import Database
from db.guilds import GuildRepository
from db.key_value import KeyValueRepository
from db.submissions import SubmissionRepository


class ReviewNotifier(Protocol):
    """Sends messages to servers' log channels."""

    async def send_review_closed(self, channel_id: int, locale: str | None, review_channel_id: int | None) -> bool:
        """Send the alert; return False if it did not arrive."""
        ...


class ReviewAlerts:
    """Tells a server once about its closed review channel.

    It is told again after the channel worked, or was changed. The setup card says so at any time.
    """

    def __init__(self, *, database: Database, channels: ReviewNotifier) -> None:
        self._database = database
        self._channels = channels

    async def note_closed(self, guild_id: int) -> None:
        """Note a failed post in the review channel."""

        def write(connection: Connection) -> GuildSettings | None:
            if not SubmissionRepository(connection).queue(guild_id).waiting:
                return None  # nothing is to be posted there
            settings = GuildRepository(connection).settings(guild_id)
            facts, value = KeyValueRepository(connection), str(settings.review_channel_id)
            if facts.find(closed_key(guild_id)) == value:
                return None
            facts.save(closed_key(guild_id), value)
            return settings

        settings = await self._database.write(write)
        if settings is not None and settings.log_channel_id is not None:
            await self._channels.send_review_closed(
                settings.log_channel_id, settings.locale, settings.review_channel_id
            )


def closed_key(guild_id: int) -> str:
    """Return the name of the fact about a told server."""
    return f"review_closed:{guild_id}"
