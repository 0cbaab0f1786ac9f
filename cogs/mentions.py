"""Edits by mentions of the bot."""

import discord
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import PICK
from bot.ui.handlers.mentions import MentionHandlers


class Mentions(commands.Cog):
    """Edits of a replied-to picture."""

    def __init__(self, *, client: AtelierClient, handlers: MentionHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Take the messages, and register the buttons of the question."""
        self._client.on_mention = self._answer
        self._client.components.register(PICK.action, self._handlers.pick)

    async def _answer(self, message: discord.Message) -> None:
        if self._client.user is not None:
            await self._handlers.answer(message, self._client.user.id)
