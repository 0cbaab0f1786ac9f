"""The group `/studio`."""

from typing import cast

from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands


@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.default_permissions(manage_guild=True)
class Studio(commands.GroupCog, name="studio", description=locale_str("Run the studio")):
    """The commands of several cogs in one group.

    Those cogs are loaded here, not by the client.
    """

    def __init__(self, *cogs: commands.Cog) -> None:
        self._cogs = cogs
        group = cast("app_commands.Group", self.app_command)
        for cog in cogs:
            for command in cog.get_app_commands():
                group.add_command(command)

    async def cog_load(self) -> None:
        """Load the cogs."""
        for cog in self._cogs:
            await cog.cog_load()
