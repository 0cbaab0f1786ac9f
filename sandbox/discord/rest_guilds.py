"""Routes for the bot token: servers, their roles, members and channels."""

from collections.abc import Callable
from typing import Final

from sandbox.discord.automod import AutoMod
from sandbox.discord.entities import Guild
from sandbox.discord.errors import (
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    UNKNOWN_GUILD,
    UNKNOWN_MEMBER,
    UNKNOWN_ROLE,
    UNKNOWN_USER,
    api_error,
)
from sandbox.discord.gateway import MEMBERS_INTENT
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.payloads import (
    channel_payload,
    guild_payload,
    member_payload,
    own_guild_payload,
    role_payload,
)
from sandbox.discord.rest_access import page_size
from sandbox.discord.state import World

_GUILD: Final = "/guilds/{guild_id}"
_MOST_GUILDS: Final = 200
_MOST_MEMBERS: Final = 1000


class GuildRoutes:
    """Serves the servers of the bot. `leave` removes the bot from one."""

    def __init__(self, world: World, automod: AutoMod, *, leave: Callable[[Guild], None]) -> None:
        self._world = world
        self._automod = automod
        self._leave = leave

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", "/users/@me/guilds", self.own_guilds),
            Route("DELETE", "/users/@me/guilds/{guild_id}", self.leave),
            Route("GET", _GUILD, self.guild),
            Route("GET", _GUILD + "/channels", self.channels),
            Route("GET", _GUILD + "/roles", self.roles),
            Route("GET", _GUILD + "/roles/member-counts", self.role_member_counts),
            Route("GET", _GUILD + "/roles/{role_id}", self.role),
            Route("GET", _GUILD + "/members", self.members),
            Route("GET", _GUILD + "/members/{user_id}", self.member),
            Route("GET", _GUILD + "/auto-moderation/rules", self.automod_rules),
        ]

    def own_guilds(self, call: Call) -> Reply:
        """Return the bot's guilds by id, on request with member counts."""
        limit = page_size(call, default=_MOST_GUILDS, most=_MOST_GUILDS)
        before, after = call.query.get("before"), call.query.get("after")
        found = sorted(
            (guild for guild in self._world.guilds.values() if self._world.bot.id in guild.members),
            key=lambda guild: int(guild.id),
        )
        if before is not None:
            found = [guild for guild in found if int(guild.id) < int(before)][-limit:]
        if after is not None:
            found = [guild for guild in found if int(guild.id) > int(after)]
        counted = call.query.get("with_counts") in ("1", "true", "True")
        return Reply([own_guild_payload(guild, self._world, counted=counted) for guild in found[:limit]])

    def leave(self, call: Call) -> Reply:
        """Remove the bot from a guild, as it asks."""
        guild = self._world.guilds.get(call.params["guild_id"])
        if guild is None or self._world.bot.id not in guild.members:
            raise api_error(UNKNOWN_GUILD)
        self._leave(guild)
        return NO_CONTENT

    def guild(self, call: Call) -> Reply:
        """Return a guild."""
        return Reply(guild_payload(self._guild(call), self._world))

    def channels(self, call: Call) -> Reply:
        """Return a guild's channels."""
        channels = self._world.guild_channels(self._guild(call))
        return Reply([channel_payload(channel, self._world) for channel in channels])

    def roles(self, call: Call) -> Reply:
        """Return a guild's roles."""
        return Reply([role_payload(role) for role in self._guild(call).roles.values()])

    def role(self, call: Call) -> Reply:
        """Return a role of a guild."""
        role = self._guild(call).roles.get(call.params["role_id"])
        if role is None:
            raise api_error(UNKNOWN_ROLE)
        return Reply(role_payload(role))

    def role_member_counts(self, call: Call) -> Reply:
        """Return the number of members by role, without @everyone."""
        guild = self._guild(call)
        held = [role_id for member in guild.members.values() for role_id in member.role_ids]
        return Reply({role_id: held.count(role_id) for role_id in guild.roles if role_id != guild.id})

    def members(self, call: Call) -> Reply:
        """Return members by id; needs the privileged members intent."""
        guild = self._guild(call)
        if not self._world.application.privileged_intents & MEMBERS_INTENT:
            raise api_error(MISSING_ACCESS)
        after = int(call.query.get("after", 0))
        found = sorted((user_id for user_id in guild.members if int(user_id) > after), key=int)
        limit = page_size(call, default=1, most=_MOST_MEMBERS)
        return Reply([member_payload(guild.members[user_id], self._world) for user_id in found[:limit]])

    def member(self, call: Call) -> Reply:
        """Return a member of a guild."""
        guild, user_id = self._guild(call), call.params["user_id"]
        if user_id not in self._world.users:
            raise api_error(UNKNOWN_USER)
        if user_id not in guild.members:
            raise api_error(UNKNOWN_MEMBER)
        return Reply(member_payload(guild.members[user_id], self._world))

    def automod_rules(self, call: Call) -> Reply:
        """Return the rules of AutoMod; needs the right to manage the server."""
        guild = self._guild(call)
        if not self._automod.is_readable(guild):
            raise api_error(MISSING_PERMISSIONS)
        return Reply([rule.payload for rule in self._automod.rules(guild)])

    def _guild(self, call: Call) -> Guild:
        guild = self._world.guilds.get(call.params["guild_id"])
        if guild is None:
            raise api_error(UNKNOWN_GUILD)
        if self._world.bot.id not in guild.members:
            raise api_error(MISSING_ACCESS)
        return guild
