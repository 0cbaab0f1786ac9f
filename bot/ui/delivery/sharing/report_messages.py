"""Renderer of the moderators' cards about reports."""

from typing import Final

import discord
import structlog

from bot.domain.age_restriction import may_show
from bot.domain.errors import ImageError
from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.domain.provenance import mark_for
from bot.images.image_service import ImageService
from bot.services.reports import ReportService, ReportSnapshot
from bot.ui.delivery.age_flags import fetch_flag
from bot.ui.delivery.guild_lookup import find_upload_limit
from bot.ui.delivery.job_messages import JobMessages
from bot.ui.delivery.outbox.rendering import Rendering
from bot.ui.delivery.uploads import Uploads, fair_limit, prepare_uploads
from bot.ui.i18n import use_locale
from bot.ui.render.report_cards import report_card

_log = structlog.get_logger(__name__)

# About five minutes of tries: the store may be back by then. A card without pictures is better than none.
_TRIES_WITH_PICTURES: Final = 6


class ReportMessages:
    """Renderer of cards of reports."""

    def __init__(
        self, *, reports: ReportService, images: ImageService, messages: JobMessages, client: discord.Client
    ) -> None:
        self._reports = reports
        self._images = images
        self._messages = messages
        self._client = client

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return a case's card.

        None without a moderators' channel: the report is kept.
        """
        snapshot = await self._reports.get(message.subject_id)
        channel_id, job = message.channel_id or snapshot.channel_id, snapshot.job
        is_open = snapshot.case.closed_at is None
        if channel_id is None:
            return None
        uploads = await self._uploads(snapshot, channel_id, message, halvings) if is_open else Uploads()
        shown = job.public_message_id if job.place.private else job.place.message_id
        link = None if shown is None else self._messages.link(job, shown)
        with use_locale(snapshot.guild.locale or discord.Locale.american_english.value):
            view = report_card(snapshot, uploads.attached, link)
        return Rendering(view=view, channel_id=channel_id, files=uploads.files, is_created=is_open, is_reposted=is_open)

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Log the end: the report is kept."""
        _log.warning("report.card_not_posted", guild=message.guild_id, end=end)

    async def _uploads(
        self, snapshot: ReportSnapshot, channel_id: int, message: OutboxMessage, halvings: int
    ) -> Uploads:
        job = snapshot.job
        if not snapshot.pictures:
            return Uploads()
        if job.age_restricted and not may_show(
            is_age_restricted=True, in_age_restricted=await fetch_flag(self._client, channel_id)
        ):
            return Uploads()
        limit = await find_upload_limit(self._client, job.place.guild_id)
        try:
            return await prepare_uploads(
                self._images,
                snapshot.pictures,
                fair_limit(snapshot.pictures, limit) >> halvings,
                member=job.place.member_id,
                mark=mark_for(job.request.model, job.request.inputs),
            )
        except (OSError, ImageError):
            if message.tries < _TRIES_WITH_PICTURES:
                raise
            _log.exception("report.pictures_not_read", case=snapshot.case.id)
            return Uploads()
