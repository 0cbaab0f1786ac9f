"""`/review`, and the buttons, menus and forms of the moderators' review."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.bans import BanScope
from bot.ui.buttons import (
    REVIEW_APPROVE,
    REVIEW_ASK,
    REVIEW_BANS,
    REVIEW_BULK,
    REVIEW_BULK_APPROVE,
    REVIEW_BULK_BACK,
    REVIEW_BULK_CONFIRM,
    REVIEW_BULK_REFUSE,
    REVIEW_PICK,
    REVIEW_PROMPT,
    REVIEW_REFUSE,
    REVIEW_SHOW,
    REVIEW_SPOILER,
    REVIEW_TAKE_DOWN,
)
from bot.ui.handlers.sharing.review import ReviewHandlers
from bot.ui.handlers.sharing.review_queue import ReviewQueueHandlers


@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.default_permissions(manage_messages=True)
class Review(commands.GroupCog, name="review", description=locale_str("Review shared pictures")):
    """The review of submissions."""

    def __init__(self, *, client: AtelierClient, handlers: ReviewHandlers, queue: ReviewQueueHandlers) -> None:
        self._client = client
        self._handlers = handlers
        self._queue = queue

    async def cog_load(self) -> None:
        """Register the buttons, the menus and the forms."""
        components, handlers, queue = self._client.components, self._handlers, self._queue
        components.register(REVIEW_APPROVE.action, handlers.approve)
        components.register(REVIEW_SPOILER.action, handlers.approve_as_spoiler)
        components.register(REVIEW_SHOW.action, handlers.approve)
        components.register(REVIEW_PROMPT.action, handlers.show_prompt)
        components.register(REVIEW_REFUSE, handlers.refuse)
        components.register_form(REVIEW_REFUSE, handlers.submit_refusal)
        components.register(REVIEW_ASK.action, handlers.ask)
        components.register_form(REVIEW_ASK.action, handlers.submit_request)
        components.register(REVIEW_TAKE_DOWN.action, handlers.take_down)
        components.register_form(REVIEW_TAKE_DOWN.action, handlers.submit_takedown)
        components.register_form(REVIEW_BANS[BanScope.SHARING], handlers.ban_from_sharing)
        components.register_form(REVIEW_BANS[BanScope.STUDIO], handlers.ban_from_studio)
        components.register(REVIEW_BULK.action, queue.show)
        components.register(REVIEW_PICK, queue.pick)
        components.register(REVIEW_BULK_APPROVE.action, queue.ask_to_approve)
        components.register(REVIEW_BULK_REFUSE, queue.ask_to_refuse)
        components.register(REVIEW_BULK_CONFIRM.action, queue.confirm)
        components.register(REVIEW_BULK_BACK.action, queue.show_again)

    @app_commands.command(name="list", description=locale_str("See the shared pictures that wait, and decide several"))
    async def list_waiting(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the longest waiting submissions."""
        await self._queue.show(interaction)

    @app_commands.command(name="stats", description=locale_str("See weekly figures of the review, and by moderator"))
    async def stats(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the figures."""
        await self._queue.show_figures(interaction)
