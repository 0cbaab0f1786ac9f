"""The Discord client: which commands there are, who answers errors, what happens at login and at the end."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.services.jobs import JobService
from bot.ui.buttons import BUTTONS
from bot.ui.command_translator import CommandTranslator
from bot.ui.handlers.card_actions import CardActions
from bot.ui.handlers.error_handler import answer_error
from bot.ui.handlers.form_reopen import FormReopener
from bot.ui.handlers.history import HistoryHandlers
from bot.ui.handlers.job_requests import Orders
from bot.ui.handlers.presets import PresetHandlers
from bot.ui.i18n import set_locale

_ANSWERING = ("CommandTree-invoker", "discord-ui-")

_log = structlog.get_logger(__name__)


class _Tree(app_commands.CommandTree["AtelierClient"]):
    async def interaction_check(self, interaction: discord.Interaction["AtelierClient"], /) -> bool:
        """Speak the language of whoever called; the task that runs this answers them alone."""
        set_locale(interaction.locale.value)
        return True

    async def on_error(
        self, interaction: discord.Interaction["AtelierClient"], error: app_commands.AppCommandError, /
    ) -> None:
        await answer_error(interaction, error)


class AtelierClient(commands.AutoShardedBot):
    """Connects with the `guilds` intent alone: slash commands need no privileged one."""

    generation: JobService
    gallery: HistoryHandlers
    orders: Orders
    retries: FormReopener
    shelves: PresetHandlers
    workbench: CardActions

    def __init__(self, *, shard_count: int | None = None, shard_ids: Sequence[int] | None = None) -> None:
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
        self._translator = CommandTranslator()
        self._cogs_to_add: Sequence[commands.Cog] = ()
        self._menus_to_add: Sequence[app_commands.ContextMenu] = ()
        self._on_login: Callable[[], Awaitable[None]] | None = None
        self._synced: SyncMemory | None = None
        self._identify_turn: Callable[[], Awaitable[None]] | None = None
        self._user_installs = False

    def install(
        self,
        *,
        generation: JobService,
        gallery: HistoryHandlers,
        orders: Orders,
        retries: FormReopener,
        shelves: PresetHandlers,
        workbench: CardActions,
        cogs: Sequence[commands.Cog],
        menus: Sequence[app_commands.ContextMenu] = (),
        on_login: Callable[[], Awaitable[None]],
        synced: "SyncMemory",
        identify_turn: Callable[[], Awaitable[None]] | None = None,
        user_installs: bool = False,
    ) -> None:
        """Give the client what it serves; called once, before it starts.

        `identify_turn` waits for this process's turn to log in to the gateway, where there are several. `user_installs`
        offers the commands also to members who have the application on their own account, wherever they are.
        """
        self.generation = generation
        self.gallery = gallery
        self.orders = orders
        self.retries = retries
        self.shelves = shelves
        self.workbench = workbench
        self._cogs_to_add = cogs
        self._menus_to_add = menus
        self._on_login = on_login
        self._synced = synced
        self._identify_turn = identify_turn
        self._user_installs = user_installs

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the turn to log in: the library only knows of the shards of this process."""
        if self._identify_turn is not None:
            await self._identify_turn()
        else:
            await super().before_identify_hook(shard_id, initial=initial)

    async def setup_hook(self) -> None:
        """Register buttons and commands, then let the engine begin: REST works from here on."""
        self.add_dynamic_items(*BUTTONS)
        await self.tree.set_translator(self._translator)
        for cog in self._cogs_to_add:
            await self.add_cog(cog)
        for menu in self._menus_to_add:
            self.tree.add_command(menu)
        self._place_commands()
        if self._on_login is not None:
            await self._on_login()
        await self._sync_commands()

    def _place_commands(self) -> None:
        """Say where commands are offered: everywhere, or where they were; those for one kind of installation say so."""
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
        """Log that the gateway is there."""
        _log.info("discord.ready", guilds=len(self.guilds))

    async def hang_up(self, seconds: float) -> None:
        """Take no more interactions, and let those under way be answered, for `seconds` at most."""
        for shard in self.shards.values():
            await shard.disconnect()
        # discord.py keeps no list of them, but names the tasks that it makes.
        answering = [task for task in asyncio.all_tasks() if task.get_name().startswith(_ANSWERING)]
        if answering:
            await asyncio.wait(answering, timeout=seconds)

    async def _sync_commands(self) -> None:
        """Send the commands to Discord if they are not those that it was sent last; of several processes, one does."""
        if self._synced is None or not (self.shard_ids is None or 0 in self.shard_ids):
            return
        registered = self.tree.get_commands()
        payload = [await command.get_translated_payload(self.tree, self._translator) for command in registered]
        digest = hashlib.sha256(json.dumps([self.application_id, payload], sort_keys=True).encode()).hexdigest()
        if await self._synced.get() != digest:
            await self.tree.sync()
            await self._synced.set(digest)
            _log.info("discord.commands_synced", commands=len(payload))


class SyncMemory:
    """Remembers which commands Discord was sent last."""

    def __init__(self, get: Callable[[], Awaitable[str | None]], set: Callable[[str], Awaitable[Any]]) -> None:  # noqa: A002
        self.get = get
        self.set = set
