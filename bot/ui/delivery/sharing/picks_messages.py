"""Posts of weeks' picks in the showcase."""

import discord
import structlog

from bot.domain.age_restriction import may_show
from bot.domain.errors import ImageError
from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.domain.provenance import mark_for
from bot.images.decoder_values import Upload
from bot.images.image_service import ImageService
from bot.services.sharing.picks import Pick, PickService
from bot.ui.buttons import PICKS_ABOUT, guild_target
from bot.ui.delivery.age_flags import fetch_flag
from bot.ui.delivery.guild_lookup import find_guild, upload_limit_of
from bot.ui.delivery.outbox.rendering import ForumPost, Rendering
from bot.ui.delivery.uploads import MAX_REQUEST_BYTES, open_file
from bot.ui.i18n import _, use_locale
from bot.ui.render.sharing.picks import picks_post
from bot.ui.render.sharing.showcase_post import file_name

_log = structlog.get_logger(__name__)


class PicksMessages:
    """Renders the post of a week's picks: one picture of each."""

    def __init__(self, *, picks: PickService, image_service: ImageService, client: discord.Client) -> None:
        self._picks = picks
        self._image_service = image_service
        self._client = client

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the post as it should be now; None removes it."""
        picks = await self._picks.posted(message.guild_id, message.number)
        if not picks.picks:
            return None
        settings = picks.picks[0].snapshot.guild
        channel_id = message.channel_id or settings.showcase_channel_id
        guild = await find_guild(self._client, message.guild_id)
        limit = upload_limit_of(guild)
        limit = min(limit, MAX_REQUEST_BYTES // len(picks.picks)) >> halvings
        uploads: dict[str, tuple[str, Upload]] = {}
        for place, each in enumerate(picks.picks, 1):
            upload = await self._upload(each, limit, channel_id or 0)
            if upload is not None:
                name = file_name(each.snapshot.submission, place, upload.extension)
                uploads[each.snapshot.submission.id] = name, upload
        usual = discord.Locale.american_english if guild is None else guild.preferred_locale
        with use_locale(settings.locale or usual.value):
            return Rendering(
                view=picks_post(picks, {submission_id: name for submission_id, (name, __) in uploads.items()}),
                channel_id=settings.showcase_channel_id,
                files=lambda: [open_file(upload, name) for name, upload in uploads.values()],
                pin_group=f":{PICKS_ABOUT.action}:{guild_target(message.guild_id)}:",
                post=ForumPost(title=_("Picks of the week")),
            )

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Note the end in the log."""
        _log.warning("picks.not_posted", guild=message.guild_id, end=end)

    async def _upload(self, pick: Pick, limit: int, channel_id: int) -> Upload | None:
        """Return a pick's first picture; None if it may not be shown, or is gone."""
        snapshot = pick.snapshot
        restricted = snapshot.submission.is_age_restricted or snapshot.job.age_restricted
        if restricted and not may_show(
            is_age_restricted=True, in_age_restricted=await fetch_flag(self._client, channel_id)
        ):
            return None
        request = snapshot.job.request
        for picture in snapshot.pictures[:1]:
            try:
                return await self._image_service.prepare_upload(
                    picture.file,
                    limit,
                    member=snapshot.submission.member_id,
                    mark=mark_for(request.model, request.inputs),
                )
            except (OSError, ImageError) as error:
                _log.error("picks.picture_not_read", error=type(error).__name__)
        return None
