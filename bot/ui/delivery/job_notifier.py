"""Notices of finished jobs to their members.

Opt-in by `/settings`; sent once the card shows the end, and before that is recorded as delivered, so that a restart
comes back to it.
"""

from typing import Final

import structlog

from bot.domain.jobs import Snapshot
from bot.domain.preferences import Notice
from bot.engine.card_store import CardStore
from bot.ui.delivery.bounded_requests import RateLimitError
from bot.ui.delivery.discord_errors import RETRYABLE, classify
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.delivery.result_delivery import DeliveryProgress, ResultDelivery
from bot.ui.i18n import use_locale
from bot.ui.render.notices import direct_notice, ping_notice

_log = structlog.get_logger(__name__)

_MOST_TRIES: Final = 5


class JobNotifier:
    """Sends notices as chosen in `/settings`."""

    def __init__(self, *, card_store: CardStore, messages: JobMessages, delivery: ResultDelivery) -> None:
        self._card_store = card_store
        self._messages = messages
        self._delivery = delivery

    async def notify(self, snapshot: Snapshot, progress: DeliveryProgress) -> None:
        """Notify the member of a finished job, if they want it.

        Never twice. A message that Discord refuses is dropped: the card has the result. Raises errors worth another
        try later.
        """
        job = snapshot.job
        turn = await self._card_store.begin_notice(job)
        if turn is None:
            return
        if turn.wait > 0:
            raise RateLimitError(turn.wait, in_channel=False)
        try:
            with use_locale(job.place.locale):
                await self._send(snapshot, progress, turn.notice, is_first=turn.is_first)
        except Exception as error:
            kind = classify(error)
            progress.notice_tries += 1
            if kind is None or (kind in RETRYABLE and progress.notice_tries < _MOST_TRIES):
                raise
            _log.info("notice.not_sent", job=job.id, notice=turn.notice, kind=kind.name)

    async def _send(self, snapshot: Snapshot, progress: DeliveryProgress, notice: Notice, *, is_first: bool) -> None:
        job, link = snapshot.job, self._messages.link(snapshot.job)
        if notice is Notice.PING:
            if is_first or not await self._messages.was_pinged(job):
                await self._messages.send_ping(job, ping_notice(snapshot))
            return
        if not is_first and await self._messages.sent_direct(job):
            return
        if job.place.private or link is None:
            await self._delivery.send_copy(snapshot, progress)
        else:
            await self._messages.send_link(job, direct_notice(snapshot, link))
