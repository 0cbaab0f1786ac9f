"""Changes of servers from the panel: roles, people, the bot's rights."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sandbox.discord import Actor, Channel, ClientRefusal, DiscordServer, Guild, Permission, Role
from sandbox.discord.encoding import Json
from sandbox.discord.entities import FORUM_CHANNEL, TEXT_CHANNEL, Member
from sandbox.discord.permissions import ALL, channel_permissions
from sandbox.web.message_parsing import read_text
from sandbox.web.user_settings import LANGUAGES

ROLE_RIGHTS: Final[Mapping[str, Permission]] = {
    "Administrator": Permission.ADMINISTRATOR,
    "Manage Server": Permission.MANAGE_GUILD,
    "Manage Messages": Permission.MANAGE_MESSAGES,
    "Manage Threads": Permission.MANAGE_THREADS,
    "Pin Messages": Permission.PIN_MESSAGES,
    "Moderate Members": Permission.MODERATE_MEMBERS,
}
"""Rights to switch on a role, by Discord's names."""

BOT_RIGHTS: Final[Mapping[str, Permission]] = {
    "View Channel": Permission.VIEW_CHANNEL,
    "Send Messages": Permission.SEND_MESSAGES,
    "Send Messages in Threads": Permission.SEND_MESSAGES_IN_THREADS,
    "Create Public Threads": Permission.CREATE_PUBLIC_THREADS,
    "Embed Links": Permission.EMBED_LINKS,
    "Attach Files": Permission.ATTACH_FILES,
    "Read Message History": Permission.READ_MESSAGE_HISTORY,
    "Use External Emojis": Permission.USE_EXTERNAL_EMOJIS,
    "Add Reactions": Permission.ADD_REACTIONS,
    "Manage Messages": Permission.MANAGE_MESSAGES,
    "Manage Threads": Permission.MANAGE_THREADS,
    "Pin Messages": Permission.PIN_MESSAGES,
}
"""Rights to switch in a channel, of the bot or of everyone."""

INVITED_WITH: Final = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
)
"""Permissions of the panel's invitation."""

_CHANNEL_KINDS: Final = {"text": TEXT_CHANNEL, "forum": FORUM_CHANNEL}
_MOST: Final = 50
_SHORTEST_NAME: Final = 2
_LONGEST_NAME: Final = 100


