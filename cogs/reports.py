"""The message menu "Report", and decisions about reports."""

from functools import partial
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.reports import ReportOutcome
from bot.ui.buttons import REPORT, REPORT_BAN_SHARING, REPORT_BAN_STUDIO, REPORT_DISMISS, REPORT_POST, REPORT_TAKE_DOWN
from bot.ui.handlers.sharing.reports import ReportHandlers


class Reports(commands.Cog):
    """Reports of pictures."""

    def __init__(self, *, client: AtelierClient, handlers: ReportHandlers) -> None:
        self._client = client
        self._handlers = handlers
        self._menu = app_commands.ContextMenu(name=locale_str("Report"), callback=self._report)
        self._menu.guild_only = True

    async def cog_load(self) -> None:
        """Register the message menu, the buttons and the forms."""
        self._client.tree.add_command(self._menu)
        components, handlers = self._client.components, self._handlers
        components.register_form(REPORT, handlers.submit)
        components.register(REPORT_POST.action, handlers.ask_about_post)
        components.register(REPORT_DISMISS.action, handlers.dismiss)
        for outcome, spec in (
            (ReportOutcome.TAKEN_DOWN, REPORT_TAKE_DOWN),
            (ReportOutcome.BANNED_FROM_SHARING, REPORT_BAN_SHARING),
            (ReportOutcome.BANNED_FROM_STUDIO, REPORT_BAN_STUDIO),
        ):
            components.register(spec.action, partial(handlers.ask_decision, outcome=outcome))
            components.register_form(spec.action, partial(handlers.decide, outcome=outcome))

    async def _report(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._handlers.ask(interaction, message)
