"""Renderers of the moderators' messages: review cards and the queue card."""

from datetime import timedelta
from typing import Final

import discord
import structlog

from bot.domain.age_restriction import may_show
from bot.domain.errors import ImageError, SubmissionNotFoundError
from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.domain.provenance import mark_for
from bot.engine.clock import Clock
from bot.images.image_service import ImageService
from bot.services.sharing.review_alerts import ReviewAlerts
from bot.services.sharing.review_queue import QueueSnapshot, ReviewQueue
from bot.services.sharing.snapshots import SubmissionSnapshot, SubmissionSnapshots
from bot.ui.delivery.age_flags import fetch_flag
from bot.ui.delivery.guild_lookup import find_upload_limit
from bot.ui.delivery.outbox.rendering import Rendering
from bot.ui.delivery.uploads import Uploads, fair_limit, prepare_uploads
from bot.ui.i18n import use_locale
from bot.ui.render.sharing.review_card import review_card, shows_pictures
from bot.ui.render.sharing.review_queue import OLDEST_SHOWN, queue_card, reminder_card

_log = structlog.get_logger(__name__)

# About five minutes of tries: the store may be back by then. A card without pictures is better than none.
_TRIES_WITH_PICTURES: Final = 6
# The queue's card waits for the links to the cards that it lists.
_LINKS_AFTER: Final = timedelta(seconds=10)


class QueueMessages:
    """Renderer of queue cards (number 0) and of reminders."""

    def __init__(self, *, queue: ReviewQueue, alerts: ReviewAlerts, clock: Clock) -> None:
        self._queue = queue
        self._alerts = alerts
        self._clock = clock

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the queue's card, or its reminder.

        An empty queue gets no new card, and no reminder stays.
        """
        del halvings
        queue = await self._queue.get(message.guild_id, limit=OLDEST_SHOWN)
        is_reminder, has_entries = message.number > 0, bool(queue.summary.waiting)
        if is_reminder and (not has_entries or message.number < queue.latest_reminder):
            return None
        with use_locale(queue.guild.locale or discord.Locale.american_english.value):
            view = reminder_card(queue) if is_reminder else queue_card(queue)
        return Rendering(
            view=view,
            channel_id=queue.guild.review_channel_id,
            # A reminder that was removed stays so.
            is_created=has_entries and not (is_reminder and message.shown),
            is_reposted=has_entries and not is_reminder,
            follows_channel=has_entries and not is_reminder,
            again_at=self._clock.now() + _LINKS_AFTER if _lacks_links(queue) and not is_reminder else None,
        )

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Tell the server once about its closed review channel."""
        _log.warning("review.queue_not_posted", guild=message.guild_id, end=end)
        if end is OutboxEnd.CLOSED:
            await self._alerts.note_closed(message.guild_id)


def _lacks_links(queue: QueueSnapshot) -> bool:
    """Return whether cards of listed submissions are still to be posted."""
    cards = [entry.card for entry in queue.entries]
    return any(card is not None and card.message_id is None and card.end is None for card in cards)


class ReviewMessages:
    """Renderer of review cards."""

    def __init__(
        self,
        *,
        snapshots: SubmissionSnapshots,
        images: ImageService,
        client: discord.Client,
        alerts: ReviewAlerts,
        clock: Clock,
    ) -> None:
        self._snapshots = snapshots
        self._alerts = alerts
        self._images = images
        self._client = client
        self._clock = clock

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return a submission's card.

        A decided submission without a card gets none.
        """
        try:
            snapshot = await self._snapshots.get(message.subject_id)
        except SubmissionNotFoundError:
            return None  # erased with its server or its member
        submission, now = snapshot.submission, self._clock.now()
        is_hidden = await self._is_hidden(message, snapshot)
        has_pictures = shows_pictures(submission) and not is_hidden
        uploads = await self._uploads(snapshot, message, halvings) if has_pictures else Uploads()
        with use_locale(snapshot.guild.locale or discord.Locale.american_english.value):
            view = review_card(snapshot, now, uploads.attached, is_hidden=is_hidden)
        is_claimed = submission.claimed_until is not None and submission.claimed_until > now
        return Rendering(
            view=view,
            channel_id=snapshot.guild.review_channel_id,
            files=uploads.files,
            is_created=submission.state.awaits_review,
            is_reposted=submission.state.awaits_review,
            follows_channel=submission.state.awaits_review,
            again_at=submission.claimed_until if is_claimed else None,
        )

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Tell the server once; the submission stays in the queue."""
        _log.warning("review.card_not_posted", guild=message.guild_id, end=end)
        if end is not OutboxEnd.CLOSED:
            return
        snapshot = await self._snapshots.get(message.subject_id)
        # The card of a decided one may have been deleted by a person.
        if snapshot.submission.state.awaits_review:
            await self._alerts.note_closed(message.guild_id)

    async def _is_hidden(self, message: OutboxMessage, snapshot: SubmissionSnapshot) -> bool:
        """Return whether the card's channel may not show the pictures.

        A waiting submission's card moves to the present review channel.
        """
        submission, channel_id = snapshot.submission, message.channel_id
        if not (submission.is_age_restricted or snapshot.job.age_restricted):
            return False
        if submission.state.awaits_review or channel_id is None:
            channel_id = snapshot.guild.review_channel_id
        flagged = channel_id is not None and await fetch_flag(self._client, channel_id)
        return not may_show(is_age_restricted=True, in_age_restricted=flagged)

    async def _uploads(self, snapshot: SubmissionSnapshot, message: OutboxMessage, halvings: int) -> Uploads:
        """Return the pictures, fitted to the server's limit for uploads.

        Age-restricted ones are shown in an age-restricted channel alone.
        """
        channel_id = message.channel_id or snapshot.guild.review_channel_id or 0
        restricted = snapshot.submission.is_age_restricted
        if restricted and not may_show(
            is_age_restricted=True, in_age_restricted=await fetch_flag(self._client, channel_id)
        ):
            return Uploads()
        limit = await find_upload_limit(self._client, snapshot.submission.guild_id)
        try:
            return await prepare_uploads(
                self._images,
                snapshot.pictures,
                fair_limit(snapshot.pictures, limit) >> halvings,
                member=snapshot.job.place.member_id,
                mark=mark_for(snapshot.job.request.model, snapshot.job.request.inputs),
            )
        except (OSError, ImageError):
            if message.tries < _TRIES_WITH_PICTURES:
                raise
            _log.exception("review.pictures_not_read", submission=snapshot.submission.id)
            return Uploads()
