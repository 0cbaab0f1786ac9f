"""Renderer of the messages about appeals."""

import discord
import structlog

from bot.domain.appeals import DECISIONS
from bot.domain.outbox import OutboxEnd, OutboxMessage
from bot.services.appeals import CARD, AppealSnapshots
from bot.ui.delivery.guild_lookup import find_guild
from bot.ui.delivery.outbox.rendering import NotYetError, Rendering
from bot.ui.i18n import use_locale
from bot.ui.render.appeal_card import appeal_answer, appeal_card

_log = structlog.get_logger(__name__)


class AppealMessages:
    """Renders the moderators' card of an appeal, and the answer to its member."""

    def __init__(self, *, appeals: AppealSnapshots, client: discord.Client) -> None:
        self._appeals = appeals
        self._client = client

    async def render(self, message: OutboxMessage, halvings: int) -> Rendering | None:
        """Return a message; None if its appeal is no longer kept.

        Raises:
            NotYetError: an answer waits for its turn among direct messages.
        """
        del halvings
        snapshot = await self._appeals.find(message.subject_id)
        if snapshot is None:
            return None
        is_decided = snapshot.appeal.state in DECISIONS
        with use_locale(snapshot.guild.locale or discord.Locale.american_english.value):
            if message.number == CARD:
                return Rendering(
                    view=appeal_card(snapshot),
                    channel_id=snapshot.guild.review_channel_id,
                    is_reposted=not is_decided,
                    follows_channel=not is_decided,
                )
            if snapshot.appeal.member_id <= 0 or not is_decided:
                return None
            wait = await self._appeals.plan_answer(message)
            if wait:
                raise NotYetError(wait)
            guild = await find_guild(self._client, snapshot.appeal.guild_id)
            view = appeal_answer(snapshot, "" if guild is None else guild.name)
            return Rendering(view=view, member_id=snapshot.appeal.member_id)

    async def on_end(self, message: OutboxMessage, end: OutboxEnd) -> None:
        """Log the end; members may take no direct messages."""
        _log.info("appeal.message_not_posted", guild=message.guild_id, number=message.number, end=end)
