"""Buttons and the form of appeals against refused prompts."""

from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import APPEAL, APPEAL_ALLOW, APPEAL_EXCEPTION, APPEAL_KEEP, APPEAL_SHOW
from bot.ui.handlers.appeals import AppealHandlers


class Appeals(commands.Cog):
    """Appeals, and moderators' decisions about them."""

    def __init__(self, *, client: AtelierClient, handlers: AppealHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons and the form."""
        components, handlers = self._client.components, self._handlers
        components.register(APPEAL.action, handlers.begin)
        components.register(APPEAL_ALLOW.action, handlers.allow)
        components.register(APPEAL_EXCEPTION.action, handlers.ask_exception)
        components.register_form(APPEAL_EXCEPTION.action, handlers.add_exception)
        components.register(APPEAL_KEEP.action, handlers.keep)
        components.register(APPEAL_SHOW.action, handlers.show_text)
