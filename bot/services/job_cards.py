"""Edits of finished jobs' public cards."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.jobs import Delivery, Job
from bot.domain.outbox import MessageKind
from db.outbox import OutboxRepository


def request_card(connection: Connection, job: Job, *, new_id: Callable[[], str], at: datetime) -> list[str]:
    """Make an edit of a job's public card due; return its id, if it has one.

    That is the card of a public job, or the public one of a private job. The jobs of a duel share another message.
    """
    message_id = job.public_message_id if job.place.private else job.place.message_id
    is_elsewhere = not job.place.private and job.delivery not in (None, Delivery.CARD)
    if message_id is None or is_elsewhere or job.duel_id is not None:
        return []
    return [
        OutboxRepository(connection).request_edit(
            MessageKind.CARD,
            job.id,
            new_id=new_id(),
            guild_id=job.place.guild_id,
            at=at,
            channel_id=job.place.channel_id,
            message_id=message_id,
        )
    ]
