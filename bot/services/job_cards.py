"""Edits of finished jobs' public cards."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.jobs import Delivery, Job
from bot.domain.outbox import MessageKind
from db.duels import DuelRepository
from db.outbox import OutboxRepository


def request_card(connection: Connection, job: Job, *, new_id: Callable[[], str], at: datetime) -> list[str]:
    """Make an edit of a job's public card due; return its id, if it has one.

    That is the card of a public job, or the public one of a private job. The jobs of a duel share one message, whose
    subject is the first of them.
    """
    message_id = job.public_message_id if job.place.private else job.place.message_id
    is_elsewhere = not job.place.private and job.delivery not in (None, Delivery.CARD)
    duel = None if job.duel_id is None else DuelRepository(connection).find(job.duel_id)
    if message_id is None or is_elsewhere or (job.duel_id is not None and duel is None):
        return []
    return [
        OutboxRepository(connection).request_edit(
            MessageKind.CARD,
            job.id if duel is None else duel.entries[0].job_id,
            new_id=new_id(),
            guild_id=job.place.guild_id,
            at=at,
            channel_id=job.place.channel_id,
            message_id=message_id,
        )
    ]
