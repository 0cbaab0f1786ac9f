"""Permission bits, and adding up roles and channel overwrites."""

from enum import IntFlag

from sandbox.discord.entities import Channel, Guild, Member


class Permission(IntFlag):
    """The permission bits in use here (Discord: Topics, Permissions)."""

    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51


ALL = (1 << 53) - 1

MEMBER_DEFAULT = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.ADD_REACTIONS
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.CONNECT
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.USE_EXTERNAL_APPS
)

DIRECT_MESSAGE = int(MEMBER_DEFAULT)
"""Permissions of both sides of a direct message."""


def to_write(channel: Channel) -> Permission:
    """Return the permission to write in a channel; threads have one apart."""
    return Permission.SEND_MESSAGES if channel.parent_id is None else Permission.SEND_MESSAGES_IN_THREADS


def guild_permissions(guild: Guild, member: Member) -> int:
    """Return a member's permissions in `guild`, before channel overwrites."""
    if member.user_id == guild.owner_id:
        return ALL
    held = guild.roles[guild.id].permissions
    for role_id in member.role_ids:
        held |= guild.roles[role_id].permissions
    return ALL if held & Permission.ADMINISTRATOR else held


def channel_permissions(guild: Guild, member: Member, channel: Channel) -> int:
    """Return a member's permissions in `channel`.

    Overwrites apply in this order: everyone, roles, member.
    """
    held = guild_permissions(guild, member)
    if held == ALL:
        return ALL
    by_id = {overwrite.id: overwrite for overwrite in channel.overwrites}
    everyone = by_id.get(guild.id)
    if everyone is not None:
        held = held & ~everyone.deny | everyone.allow
    roles = [by_id[role_id] for role_id in member.role_ids if role_id in by_id]
    for overwrite in roles:
        held &= ~overwrite.deny
    for overwrite in roles:
        held |= overwrite.allow
    own = by_id.get(member.user_id)
    if own is not None:
        held = held & ~own.deny | own.allow
    return held if held & Permission.VIEW_CHANNEL else 0
