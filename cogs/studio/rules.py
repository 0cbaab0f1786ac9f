"""`/studio rules`: words forbidden in a server's prompts."""

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.client import AtelierClient
from bot.domain.prompt_rules import PromptRuleState
from bot.ui.buttons import RULE_ADD, RULE_AUTOMOD, RULE_BANS, RULE_MENU, RULE_REMOVE, RULE_STATES, RULES
from bot.ui.handlers.prompt_rules import PromptRuleHandlers


class RuleCommands(commands.Cog):
    """Prompt rules of a server."""

    def __init__(self, *, client: AtelierClient, handlers: PromptRuleHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the menu, the buttons and the forms."""
        components, handlers = self._client.components, self._handlers
        components.register(RULES.action, handlers.turn)
        components.register(RULE_MENU, handlers.choose)
        components.register(RULE_STATES[PromptRuleState.ON].action, handlers.set_on)
        components.register(RULE_STATES[PromptRuleState.DRY].action, handlers.set_dry)
        components.register(RULE_STATES[PromptRuleState.OFF].action, handlers.set_off)
        components.register(RULE_REMOVE.action, handlers.remove)
        components.register(RULE_ADD.action, handlers.open_form)
        components.register_form(RULE_ADD.action, handlers.submit)
        components.register(RULE_BANS.action, handlers.open_bans)
        components.register_form(RULE_BANS.action, handlers.submit_bans)
        components.register(RULE_AUTOMOD.action, handlers.switch_automod)

    @app_commands.command(name="rules", description=locale_str("Say which words prompts must not contain"))
    async def rules(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the card of all rules."""
        await self._handlers.show(interaction)