class GuildActions:
    """Runs the panel's changes of servers."""

    def __init__(self, discord: DiscordServer) -> None:
        self._discord = discord
        self._world = discord.world
        self.actions: dict[str, Callable[[Actor, Json], Awaitable[Json]]] = {
            "role": self.role,
            "membership": self.membership,
            "server": self.server,
            "channel": self.channel,
            "bot_right": self.bot_right,
            "app_owner": self.app_owner,
        }

    def state(self) -> Json:
        """Return all servers with their roles, people and the bot's rights."""
        return {
            "servers": [self._server(guild) for guild in self._world.guilds.values()],
            "app_owner": self._world.application.owner_id,
        }

    async def role(self, _: Actor, body: Json) -> Json:
        """Create, delete, give or take a role, or switch one of its rights."""
        guild = self._guild(body)
        match body.get("action"):
            case "create":
                if len(guild.roles) > _MOST:
                    raise ClientRefusal(f"A server here has at most {_MOST} roles.")
                return {"role": self._discord.create_role(read_text(body, "name"), guild=guild).id}
            case "delete":
                self._discord.delete_role(self._role(guild, body), guild=guild)
            case "give":
                self._discord.give_role(read_text(body, "user"), self._role(guild, body), guild=guild)
            case "take":
                self._discord.take_role(read_text(body, "user"), self._role(guild, body), guild=guild)
            case "right":
                role, right = self._role(guild, body), ROLE_RIGHTS[read_text(body, "right")]
                held = role.permissions | right if body.get("on") is True else role.permissions & ~right
                self._discord.edit_role(role, permissions=held, guild=guild)
            case _:
                raise ClientRefusal("A role can be created, deleted, given, taken or changed.")
        return {}

    async def membership(self, _: Actor, body: Json) -> Json:
        """Let a person join or leave a server."""
        guild, user = self._guild(body), self._world.user(read_text(body, "user"))
        if body.get("on") is not True:
            self._discord.leave_guild(user, guild=guild)
        elif user.id not in guild.members:
            self._discord.join_guild(user, guild=guild)
        return {}

    async def server(self, actor: Actor, body: Json) -> Json:
        """Create a server of the actor, change its language, or move the bot."""
        match body.get("action"):
            case "create":
                if len(self._world.guilds) >= _MOST:
                    raise ClientRefusal(f"There are at most {_MOST} servers here.")
                self._create_server(actor, read_text(body, "name"))
            case "invite":
                self._discord.join(self._guild(body), permissions=INVITED_WITH)
            case "remove":
                self._discord.leave(self._guild(body))
            case "language":
                language = read_text(body, "language")
                if language not in LANGUAGES:
                    raise ClientRefusal("There is no such language here.")
                self._discord.edit_guild(self._guild(body), locale=language)
            case _:
                raise ClientRefusal("A server can be created; the bot can be invited or removed.")
        return {}

    async def channel(self, _: Actor, body: Json) -> Json:
        """Create, age-restrict or delete a channel of a server."""
        guild = self._guild(body)
        channels = self._world.guild_channels(guild)
        match body.get("action"):
            case "create":
                if len(channels) >= _MOST:
                    raise ClientRefusal(f"A server here has at most {_MOST} channels.")
                name = read_text(body, "name").strip().lower().replace(" ", "-")
                kind = _CHANNEL_KINDS[str(body.get("kind") or "text")]
                return {"channel": self._discord.create_channel(name, guild=guild, kind=kind).id}
            case "nsfw":
                changed = self._world.channels[read_text(body, "channel")]
                if changed not in channels:
                    raise ClientRefusal("This channel is in another server.")
                self._discord.edit_channel(changed, nsfw=body.get("on") is True)
            case "delete":
                gone = self._world.channels[read_text(body, "channel")]
                if gone not in channels or len(channels) == 1:
                    raise ClientRefusal("The last channel of a server stays.")
                self._discord.delete_channel(gone)
            case _:
                raise ClientRefusal("A channel can be created, age-restricted or deleted.")
        return {}

    async def bot_right(self, _: Actor, body: Json) -> Json:
        """Switch a right of the bot in a channel, or of everyone there."""
        channel = self._world.channels[read_text(body, "channel")]
        guild = self._world.guilds[channel.guild_id or ""]
        right = BOT_RIGHTS[read_text(body, "right")]
        target = guild.roles[guild.id] if body.get("whose") == "everyone" else self._world.bot
        own = next((each for each in channel.overwrites if each.id == target.id), None)
        allow, deny = (own.allow & ~right, own.deny & ~right) if own is not None else (0, 0)
        if body.get("on") is not True:
            self._discord.set_overwrite(channel, target, allow=allow, deny=deny | right)
            return {}
        self._discord.set_overwrite(channel, target, allow=allow, deny=deny)
        held = self._rights_of_everyone(channel) if isinstance(target, Role) else self._rights_of_bot(channel)
        if not held & right:
            self._discord.set_overwrite(channel, target, allow=allow | right, deny=deny)
        return {}

    async def app_owner(self, _: Actor, body: Json) -> Json:
        """Make a person the application's owner."""
        user = self._world.user(read_text(body, "user"))
        if user.bot:
            raise ClientRefusal("A bot cannot own an application.")
        self._world.application.owner_id = user.id
        return {}

    def _create_server(self, actor: Actor, name: str) -> None:
        if not _SHORTEST_NAME <= len(name.strip()) <= _LONGEST_NAME:
            raise ClientRefusal(f"A server's name has {_SHORTEST_NAME} to {_LONGEST_NAME} characters.")
        guild = self._world.add_guild(name.strip(), owner=actor.user, with_bot=False)
        self._world.add_channel(guild, "general", topic="The first channel of a new server")
        self._world.add_channel(guild, "moderators", topic="For those who run the server")
        self._discord.guilds_changed.notify()

    def _server(self, guild: Guild) -> Json:
        bot = self._world.bot.id
        channels = [self._channel(each) for each in self._world.guild_channels(guild)] if bot in guild.members else []
        members = [
            {"id": member.user_id, "owner": member.user_id == guild.owner_id, "roles": list(member.role_ids)}
            for member in guild.members.values()
        ]
        return {
            "id": guild.id,
            "name": guild.name,
            "has_app": bot in guild.members,
            "language": guild.locale,
            "roles": [self._role_view(guild, role) for role in guild.roles.values()],
            "members": members,
            "channels": channels,
        }

    def _role_view(self, guild: Guild, role: Role) -> Json:
        return {
            "id": role.id,
            "name": role.name,
            "fixed": role.id == guild.id or role.bot_id is not None,
            "everyone": role.id == guild.id,
            "count": sum(role.id in member.role_ids for member in guild.members.values()),
            "rights": [name for name, right in ROLE_RIGHTS.items() if role.permissions & right],
        }

    def _channel(self, channel: Channel) -> Json:
        held, common = self._rights_of_bot(channel), self._rights_of_everyone(channel)
        return {
            "id": channel.id,
            "name": channel.name,
            "nsfw": channel.nsfw,
            "rights": [name for name, right in BOT_RIGHTS.items() if held & right],
            "everyone": [name for name, right in BOT_RIGHTS.items() if common & right],
            "all": held == ALL,
        }

    def _rights_of_bot(self, channel: Channel) -> int:
        return self._world.permissions(self._world.bot.id, channel)

    def _rights_of_everyone(self, channel: Channel) -> int:
        """Return the rights of a member without roles."""
        nobody = Member(user_id="0", joined_at=0.0)
        return channel_permissions(self._world.guilds[channel.guild_id or ""], nobody, channel)

    def _guild(self, body: Json) -> Guild:
        return self._world.guilds[read_text(body, "guild")]

    def _role(self, guild: Guild, body: Json) -> Role:
        return self._world.role(guild, read_text(body, "role"))
