"""Presses and forms of appeals against refused prompts."""

import io
from typing import Any, Final

import discord
from discord import ui

from bot.domain.appeals import AppealState
from bot.domain.errors import AppealGoneError, NotAllowedError, NotOfferedError
from bot.domain.lazy_text import LazyText
from bot.domain.prompt_rules import MAX_RULE_LENGTH, PromptRuleSource
from bot.services.appeals import AppealService, AppealSnapshots
from bot.ui.buttons import APPEAL_EXCEPTION, custom_id
from bot.ui.handlers.component_registry import submitted_values
from bot.ui.handlers.interactions import actor_of, is_admin
from bot.ui.handlers.modals import Form
from bot.ui.i18n import _
from bot.ui.render.appeal_card import appealed_note, decided_note
from bot.ui.render.details import PROMPT_FILE, prompt_panel
from bot.ui.truncation import cut

_WORDS: Final = "words"
_QUIET: Final = discord.AllowedMentions.none()


class ExceptionForm(Form):
    """The form for the words of an exception."""

    def __init__(self, block_id: str, words: str) -> None:
        super().__init__(_("Add an exception"), custom_id(APPEAL_EXCEPTION.action, block_id))
        field: ui.TextInput[Any] = ui.TextInput(
            custom_id=_WORDS, default=cut(words, MAX_RULE_LENGTH) or None, max_length=MAX_RULE_LENGTH
        )
        self._ask(_("Allowed words"), field, _("No rule of this server matches within these words"))


class AppealHandlers:
    """Answers members with an appeal, and moderators with a decision."""

    def __init__(self, *, appeals: AppealService, snapshots: AppealSnapshots) -> None:
        self._appeals = appeals
        self._snapshots = snapshots

    async def begin(self, interaction: discord.Interaction[Any], block_id: str) -> None:
        """Send a refused prompt to the moderators."""
        await self._appeals.begin(block_id, interaction.user.id)
        await self._say(interaction, appealed_note())

    async def allow(self, interaction: discord.Interaction[Any], block_id: str) -> None:
        """Allow the prompt for a day."""
        await self._decide(interaction, block_id, AppealState.ALLOWED)

    async def keep(self, interaction: discord.Interaction[Any], block_id: str) -> None:
        """Keep the prompt refused."""
        await self._decide(interaction, block_id, AppealState.KEPT)

    async def ask_exception(self, interaction: discord.Interaction[Any], block_id: str) -> None:
        """Open the form of an exception, with the matched words.

        Raises:
            AppealGoneError: the refusal is no longer kept, or another server's.
            NotAllowedError: the actor is no moderator.
            NotOfferedError: the refusal is by a rule of AutoMod.
        """
        snapshot = await self._snapshots.find(block_id)
        actor = actor_of(interaction, everywhere=True)
        if snapshot is None or snapshot.appeal.guild_id != actor.guild_id:
            raise AppealGoneError
        if not actor.moderator:
            raise NotAllowedError(LazyText("a moderator"))
        if snapshot.block.source is not PromptRuleSource.GUILD:
            raise NotOfferedError
        await interaction.response.send_modal(ExceptionForm(block_id, snapshot.block.words))

    async def add_exception(self, interaction: discord.Interaction[Any], block_id: str) -> None:
        """Add the submitted exception."""
        words = "".join(submitted_values(interaction).get(_WORDS, []))
        await self._decide(interaction, block_id, AppealState.EXCEPTION, exception=words)

    async def show_text(self, interaction: discord.Interaction[Any], block_id: str) -> None:
        """Answer with the member's refused prompt, to copy."""
        prompt = await self._appeals.read_text(block_id, interaction.user.id)
        view = prompt_panel(prompt)
        if view is not None:
            await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)
            return
        file = discord.File(io.BytesIO(prompt.encode()), filename=PROMPT_FILE)
        await interaction.response.send_message(file=file, ephemeral=True)

    async def _decide(
        self, interaction: discord.Interaction[Any], block_id: str, to: AppealState, *, exception: str = ""
    ) -> None:
        actor = actor_of(interaction, everywhere=True)
        await self._appeals.decide(block_id, to, actor, is_admin=is_admin(interaction), exception=exception)
        await self._say(interaction, decided_note(to))

    async def _say(self, interaction: discord.Interaction[Any], text: str) -> None:
        await interaction.response.send_message(text, ephemeral=True, allowed_mentions=_QUIET)
