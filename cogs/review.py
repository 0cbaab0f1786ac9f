"""Buttons, menus and forms of the moderators' review."""

from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.bans import BanScope
from bot.ui.buttons import (
    REVIEW_APPROVE,
    REVIEW_ASK,
    REVIEW_BANS,
    REVIEW_PROMPT,
    REVIEW_REFUSE,
    REVIEW_SHOW,
    REVIEW_SPOILER,
    REVIEW_TAKE_DOWN,
)
from bot.ui.handlers.sharing.review import ReviewHandlers


class Review(commands.Cog):
    """The review of submissions."""

    def __init__(self, *, client: AtelierClient, handlers: ReviewHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons, the menu and the forms of review cards."""
        components, handlers = self._client.components, self._handlers
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
