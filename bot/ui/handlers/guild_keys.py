"""Answers to `/studio keys`: a server's own provider keys."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import AtelierError, FaultKind, NotOfferedError
from bot.domain.guild_keys import LONGEST_KEY, SHORTEST_KEY
from bot.providers.registry import display_name
from bot.services.guild_keys import GuildKeys, GuildKeyService
from bot.ui.buttons import KEY_ENTER, custom_id, guild_target, model_digest
from bot.ui.handlers.component_registry import search_id_of, selected_values, submitted_values
from bot.ui.handlers.interactions import require_admin
from bot.ui.handlers.modals import Form
from bot.ui.i18n import _
from bot.ui.render.error_messages import error_message, unexpected
from bot.ui.render.guild_key_card import guild_key_card
from bot.ui.render.guild_key_words import fault_words

_FIELD: Final = "key"


class KeyForm(Form):
    """The form to enter a key. It is never filled in."""

    def __init__(self, guild_id: int, provider: str) -> None:
        title = _("Key for {provider}").format(provider=display_name(provider))
        super().__init__(title, custom_id(KEY_ENTER.action, guild_target(guild_id), search_id=model_digest(provider)))
        field: ui.TextInput[Any] = ui.TextInput(custom_id=_FIELD, min_length=SHORTEST_KEY, max_length=LONGEST_KEY)
        self._ask(_("Key"), field, _("It is stored encrypted and never shown again"))


class GuildKeyHandlers:
    """A server's own keys in Discord, for its admins.

    A refused key is not given back: nothing stores what was typed.
    """

    def __init__(self, *, keys: GuildKeyService) -> None:
        self._keys = keys

    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Answer with the card.

        Raises:
            NotAllowedError: the person is no admin.
            KeysOffError: the operator lets no server use own keys.
        """
        shown = await self._keys.get(require_admin(interaction))
        await interaction.response.send_message(view=guild_key_card(shown), ephemeral=True)

    async def choose(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Show the buttons of the chosen provider."""
        shown = await self._read(interaction, target)
        chosen = next(iter(selected_values(interaction)), None)
        await interaction.response.edit_message(view=guild_key_card(shown, chosen))

    async def open_form(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Open the form for a provider's key."""
        shown = await self._read(interaction, target)
        await interaction.response.send_modal(KeyForm(shown.guild_id, _provider(interaction, shown)))

    async def submit(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Store a typed key, or say why not."""
        shown = await self._read(interaction, target)
        provider = _provider(interaction, shown)
        typed = next(iter(submitted_values(interaction).get(_FIELD, ())), "")

        async def save() -> str:
            await self._keys.set(shown.guild_id, provider, typed, by=interaction.user.id)
            return _("Saved: {provider} accepts the key.").format(provider=display_name(provider))

        await self._change(interaction, shown.guild_id, provider, save)

    async def test(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Try a stored key, and show the result."""
        shown = await self._read(interaction, target)
        provider = _provider(interaction, shown)
        await self._change(interaction, shown.guild_id, provider, partial(self._tested, shown.guild_id, provider))

    async def remove(self, interaction: discord.Interaction[Any], target: str) -> None:
        """Remove a key, and show the others."""
        shown = await self._read(interaction, target)
        provider = _provider(interaction, shown)

        async def erase() -> str:
            await self._keys.remove(shown.guild_id, provider, by=interaction.user.id)
            return _("Removed. Pictures that are being made with it are finished; then it is erased.")

        await self._change(interaction, shown.guild_id, provider, erase)

    async def _read(self, interaction: discord.Interaction[Any], target: str) -> GuildKeys:
        guild_id = require_admin(interaction)
        if target != guild_target(guild_id):
            raise NotOfferedError
        return await self._keys.get(guild_id)

    async def _tested(self, guild_id: int, provider: str) -> str:
        fault = await self._keys.test(guild_id, provider)
        name = display_name(provider)
        if fault is None:
            return _("{provider} accepts the key.").format(provider=name)
        if fault is FaultKind.UNAVAILABLE:
            return _("{provider} did not answer. Try again in a few minutes.").format(provider=name)
        return fault_words(provider, fault)

    async def _change(
        self, interaction: discord.Interaction[Any], guild_id: int, provider: str, change: Callable[[], Awaitable[str]]
    ) -> None:
        """Make a slow change, and show its result on the card."""
        await interaction.response.defer()
        try:
            note = await change()
        except AtelierError as error:
            note = error_message(error) or unexpected(error.code)
        shown = await self._keys.get(guild_id)
        await interaction.edit_original_response(view=guild_key_card(shown, provider, note=note))


def _provider(interaction: discord.Interaction[Any], shown: GuildKeys) -> str:
    """Return the provider of the pressed custom id.

    Raises:
        NotOfferedError: it is none of those shown.
    """
    digest = search_id_of(interaction)
    for provider in shown.providers:
        if model_digest(provider) == digest:
            return provider
    raise NotOfferedError
