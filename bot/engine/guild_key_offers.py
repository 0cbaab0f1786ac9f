"""The offers of a job within its guild's own keys."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from bot.domain.errors import FaultKind
from bot.domain.jobs import Job
from bot.domain.models import Offer
from db.guild_keys import GuildKeyRepository


def usable_keys(connection: Connection, job: Job) -> Mapping[str, str] | None:
    """Return the ids of a job's keys by provider; None for the operator's."""
    return GuildKeyRepository(connection).usable(job.place.guild_id) if job.own_key else None


def usable_offers(connection: Connection, job: Job, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Return the offers with a key for a job."""
    keys = usable_keys(connection, job)
    return tuple(offer for offer in offers if keys is None or offer.provider in keys)


def key_fault(connection: Connection, job: Job, offers: Sequence[Offer]) -> FaultKind | None:
    """Return why no key serves any of a job's offers; None if one does."""
    if not job.own_key or not offers or usable_offers(connection, job, offers):
        return None
    faults = GuildKeyRepository(connection).faults(job.place.guild_id)
    found = (faults[offer.provider] for offer in offers if offer.provider in faults)
    return next(found, FaultKind.GUILD_KEY_GONE)
