"""The forms of `/studio rules`."""

from collections.abc import Mapping
from typing import Any, Final

import discord
from discord import ui

from bot.domain.guild_settings import GuildSettings
from bot.domain.prompt_rules import MAX_RULE_NAME, PromptRuleState
from bot.services.prompt_blocks import ban_terms
from bot.ui.buttons import RULE_ADD, RULE_BANS, custom_id, guild_target
from bot.ui.handlers.modals import MAX_TYPED, Form, select_options
from bot.ui.i18n import N_, _
from bot.ui.render.prompt_rule_card import KIND_NAMES, SCOPE_NAMES

RULE_BEGINNINGS: Final = {
    PromptRuleState.DRY: N_("As a dry run: matches are counted, nothing is refused"),
    PromptRuleState.ON: N_("On: matching requests are refused"),
    PromptRuleState.OFF: N_("Off"),
}
_NEVER: Final = "0"
BAN_LIMITS: Final = ("0", "1", "2", "3", "4", "5", "7", "10", "15", "20")
REFUSAL_HOURS: Final = ("1", "6", "12", "24", "72", "168")
BAN_TERMS: Final = ("1", "6", "12", "24", "72", "168", "720")


class RuleForm(Form):
    """The form to add rules, one a line."""

    def __init__(self, guild_id: int) -> None:
        super().__init__(_("Add prompt rules"), custom_id(RULE_ADD.action, guild_target(guild_id)))
        text: ui.TextInput[Any] = ui.TextInput(
            custom_id="rules", style=discord.TextStyle.paragraph, max_length=MAX_TYPED
        )
        self._ask(_("Rules"), text, _("One a line"))
        kinds = {kind.value: _(name) for kind, name in KIND_NAMES.items()}
        self._ask(_("Kind"), _menu("kind", kinds), _("Words are whole words; patterns are regular expressions"))
        self._ask(_("Applies to"), _menu("scope", {scope.value: _(name) for scope, name in SCOPE_NAMES.items()}))
        self._ask(_("Start"), _menu("state", {state.value: _(name) for state, name in RULE_BEGINNINGS.items()}))
        name: ui.TextInput[Any] = ui.TextInput(custom_id="name", required=False, max_length=MAX_RULE_NAME)
        self._ask(_("Name or reason"), name, _("A refused member reads it"))


class BanForm(Form):
    """The form about bans after refused prompts."""

    def __init__(self, guild_id: int, settings: GuildSettings) -> None:
        super().__init__(_("Bans after refusals"), custom_id(RULE_BANS.action, guild_target(guild_id)))
        limit, term, ban_term = ban_terms(settings)
        for label, field, values, value in (
            (_("Refused prompts until a ban"), "limit", BAN_LIMITS, limit),
            (_("Within so many hours"), "hours", REFUSAL_HOURS, int(term.total_seconds()) // 3600),
            (_("Hours of the ban"), "ban_hours", BAN_TERMS, int(ban_term.total_seconds()) // 3600),
        ):
            names = {each: _("never") if field == "limit" and each == _NEVER else each for each in values}
            usual = str(value)
            names.setdefault(usual, usual)
            self._ask(label, ui.Select(custom_id=field, options=select_options(names, usual)))


def _menu(name: str, names: Mapping[str, str]) -> ui.Select[Any]:
    return ui.Select(custom_id=name, options=select_options(names))
