"""Availability of sharing in a server."""

from sqlalchemy import Connection

from bot.domain.jobs import Job, State
from bot.domain.sharing.settings import ReviewMode
from bot.services.job_sources import is_hidden
from db.duels import DuelRepository
from db.guilds import GuildRepository
from db.sharing_settings import SharingSettingsRepository


def is_shareable(connection: Connection, job: Job) -> bool:
    """Return whether a job's pictures can be shared in its server.

    The server has a showcase, and a channel for the review unless nothing is reviewed. A duel has ended. The pictures
    are not hidden after reports.
    """
    guild_id = job.place.guild_id
    if not guild_id or job.state is not State.DONE:
        return False
    if job.duel_id is not None and DuelRepository(connection).find_unended(job.duel_id) is not None:
        return False
    settings = GuildRepository(connection).settings(guild_id)
    if settings.showcase_channel_id is None:
        return False
    if settings.review_channel_id is None:
        review = SharingSettingsRepository(connection).get(guild_id).review
        if review is not ReviewMode.NONE:
            return False
    return not is_hidden(connection, job.id)
