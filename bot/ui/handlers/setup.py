"""Answers to `/studio setup` and `/studio show`, and their forms."""

from typing import Any

import discord

from bot.domain.errors import AtelierError, NotAllowedError, NotOfferedError
from bot.domain.lazy_text import LazyText
from bot.domain.saved_forms import FilledForm
from bot.domain.saved_forms import SetupForm as StoredForm
from bot.domain.sharing.settings import VoteKind
from bot.services.allowances import AllowanceService
from bot.services.guild_settings import GuildSettingsService
from bot.services.guild_setup import GuildSetupService, GuildState
from bot.ui.buttons import SetupSection, guild_target
from bot.ui.handlers.component_registry import search_id_of, submitted_values
from bot.ui.handlers.form_errors import FormErrors
from bot.ui.handlers.interactions import guild_of, is_admin, require_admin
from bot.ui.handlers.setup_forms import (
    OF_SHARING,
    SetupForm,
    changed_settings,
    is_allowance_shown,
    read_allowance,
    read_settings,
)
from bot.ui.render.channel_rights import ChannelUse, ServerCheck, check_channel, check_everywhere
from bot.ui.render.setup_card import SetupChecks, setup_card, studio_panel

_TYPED = ("amount", "zone")


class SetupHandlers:
    """Setup of a server by its admins."""

    def __init__(
        self,
        *,
        setup: GuildSetupService,
        settings: GuildSettingsService,
        allowances: AllowanceService,
        form_errors: FormErrors,
    ) -> None:
        self._setup = setup
        self._settings = settings
        self._allowances = allowances
        self._form_errors = form_errors

    async def show_setup(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the setup card.

        Raises:
            NotAllowedError: the person is no admin.
        """
        require_admin(interaction)
        state, checks = await self._examine(interaction)
        await interaction.response.send_message(view=setup_card(state, checks), ephemeral=True)

    async def show_settings(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the settings and their sources; raises as `show_setup`."""
        require_admin(interaction)
        state, checks = await self._examine(interaction)
        await interaction.response.send_message(view=studio_panel(state, checks), ephemeral=True)

    async def open(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Answer the button of a greeting with the card, or read the card again.

        Raises:
            NotAllowedError: the person is no admin.
            NotOfferedError: the button is another server's.
        """
        _require_admin(interaction, target)
        if interaction.message is not None and interaction.message.flags.ephemeral:
            await self._show_changed(interaction)
        else:
            await self.show_setup(interaction)

    async def open_form(self, interaction: discord.Interaction[Any], target: str, *, section: SetupSection) -> None:
        """Open the form of a section; raises as `open` does."""
        _require_admin(interaction, target)
        state = await self._setup.get(guild_of(interaction))
        await interaction.response.send_modal(SetupForm(section, state, _guild(interaction), {}))

    async def submit(self, interaction: discord.Interaction[Any], target: str, *, section: SetupSection) -> None:
        """Store the changes of a section, or give back its unreadable values."""
        values, shown = submitted_values(interaction), search_id_of(interaction)
        try:
            _require_admin(interaction, target)
            guild_id, by = guild_of(interaction), interaction.user.id
            if section is SetupSection.ALLOWANCE:
                entry = read_allowance(values, await self._setup.get(guild_id), shown)
                if not is_allowance_shown(entry, shown):
                    await self._allowances.set_for_everyone(guild_id, entry, actor_id=by)
            else:
                changes = changed_settings(section, read_settings(section, values, _guild(interaction)), shown)
                change = self._settings.change_sharing if section in OF_SHARING else self._settings.change
                await change(guild_id, changes, by=by)
        except AtelierError as error:
            single = {name: chosen[0] for name, chosen in values.items() if len(chosen) == 1}
            typed = next((single[name] for name in _TYPED if name in single), "")
            form = StoredForm(guild_id=guild_of(interaction), section=section)
            await self._form_errors.answer(
                interaction, error, FilledForm(form=form, prompt=typed, chosen=(), options=single)
            )
            return
        await self._show_changed(interaction)

    async def reopen(self, interaction: discord.Interaction[Any], form: StoredForm, filled: FilledForm) -> None:
        """Open a form with its typed values; raises as `open` does."""
        _require_admin(interaction, guild_target(form.guild_id))
        state = await self._setup.get(form.guild_id)
        typed = {name: [value] for name, value in filled.options.items()}
        await interaction.response.send_modal(SetupForm(SetupSection(form.section), state, _guild(interaction), typed))

    async def _show_changed(self, interaction: discord.Interaction[Any]) -> None:
        """Show the new state on the pressed card, or as a new one.

        A form that was opened again belongs to the message of its refusal, which then becomes the card.
        """
        state, checks = await self._examine(interaction)
        if interaction.message is not None and interaction.message.flags.ephemeral:
            await interaction.response.edit_message(view=setup_card(state, checks))
        else:
            await interaction.response.send_message(view=setup_card(state, checks), ephemeral=True)

    async def _examine(self, interaction: discord.Interaction[Any]) -> tuple[GuildState, SetupChecks]:
        guild = interaction.guild
        roles = None if guild is None else [each.id for each in guild.roles if not each.is_default()]
        state = await self._setup.get(guild_of(interaction), roles)
        return state, check_rights(state, guild)


def check_rights(state: GuildState, guild: discord.Guild | None) -> SetupChecks:
    """Return the bot's rights where a server's studio is to work."""
    # An unavailable server has no member for the bot.
    if guild is None or guild.get_member(guild._state.self_id or 0) is None:  # noqa: SLF001 - the own id has no other way
        return SetupChecks(channels={}, known=False)
    settings, reacts = state.settings, state.sharing.votes is VoteKind.REACTIONS
    chosen = {
        ChannelUse.STUDIO: settings.studio_channels,
        ChannelUse.REVIEW: (settings.review_channel_id,),
        ChannelUse.SHOWCASE: (settings.showcase_channel_id,),
        ChannelUse.LOG: (settings.log_channel_id,),
    }
    return SetupChecks(
        channels={
            use: tuple(
                check_channel(guild, each, use, reacts=use is ChannelUse.SHOWCASE and reacts) for each in ids if each
            )
            for use, ids in chosen.items()
        },
        everywhere=ServerCheck() if settings.studio_channels else check_everywhere(guild),
        gone_roles=tuple(each for each in settings.moderator_roles if guild.get_role(each) is None),
    )


def _require_admin(interaction: discord.Interaction[Any], target: str) -> None:
    if not is_admin(interaction):
        raise NotAllowedError(LazyText("an admin of this server"))
    if target != guild_target(guild_of(interaction)):
        raise NotOfferedError


def _guild(interaction: discord.Interaction[Any]) -> discord.Guild:
    if interaction.guild is None:
        raise NotOfferedError
    return interaction.guild
