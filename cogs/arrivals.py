"""Arrivals of the bot in servers, and its departures."""

import discord
from discord.ext import commands

from bot.client import AtelierClient
from bot.ui.buttons import ADMIT, END_ADMISSION, LEAVE
from bot.ui.handlers.arrivals import ArrivalHandlers


class Arrivals(commands.Cog):
    """Events of servers, and the owner's buttons about them."""

    def __init__(self, *, client: AtelierClient, handlers: ArrivalHandlers) -> None:
        self._client = client
        self._handlers = handlers

    async def cog_load(self) -> None:
        """Register the buttons."""
        components = self._client.components
        components.register(ADMIT.action, self._handlers.admit)
        components.register(END_ADMISSION.action, self._handlers.end_admission)
        components.register(LEAVE.action, self._handlers.depart)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Compare the servers with those of the last start."""
        count = self._client.shard_count or 1
        shards = [*self._client.shards] or [0]
        await self._handlers.compare([*self._client.guilds], shards, count)

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Greet a new server."""
        await self._handlers.arrive(guild)

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Greet a new server, unavailable at the start."""
        await self._handlers.become_available(guild)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Record a departure. An outage of a server is another event."""
        await self._handlers.leave(guild)
