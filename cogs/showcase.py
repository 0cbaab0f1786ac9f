"""Buttons of posts in the showcase."""

from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.jobs import Action
from bot.ui.buttons import POST_AGAIN, SHOWCASE_FORMS, SHOWCASE_OWN, SHOWCASE_REFERENCE, VOTE
from bot.ui.handlers.sharing.showcase import ShowcaseHandlers


class Showcase(commands.Cog):
    """Votes, and pictures made from shared ones."""

    def __init__(self, *, client: AtelierClient, handlers: ShowcaseHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons and forms."""
        components = self._client.components
        components.register(VOTE.action, self._handlers.vote)
        components.register(POST_AGAIN.action, self._handlers.post_again)
        components.register(SHOWCASE_OWN.action, self._handlers.make_own)
        components.register(SHOWCASE_REFERENCE.action, self._handlers.use_as_reference)
        components.register_form(SHOWCASE_FORMS[Action.AGAIN], self._handlers.submit_own)
        components.register_form(SHOWCASE_FORMS[Action.REFERENCE], self._handlers.submit_reference)
