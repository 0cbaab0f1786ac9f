"""Direct messages about decisions on submissions."""

import discord
import structlog

from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.services.sharing.notices import NoticeService
from bot.ui.delivery.guild_lookup import find_guild
from bot.ui.delivery.outbox.rendering import NotYetError, Rendering
from bot.ui.i18n import use_locale
from bot.ui.render.sharing.notices import decision_notice

_log = structlog.get_logger(__name__)


class NoticeRenderer:
    """Renders notices in the language of their job.

    Where a member takes no direct messages, `/share list` alone has the decision.
    """

    def __init__(self, *, notices: NoticeService, client: discord.Client) -> None:
        self._notices = notices
        self._client = client

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return the notice; None if the submission moved on since.

        Raises:
            NotYetError: the showcase has no post yet, or other direct messages come first.
        """
        del halvings
        turn = await self._notices.plan(message)
        if turn is None:
            return None
        if turn.wait > 0:
            raise NotYetError(turn.wait)
        snapshot = turn.snapshot
        guild = await find_guild(self._client, snapshot.submission.guild_id)
        with use_locale(snapshot.job.place.locale):
            view = decision_notice(snapshot, None if guild is None else guild.name)
        return None if view is None else Rendering(view=view, member_id=snapshot.submission.member_id)

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Log a notice without a way to its member."""
        _log.info("notice.not_sent", submission=message.subject_id, end=end.value)
