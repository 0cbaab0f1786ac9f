"""Events about AutoMod's rules, and about the right to read them."""

import discord
from discord.ext import commands

from bot.client import AtelierClient
from bot.services.automod import AutoModService


class AutoModEvents(commands.Cog):
    """Has AutoMod's rules read again after a change.

    Discord sends changes of rules to bots with Manage Server alone.
    """

    def __init__(self, *, client: AtelierClient, automod: AutoModService) -> None:
        self._client = client
        self._automod = automod

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Read the rules of all servers: events may be missing."""
        self._automod.request(*(guild.id for guild in self._client.guilds))

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Read the rules of a server with a new invitation."""
        self._automod.request(guild.id)

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Read the rules of a server after its outage."""
        self._automod.request(guild.id)

    @commands.Cog.listener()
    async def on_automod_rule_create(self, rule: discord.AutoModRule) -> None:
        """Read the rules with a new one."""
        self._automod.request(rule.guild.id)

    @commands.Cog.listener()
    async def on_automod_rule_update(self, rule: discord.AutoModRule) -> None:
        """Read the rules with a changed one."""
        self._automod.request(rule.guild.id)

    @commands.Cog.listener()
    async def on_automod_rule_delete(self, rule: discord.AutoModRule) -> None:
        """Read the rules without a deleted one."""
        self._automod.request(rule.guild.id)

    @commands.Cog.listener()
    async def on_guild_role_update(self, before: discord.Role, after: discord.Role) -> None:
        """Read the rules once a role gained or lost the right."""
        if _reads(before) != _reads(after):
            self._automod.request(after.guild.id)

    @commands.Cog.listener()
    async def on_guild_role_delete(self, role: discord.Role) -> None:
        """Read the rules once a role with the right is gone."""
        if _reads(role):
            self._automod.request(role.guild.id)

    @commands.Cog.listener()
    async def on_member_update(self, before: discord.Member, after: discord.Member) -> None:
        """Read the rules once the bot has other roles."""
        if after.id == after.guild.me.id and before.roles != after.roles:
            self._automod.request(after.guild.id)


def _reads(role: discord.Role) -> bool:
    """Return whether a role gives the right to read the rules."""
    return role.permissions.manage_guild or role.permissions.administrator
