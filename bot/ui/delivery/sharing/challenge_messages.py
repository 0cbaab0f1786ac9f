"""Renderer of a challenge's messages."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import discord
import structlog

from bot.domain.age_restriction import may_show
from bot.domain.errors import ImageError
from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.domain.provenance import mark_for
from bot.domain.sharing.challenges import ChallengeState
from bot.engine.clock import Clock
from bot.images.decoder_values import Upload
from bot.images.image_service import ImageService
from bot.services.sharing.challenge_snapshots import CARD, WINNERS, ChallengeSnapshot, ChallengeSnapshots, ShownEntry
from bot.ui.delivery.age_flags import fetch_flag
from bot.ui.delivery.guild_lookup import find_upload_limit
from bot.ui.delivery.outbox.rendering import Rendering
from bot.ui.delivery.uploads import MAX_REQUEST_BYTES, open_file
from bot.ui.i18n import use_locale
from bot.ui.render.sharing.challenge_card import MOST_WINNERS, challenge_card, entries_of, entries_page, winners_post

_log = structlog.get_logger(__name__)
_LINK_AFTER: Final = timedelta(seconds=3)


class ChallengeMessages:
    """Renders the card, the pages of entries and the winners of challenges."""

    def __init__(
        self, *, snapshots: ChallengeSnapshots, images: ImageService, client: discord.Client, clock: Clock
    ) -> None:
        self._snapshots = snapshots
        self._images = images
        self._client = client
        self._clock = clock

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return a message of a challenge; None removes a page."""
        snapshot = await self._snapshots.get(message.subject_id)
        with use_locale(snapshot.guild.locale or discord.Locale.american_english.value):
            if message.number == CARD:
                return Rendering(
                    view=challenge_card(snapshot),
                    channel_id=snapshot.challenge.channel_id,
                    again_at=self._clock.now() + _LINK_AFTER if _lacks_link(snapshot) else None,
                )
            if snapshot.challenge.state is ChallengeState.CANCELLED:
                return None
            if message.number == WINNERS:
                return await self._winners(snapshot, halvings)
            return await self._page(snapshot, message.number, halvings)

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Log the end; the challenge goes on without this message."""
        _log.warning("challenge.message_not_posted", guild=message.guild_id, end=end)

    async def _page(self, snapshot: ChallengeSnapshot, page: int, halvings: int) -> Rendering | None:
        entries = entries_of(snapshot, page)
        if not entries:
            return None
        uploads = await self._uploads(snapshot, entries, halvings)
        view = entries_page(snapshot, page, _names(uploads))
        if view is None:
            return None
        return Rendering(
            view=view,
            channel_id=snapshot.challenge.channel_id,
            files=lambda: _files(uploads),
        )

    async def _winners(self, snapshot: ChallengeSnapshot, halvings: int) -> Rendering | None:
        winning = {each.entry.number for each in snapshot.placings[:MOST_WINNERS]}
        if not winning:
            return None
        entries = [each for each in snapshot.entries if each.entry.number in winning]
        uploads = await self._uploads(snapshot, entries, halvings)
        return Rendering(
            view=winners_post(snapshot, _names(uploads)),
            channel_id=snapshot.challenge.channel_id,
            files=lambda: _files(uploads),
        )

    async def _uploads(
        self, snapshot: ChallengeSnapshot, entries: Sequence[ShownEntry], halvings: int
    ) -> Mapping[int, Upload]:
        """Return the pictures of entries by number, fitted to one request."""
        limit = await find_upload_limit(self._client, snapshot.challenge.guild_id)
        limit = min(limit, MAX_REQUEST_BYTES // max(1, len(entries))) >> halvings
        flagged = any(each.submission.is_age_restricted for each in entries) and await fetch_flag(
            self._client, snapshot.challenge.channel_id
        )
        found = {}
        for each in entries:
            shown = may_show(is_age_restricted=each.submission.is_age_restricted, in_age_restricted=flagged)
            if each.picture is None or not shown:
                continue
            try:
                mark = mark_for(each.job.request.model, each.job.request.inputs)
                upload = await self._images.prepare_upload(
                    each.picture.file, limit, member=each.entry.member_id, mark=mark
                )
            except (OSError, ImageError) as error:
                _log.error("challenge.picture_not_read", number=each.entry.number, error=type(error).__name__)
            else:
                found[each.entry.number] = upload
        return found


def _lacks_link(snapshot: ChallengeSnapshot) -> bool:
    """Return whether the card's first page of entries is still to be posted."""
    if snapshot.challenge.state is not ChallengeState.VOTING:
        return False
    return any(page.message_id is None and page.end is None for page in snapshot.pages[:1])


def _names(uploads: Mapping[int, Upload]) -> dict[int, str]:
    return {number: f"entry-{number}.{upload.extension}" for number, upload in uploads.items()}


def _files(uploads: Mapping[int, Upload]) -> list[discord.File]:
    names = _names(uploads)
    return [open_file(upload, names[number]) for number, upload in uploads.items()]
