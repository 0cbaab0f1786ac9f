"""The Discord client: commands, presses, login and shutdown."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.ui.command_translator import CommandTranslator
from bot.ui.handlers.component_registry import ComponentRegistry
from bot.ui.handlers.error_handler import answer_error
from bot.ui.i18n import set_locale

# The names that discord.py gives to the tasks that answer commands, modals and presses.
_ANSWERING = ("CommandTree-invoker", "discord-ui-", "discord.py: on_interaction")

_log = structlog.get_logger(__name__)


class _Tree(app_commands.CommandTree["AtelierClient"]):
    async def interaction_check(self, interaction: discord.Interaction["AtelierClient"], /) -> bool:
        """Set the member's locale for the task that answers them."""
        set_locale(interaction.locale.value)
        return True

    async def on_error(
        self, interaction: discord.Interaction["AtelierClient"], error: app_commands.AppCommandError, /
    ) -> None:
        await answer_error(interaction, error)


class SyncMemory:
    """Digest of the last synced commands."""

    def __init__(self, get: Callable[[], Awaitable[str | None]], set: Callable[[str], Awaitable[Any]]) -> None:  # noqa: A002
        self.get = get
        self.set = set


class AtelierClient(commands.AutoShardedBot):
    """The Discord client.

    It connects with the `guilds` intent alone: slash commands need no privileged one. Cogs are added before login. Each
    registers its commands and menus with `tree` and its buttons with `components`.

    `identify_turn` waits for this process's turn to log in to the gateway; None with a single process.
    `user_installs` also offers the commands to members who installed the application on their own account.
    """

    def __init__(
        self,
        *,
        synced: SyncMemory,
        shard_count: int | None = None,
        shard_ids: Sequence[int] | None = None,
        identify_turn: Callable[[], Awaitable[None]] | None = None,
        user_installs: bool = False,
    ) -> None:
        # No voice here, so no warning that voice is missing.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        shards: Any = None if shard_ids is None else list(shard_ids)
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=_Tree,
            shard_count=shard_count,
            shard_ids=shards,
            chunk_guilds_at_startup=False,
            max_messages=None,
        )
        self.components = ComponentRegistry()
        self._translator = CommandTranslator()
        self._synced = synced
        self._identify_turn = identify_turn
        self._user_installs = user_installs

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the turn to log in.

        The library only knows the shards of this process.
        """
        if self._identify_turn is not None:
            await self._identify_turn()
        else:
            await super().before_identify_hook(shard_id, initial=initial)

    async def setup_hook(self) -> None:
        """Prepare the cogs' commands for `sync_commands`."""
        await self.tree.set_translator(self._translator)
        self._place_commands()

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Answer presses on permanent buttons and menus.

        discord.py itself answers commands and modals.
        """
        await self.components.dispatch(interaction)

    def _place_commands(self) -> None:
        """Set the places of all commands without their own: guilds, or all."""
        for command in self.tree.get_commands():
            if command.allowed_installs is not None:
                continue
            command.allowed_installs = app_commands.AppInstallationType(guild=True, user=self._user_installs)
            if self._user_installs:
                command.guild_only = False
                command.allowed_contexts = app_commands.AppCommandContext(
                    guild=True, dm_channel=True, private_channel=True
                )

    async def on_ready(self) -> None:
        """Log the ready gateway."""
        _log.info("discord.ready", guilds=len(self.guilds))

    async def hang_up(self, seconds: float) -> None:
        """Take no more interactions and wait for running answers.

        The wait takes at most `seconds`.
        """
        for shard in self.shards.values():
            await shard.disconnect()
        # discord.py keeps no list of them, but names the tasks that it makes.
        answering = [task for task in asyncio.all_tasks() if task.get_name().startswith(_ANSWERING)]
        if answering:
            await asyncio.wait(answering, timeout=seconds)

    async def sync_commands(self) -> None:
        """Send the commands to Discord if they changed.

        With several processes, only the one with shard 0 does.
        """
        if not (self.shard_ids is None or 0 in self.shard_ids):
            return
        registered = self.tree.get_commands()
        payload = [await command.get_translated_payload(self.tree, self._translator) for command in registered]
        digest = hashlib.sha256(json.dumps([self.application_id, payload], sort_keys=True).encode()).hexdigest()
        if await self._synced.get() != digest:
            await self.tree.sync()
            await self._synced.set(digest)
            _log.info("discord.commands_synced", commands=len(payload))
