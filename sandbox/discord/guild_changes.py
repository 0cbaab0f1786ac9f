"""Changes of servers by their people, announced to the bot by intents."""

from typing import Any, Final

from sandbox.discord.client_rules import ClientRefusal
from sandbox.discord.encoding import Json
from sandbox.discord.entities import Channel, Guild, Member, Overwrite, Role, User
from sandbox.discord.gateway import GUILDS_INTENT, MEMBERS_INTENT, Gateway
from sandbox.discord.notifier import Notifier
from sandbox.discord.payloads import (
    channel_payload,
    guild_create_payload,
    guild_payload,
    member_payload,
    role_payload,
    user_payload,
)
from sandbox.discord.permissions import Permission
from sandbox.discord.state import COMMUNITY, World

_LONGEST_NAME: Final = 100


class GuildChanges:
    """Changes roles, members, channels and the bot's membership.

    People, roles and servers are given as objects, names or ids. The bot gets the events that Discord would send it:
    those about roles and channels need the guilds intent, those about members the members intent, except the bot's own.

    Raises:
        ClientRefusal: Discord's client does not offer the change.
        KeyError: There is no such person, role or server.
    """

    def __init__(self, world: World, gateway: Gateway) -> None:
        self.world = world
        self.gateway = gateway
        self.guilds_changed = Notifier()

    def create_role(self, name: str, *, permissions: int = 0, guild: str | Guild = COMMUNITY) -> Role:
        """Create a role above the existing ones."""
        where = self._guild(guild)
        role = self.world.add_role(where, _checked_name(name), int(permissions))
        self._announce("GUILD_ROLE_CREATE", where, {"role": role_payload(role)})
        return role

    def edit_role(
        self,
        role: str | Role,
        *,
        name: str | None = None,
        permissions: int | None = None,
        guild: str | Guild = COMMUNITY,
    ) -> None:
        """Rename a role or replace its permissions."""
        where = self._guild(guild)
        edited = self._role(where, role)
        if name is not None:
            edited.name = _checked_name(name)
        if permissions is not None:
            edited.permissions = int(permissions)
        self._announce("GUILD_ROLE_UPDATE", where, {"role": role_payload(edited)})

    def delete_role(self, role: str | Role, *, guild: str | Guild = COMMUNITY) -> None:
        """Delete a role; its members lose it, its channel overwrites end."""
        where = self._guild(guild)
        gone = self._assignable(where, role)
        del where.roles[gone.id]
        for member in where.members.values():
            member.role_ids = [each for each in member.role_ids if each != gone.id]
        self._announce("GUILD_ROLE_DELETE", where, {"role_id": gone.id})
        for channel in self.world.guild_channels(where):
            if any(each.id == gone.id for each in channel.overwrites):
                self._replace_overwrites(channel, [each for each in channel.overwrites if each.id != gone.id])

    def give_role(self, user: str | User, role: str | Role, *, guild: str | Guild = COMMUNITY) -> None:
        """Give a member a role."""
        where = self._guild(guild)
        member, given = self._member(where, user), self._assignable(where, role)
        if given.id not in member.role_ids:
            member.role_ids.append(given.id)
            self._announce_member(where, member)

    def take_role(self, user: str | User, role: str | Role, *, guild: str | Guild = COMMUNITY) -> None:
        """Take a role from a member."""
        where = self._guild(guild)
        member, taken = self._member(where, user), self._assignable(where, role)
        if taken.id in member.role_ids:
            member.role_ids.remove(taken.id)
            self._announce_member(where, member)

    def join_guild(self, user: str | User, *roles: Role, guild: str | Guild = COMMUNITY) -> Member:
        """Let a person join a server, with these roles."""
        where, who = self._guild(guild), self._user(user)
        member = self.world.add_member(where, who, *roles)
        self._announce("GUILD_MEMBER_ADD", where, member_payload(member, self.world), intent=MEMBERS_INTENT)
        return member

    def leave_guild(self, user: str | User, *, guild: str | Guild = COMMUNITY) -> None:
        """Let a person leave a server; their roles there are lost."""
        where, who = self._guild(guild), self._user(user)
        self._member(where, who)
        if who.id == where.owner_id:
            raise ClientRefusal("A server's owner cannot leave it.")
        if who.id == self.world.bot.id:
            self.leave(where)
            return
        del where.members[who.id]
        self._announce("GUILD_MEMBER_REMOVE", where, {"user": user_payload(who)}, intent=MEMBERS_INTENT)

    def join(self, guild: Guild, *, permissions: int = 0) -> None:
        """Add the bot to a guild.

        Permissions of the invitation make a managed role, which people can neither assign nor delete.
        """
        if self.world.bot.id not in guild.members:
            member = self.world.add_member(guild, self.world.bot)
            if permissions:
                own = self.world.add_role(guild, self.world.bot.display_name, int(permissions))
                own.bot_id = self.world.bot.id
                member.role_ids.append(own.id)
        data = guild_create_payload(guild, self.world, all_members=False)
        # Only a guild that the bot had already joined is announced as available again.
        del data["unavailable"]
        self._dispatch("GUILD_CREATE", guild, data)

    def leave(self, guild: Guild) -> None:
        """Remove the bot from a guild, with its own role."""
        if guild.members.pop(self.world.bot.id, None) is None:
            return
        own = {role.id for role in guild.roles.values() if role.bot_id == self.world.bot.id}
        for role_id in own:
            del guild.roles[role_id]
        for channel in self.world.guild_channels(guild):
            channel.overwrites = [each for each in channel.overwrites if each.id not in own]
        self._dispatch("GUILD_DELETE", guild, {"id": guild.id})

    def delete_guild(self, guild: Guild) -> None:
        """Remove a guild with everything in it."""
        for channel in [*self.world.channels.values()]:
            if channel.guild_id == guild.id:
                del self.world.channels[channel.id]
        self.leave(guild)
        del self.world.guilds[guild.id]

    def edit_guild(self, guild: str | Guild = COMMUNITY, *, name: str | None = None, locale: str | None = None) -> None:
        """Rename a server, or set its language."""
        where = self._guild(guild)
        where.name = where.name if name is None else _checked_name(name)
        where.locale = locale or where.locale
        data = guild_payload(where, self.world)
        del data["channels"]
        self._announce("GUILD_UPDATE", where, data)

    def create_channel(self, name: str, *, guild: str | Guild = COMMUNITY, **how: Any) -> Channel:
        """Create a channel below the existing ones.

        `how` is as for `World.add_channel`.
        """
        where = self._guild(guild)
        channel = self.world.add_channel(where, _checked_name(name), **how)
        self._announce("CHANNEL_CREATE", where, channel_payload(channel, self.world))
        return channel

    def edit_channel(self, channel: str | Channel, **changes: Any) -> None:
        """Change fields of a channel, such as `nsfw`, `topic` and `tags`."""
        place = channel if isinstance(channel, Channel) else self.world.channel(channel)
        if "name" in changes:
            changes["name"] = _checked_name(changes["name"])
        for name, value in changes.items():
            setattr(place, name, value)
        self._announce("CHANNEL_UPDATE", self.world.guilds[place.guild_id or ""], channel_payload(place, self.world))

    def delete_channel(self, channel: Channel) -> None:
        """Delete a guild's channel with its threads and messages.

        Threads are deleted by `Threads.remove`.
        """
        for each in [*self.world.channels.values()]:
            if channel.id in (each.id, each.parent_id):
                del self.world.channels[each.id]
        data = {"id": channel.id, "type": channel.kind}
        self._announce("CHANNEL_DELETE", self.world.guilds[channel.guild_id or ""], data)

    def open_thread(self, parent: Channel, name: str) -> Channel:
        """Make a public thread in a channel, and announce it."""
        thread = self.world.add_thread(parent, name)
        data = {**channel_payload(thread, self.world), "newly_created": True}
        self._announce_thread("THREAD_CREATE", thread, data)
        return thread

    def set_overwrite(self, channel: str | Channel, target: Role | User, *, allow: int = 0, deny: int = 0) -> None:
        """Replace a role's or member's overwrite in a channel; 0 and 0 end it."""
        place = channel if isinstance(channel, Channel) else self.world.channel(channel)
        kept = [each for each in place.overwrites if each.id != target.id]
        if allow or deny:
            kept.append(
                Overwrite(id=target.id, kind=0 if isinstance(target, Role) else 1, allow=int(allow), deny=int(deny))
            )
        self._replace_overwrites(place, kept)

    def _replace_overwrites(self, channel: Channel, overwrites: list[Overwrite]) -> None:
        channel.overwrites = overwrites
        where = self.world.guilds[channel.guild_id or ""]
        self._announce("CHANNEL_UPDATE", where, channel_payload(channel, self.world))

    def _announce_member(self, guild: Guild, member: Member) -> None:
        own = member.user_id == self.world.bot.id
        data = member_payload(member, self.world)
        self._announce("GUILD_MEMBER_UPDATE", guild, data, intent=0 if own else MEMBERS_INTENT)

    def _announce(self, event: str, guild: Guild, data: Json, *, intent: int = GUILDS_INTENT) -> None:
        """Send an event about a guild to the bot, if the bot is in it."""
        if self.world.bot.id in guild.members:
            self._dispatch(event, guild, {**data, "guild_id": guild.id}, intent=intent)
        else:
            self.guilds_changed.notify()

    def _announce_thread(self, event: str, thread: Channel, data: Json) -> None:
        """Send an event about a thread to the bot, if the bot sees the thread."""
        if self.world.may(self.world.bot.id, thread, Permission.VIEW_CHANNEL):
            self._announce(event, self.world.guilds[thread.guild_id or ""], data)
        else:
            self.guilds_changed.notify()

    def _dispatch(self, event: str, guild: Guild, data: Json, *, intent: int = GUILDS_INTENT) -> None:
        self.gateway.dispatch(event, data, guild_id=guild.id, intent=intent)
        self.guilds_changed.notify()

    def _guild(self, guild: str | Guild) -> Guild:
        return guild if isinstance(guild, Guild) else self.world.guild(guild)

    def _user(self, user: str | User) -> User:
        return user if isinstance(user, User) else self.world.user(user)

    def _member(self, guild: Guild, user: str | User) -> Member:
        return guild.members[self._user(user).id]

    def _role(self, guild: Guild, role: str | Role) -> Role:
        return self.world.role(guild, role.id if isinstance(role, Role) else role)

    def _assignable(self, guild: Guild, role: str | Role) -> Role:
        """Return a role for people: neither @everyone nor a managed one."""
        found = self._role(guild, role)
        if found.id == guild.id or found.bot_id is not None:
            raise ClientRefusal(f"{found.name} can be neither given, taken nor deleted.")
        return found


def _checked_name(name: str) -> str:
    if not 1 <= len(name.strip()) <= _LONGEST_NAME:
        raise ClientRefusal(f"A name has 1 to {_LONGEST_NAME} characters.")
    return name.strip()
