"""Edits of finished jobs' public cards."""

from typing import Final

from bot.domain.errors import DuelGoneError, JobNotFoundError
from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.services.job_snapshots import JobSnapshotService
from bot.ui.delivery.duel_updater import DuelUpdater
from bot.ui.delivery.outbox.rendering import NotYetError, Rendering
from bot.ui.delivery.result_delivery import ResultDelivery

_DELIVERED_WITHIN_SECONDS: Final = 5.0


class FinishedCards:
    """Renders public cards after their delivery.

    Pictures were taken down, or the card was hidden after reports or is shown again. So are the messages of duels.
    """

    def __init__(self, *, snapshots: JobSnapshotService, delivery: ResultDelivery, duels: DuelUpdater) -> None:
        self._snapshots = snapshots
        self._delivery = delivery
        self._duels = duels

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the card as it should be now; None removes it.

        Raises:
            NotYetError: the card is about to be delivered.
        """
        try:
            snapshot = await self._snapshots.get(message.subject_id)
        except JobNotFoundError:
            return None
        job = snapshot.job
        if job.deleted_at is not None:
            return None
        if job.delivered_at is None:
            raise NotYetError(_DELIVERED_WITHIN_SECONDS)
        if job.duel_id is None:
            view, files = await self._delivery.render_public(snapshot, halvings)
            return Rendering(view=view, channel_id=job.place.channel_id, files=files, is_created=False)
        try:
            rendered = await self._duels.render(job.duel_id, halvings)
        except DuelGoneError:
            return None
        if rendered is None:
            raise NotYetError(_DELIVERED_WITHIN_SECONDS)
        view, files = rendered
        return Rendering(view=view, channel_id=job.place.channel_id, files=files, is_created=False)

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Do nothing: somebody deleted the card, or it is out of reach."""
