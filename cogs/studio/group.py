"""The group `/studio`."""

from collections.abc import Collection
from typing import cast

from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands


@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.default_permissions(manage_guild=True)
class Studio(commands.GroupCog, name="studio", description=locale_str("Run the studio")):
    """The commands of several cogs in one group.

    Those cogs are loaded here, not by the client. Commands in `without` are not offered; their buttons are answered.
    """

    def __init__(self, *cogs: commands.Cog, without: Collection[str] = ()) -> None:
        self._cogs = cogs
        group = cast("app_commands.Group", self.app_command)
        for cog in cogs:
            for command in (each for each in cog.get_app_commands() if each.name not in without):
                group.add_command(command)

    async def cog_load(self) -> None:
        """Load the cogs."""
        for cog in self._cogs:
            await cog.cog_load()
