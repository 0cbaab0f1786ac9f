"""Installations of the application, and the commands offered by each.

See Discord: Installation Contexts.
"""

from collections.abc import Iterable
from enum import IntEnum

from sandbox.discord.encoding import Json
from sandbox.discord.entities import Channel, User
from sandbox.discord.state import World


class Install(IntEnum):
    """An installation of the application: on a server or on an account."""

    GUILD = 0
    USER = 1


class Context(IntEnum):
    """A place: a server, the direct message with the bot, or among people."""

    GUILD = 0
    BOT_DM = 1
    PRIVATE = 2


def context_of(channel: Channel) -> Context:
    """Return a channel's kind of place."""
    if channel.guild_id is not None:
        return Context.GUILD
    return Context.PRIVATE if channel.people else Context.BOT_DM


def installs_at(world: World, user: User, channel: Channel) -> set[Install]:
    """Return a person's installations of the application in a channel."""
    found = {Install.USER} if user.has_app else set()
    match context_of(channel):
        case Context.GUILD:
            here = world.bot.id in world.guilds[channel.guild_id or ""].members
        case Context.BOT_DM:
            here = world.share_guild(user.id) or not user.has_app
        case Context.PRIVATE:
            here = False
    return found | {Install.GUILD} if here else found


def is_offered(command: Json, world: World, user: User, channel: Channel) -> bool:
    """Return True if `integration_types` and `contexts` allow a command here."""
    contexts = command.get("contexts")
    if contexts is not None and context_of(channel) not in contexts:
        return False
    return bool(_types(command) & installs_at(world, user, channel))


def owners_of(types: Iterable[int], world: World, user: User, channel: Channel) -> Json:
    """Return `authorizing_integration_owners` for these installations here."""
    allowed = set(types) & installs_at(world, user, channel)
    owners: Json = {}
    if Install.GUILD in allowed:
        owners[str(int(Install.GUILD))] = channel.guild_id or "0"
    if Install.USER in allowed:
        owners[str(int(Install.USER))] = user.id
    return owners


def types_of(command: Json | None) -> set[int]:
    """Return a command's installations; all of them for an unknown command."""
    return _types(command or {})


def _types(command: Json) -> set[int]:
    if "guild_id" in command:
        return {Install.GUILD}
    return set(command.get("integration_types") or Install)
