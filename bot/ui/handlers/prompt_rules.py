"""Answers to `/studio rules`: the prompt rules of a server."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import NotOfferedError, PromptRuleError
from bot.domain.prompt_rules import (
    PromptRuleKind,
    PromptRuleScope,
    PromptRuleState,
)
from bot.services.automod import AutoModService
from bot.services.guild_settings import GuildSettingsService
from bot.services.prompt_blocks import ban_terms
from bot.services.prompt_rules import PromptRuleService
from bot.ui.buttons import guild_target
from bot.ui.handlers.component_registry import picture_of, search_id_of, selected_values, submitted_values
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.interactions import require_admin
from bot.ui.handlers.modals import chosen_value
from bot.ui.handlers.rule_forms import (
    BAN_LIMITS,
    BAN_TERMS,
    REFUSAL_HOURS,
    RULE_BEGINNINGS,
    BanForm,
    RuleForm,
)
from bot.ui.i18n import _
from bot.ui.render.formatting import escaped
from bot.ui.render.prompt_rule_card import KIND_NAMES, SCOPE_NAMES, added_note, prompt_rule_card
from bot.ui.render.prompt_rule_words import prompt_rule_message
from bot.ui.truncation import cut

_QUIET: Final = discord.AllowedMentions.none()
_SHOWN: Final = 60


class PromptRuleHandlers:
    """A server's prompt rules in Discord, for its admins.

    Rights are checked at each press.
    """

    def __init__(
        self,
        *,
        rules: PromptRuleService,
        settings: GuildSettingsService,
        automod: AutoModService,
        form_errors: FormErrors,
    ) -> None:
        self._rules = rules
        self._settings = settings
        self._automod = automod
        self._form_errors = form_errors

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the card."""
        view = await self._card(interaction, require_admin(interaction))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_QUIET)

    async def turn(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show another page."""
        card = await self._card(interaction, _guild(interaction, target), page=picture_of(interaction))
        await self._edit(interaction, card)

    async def choose(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show the chosen rule and its trial."""
        guild_id = _guild(interaction, target)
        chosen = next(iter(selected_values(interaction)), "")
        await self._edit(
            interaction, await self._card(interaction, guild_id, page=picture_of(interaction), rule_id=chosen)
        )

    async def set_on(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Switch a rule on."""
        await self._set_state(interaction, target, PromptRuleState.ON)

    async def set_dry(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Begin a rule's dry run."""
        await self._set_state(interaction, target, PromptRuleState.DRY)

    async def set_off(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Switch a rule off."""
        await self._set_state(interaction, target, PromptRuleState.OFF)

    async def remove(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Remove a rule."""
        guild_id = _guild(interaction, target)
        rule = await self._rules.remove(guild_id, search_id_of(interaction) or "", by=interaction.user.id)
        note = _("Removed: {rule}").format(rule=f"“{escaped(cut(rule.text, _SHOWN))}”")
        await self._edit(interaction, await self._card(interaction, guild_id, page=picture_of(interaction), note=note))

    async def open_form(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Open the form to add rules."""
        await interaction.response.send_modal(RuleForm(_guild(interaction, target)))

    async def submit(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Add the typed rules, or give them back with the reason."""
        guild_id = _guild(interaction, target)
        values = submitted_values(interaction)
        typed = _typed(values, "rules")
        try:
            added = await self._rules.add(
                guild_id,
                typed,
                kind=PromptRuleKind(_chosen(values, "kind", KIND_NAMES)),
                scope=PromptRuleScope(_chosen(values, "scope", SCOPE_NAMES)),
                state=PromptRuleState(_chosen(values, "state", RULE_BEGINNINGS)),
                name=_typed(values, "name"),
                by=interaction.user.id,
            )
        except PromptRuleError as error:
            await self._form_errors.give_back(interaction, error, typed)
            return
        await self._edit(interaction, await self._card(interaction, guild_id, note=added_note(added)))

    async def open_bans(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Open the form about bans."""
        guild_id = _guild(interaction, target)
        await interaction.response.send_modal(BanForm(guild_id, await self._settings.get(guild_id)))

    async def submit_bans(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Change the terms of bans."""
        guild_id = _guild(interaction, target)
        values = submitted_values(interaction)
        before = ban_terms(await self._settings.get(guild_id))
        shown = [before[0], *(int(each.total_seconds()) // 3600 for each in before[1:])]
        fields = {"limit": ("block_limit", BAN_LIMITS), "hours": ("block_hours", REFUSAL_HOURS)}
        fields |= {"ban_hours": ("block_ban_hours", BAN_TERMS)}
        changes = {
            setting: int(_chosen(values, field, (*offered, str(value))))
            for (field, (setting, offered)), value in zip(fields.items(), shown, strict=True)
        }
        await self._settings.change(guild_id, changes, by=interaction.user.id)
        await self._edit(interaction, await self._card(interaction, guild_id))

    async def switch_automod(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Apply AutoMod's rules, or no longer; show an impossible change."""
        guild_id = _guild(interaction, target)
        await interaction.response.defer()
        note = None
        try:
            if picture_of(interaction):
                await self._automod.switch_on(guild_id, by=interaction.user.id)
            else:
                await self._automod.switch_off(guild_id, by=interaction.user.id)
        except PromptRuleError as error:
            note = prompt_rule_message(error)
        card = await self._card(interaction, guild_id, note=note)
        await interaction.edit_original_response(view=card, allowed_mentions=_QUIET)

    async def _set_state(self, interaction: discord.Interaction[Any], target: str, state: PromptRuleState) -> None:
        guild_id, rule_id = _guild(interaction, target), search_id_of(interaction) or ""
        await self._rules.set_state(guild_id, rule_id, state, by=interaction.user.id)
        await self._edit(
            interaction, await self._card(interaction, guild_id, page=picture_of(interaction), rule_id=rule_id)
        )

    async def _card(
        self,
        interaction: discord.Interaction[Any],
        guild_id: int,
        *,
        page: int = 0,
        rule_id: str | None = None,
        note: str | None = None,
    ) -> ui.LayoutView:
        chosen, trial = None, None
        if rule_id is not None:
            chosen, trial = await self._rules.try_rule(guild_id, rule_id)
        rules = await self._rules.list(guild_id)
        settings = await self._settings.get(guild_id)
        return prompt_rule_card(
            guild_id,
            rules,
            settings,
            await self._automod.view(guild_id),
            reads_automod=interaction.app_permissions.manage_guild,
            page=page,
            chosen=chosen,
            trial=trial,
            note=note,
        )

    async def _edit(self, interaction: discord.Interaction[Any], view: ui.LayoutView) -> None:
        await interaction.response.edit_message(view=view, allowed_mentions=_QUIET)


def _guild(interaction: discord.Interaction[Any], target: str) -> int:
    """Return the guild of an admin's press.

    Raises:
        NotAllowedError: the person is no admin.
        NotOfferedError: the card is another server's.
    """
    guild_id = require_admin(interaction)
    if target != guild_target(guild_id):
        raise NotOfferedError
    return guild_id


def _typed(values: Mapping[str, Sequence[str]], field: str) -> str:
    return next(iter(values.get(field, ())), "")


def _chosen(values: Mapping[str, Sequence[str]], field: str, offered: Any) -> str:
    value = chosen_value(values, field, offered)
    if value is None:
        raise NotOfferedError
    return value
