"""JSON of users, members, guilds, channels and the application."""

from sandbox.discord.encoding import Json, stamp
from sandbox.discord.entities import (
    DEFAULT_ARCHIVE_MINUTES,
    DIRECT_MESSAGE_CHANNEL,
    FORUM_CHANNEL,
    GROUP_CHANNEL,
    VOCAL_CHANNELS,
    Application,
    Channel,
    ForumTag,
    Guild,
    Member,
    Role,
    User,
)
from sandbox.discord.permissions import Permission, guild_permissions
from sandbox.discord.state import World


def user_payload(user: User) -> Json:
    """Return a user as everybody sees it."""
    payload: Json = {
        "id": user.id,
        "username": user.name,
        "avatar": None,
        "discriminator": "0",
        "public_flags": 0,
        "flags": 0,
        "global_name": user.display_name,
        "primary_guild": None,
        "avatar_decoration_data": None,
    }
    if user.bot:
        payload["bot"] = True
    return payload


def own_user_payload(user: User) -> Json:
    """Return the bot's own account, as `/users/@me` shows it."""
    return {**user_payload(user), "mfa_enabled": True, "locale": user.locale, "verified": True, "email": None}


def application_payload(application: Application, world: World) -> Json:
    """Return the application and its owner as `/oauth2/applications/@me` does."""
    return {
        "id": application.id,
        "name": application.name,
        "icon": None,
        "description": "",
        "type": None,
        "bot": user_payload(world.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": application.signing_key.public_key().public_bytes_raw().hex(),
        "flags": 0,
        "flags_new": "0",
        "redirect_uris": [],
        "rpc_origins": [],
        "interactions_endpoint_url": application.interactions_url,
        "role_connections_verification_url": None,
        "owner": user_payload(world.users[application.owner_id]),
        "approximate_guild_count": sum(world.bot.id in guild.members for guild in world.guilds.values()),
        "approximate_user_install_count": sum(user.has_app for user in world.users.values()),
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "team": _team_payload(application, world) if application.team else None,
        "eligible_oauth2_scopes": [],
        "integration_types_config": {str(each): {} for each in application.installable},
    }


def _team_payload(application: Application, world: World) -> Json:
    members = [
        {
            "user": user_payload(world.users[member.user_id]),
            "team_id": application.id,
            "membership_state": 2 if member.accepted else 1,
            "permissions": ["*"],
            "role": member.role,
        }
        for member in application.team
    ]
    return {
        "id": application.id,
        "name": "Team",
        "icon": None,
        "owner_user_id": application.owner_id,
        "members": members,
    }


def member_payload(member: Member, world: World) -> Json:
    """Return a membership with its user."""
    return {
        "user": user_payload(world.users[member.user_id]),
        "nick": member.nick,
        "avatar": None,
        "banner": None,
        "roles": list(member.role_ids),
        "joined_at": stamp(member.joined_at),
        "premium_since": None,
        "communication_disabled_until": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }


def role_payload(role: Role) -> Json:
    """Return a role."""
    payload: Json = {
        "id": role.id,
        "name": role.name,
        "description": None,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": role.bot_id is not None,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    if role.bot_id is not None:
        payload["tags"] = {"bot_id": role.bot_id}
    return payload


def channel_payload(channel: Channel, world: World) -> Json:
    """Return a channel of a guild or a direct message."""
    last = next(reversed(channel.messages), None)
    if channel.kind == FORUM_CHANNEL:
        last = max((each.id for each in world.threads_of(channel)), key=int, default=None)
    if channel.kind in (DIRECT_MESSAGE_CHANNEL, GROUP_CHANNEL):
        recipients = [
            user_payload(world.users[each]) for each in channel.people or filter(None, [channel.recipient_id])
        ]
        return {"id": channel.id, "type": channel.kind, "flags": 0, "last_message_id": last, "recipients": recipients}
    if channel.parent_id is not None:
        return _thread_payload(channel, world, last)
    vocal = {"bitrate": 64000, "user_limit": 0, "rtc_region": None} if channel.kind in VOCAL_CHANNELS else {}
    return {
        **vocal,
        **(_forum_fields(channel) if channel.kind == FORUM_CHANNEL else {}),
        "id": channel.id,
        "type": channel.kind,
        "guild_id": channel.guild_id,
        "name": channel.name,
        "topic": channel.topic,
        "position": channel.position,
        "nsfw": channel.nsfw,
        "flags": channel.flags,
        "parent_id": None,
        "rate_limit_per_user": 0,
        "last_message_id": last,
        "last_pin_timestamp": None if channel.last_pin_at is None else stamp(channel.last_pin_at),
        "permission_overwrites": [
            {"id": each.id, "type": each.kind, "allow": str(int(each.allow)), "deny": str(int(each.deny))}
            for each in channel.overwrites
        ],
    }


def _forum_fields(forum: Channel) -> Json:
    reaction = None if forum.default_reaction is None else {"emoji_id": None, "emoji_name": forum.default_reaction}
    return {
        "available_tags": [_tag_payload(tag) for tag in forum.tags],
        "default_reaction_emoji": reaction,
        "default_sort_order": None,
        "default_forum_layout": 0,
        "default_auto_archive_duration": DEFAULT_ARCHIVE_MINUTES,
        "default_thread_rate_limit_per_user": 0,
    }


def _tag_payload(tag: ForumTag) -> Json:
    return {"id": tag.id, "name": tag.name, "moderated": tag.moderated, "emoji_id": None, "emoji_name": tag.emoji}


def _thread_payload(thread: Channel, world: World, last: str | None) -> Json:
    parent = world.channels.get(thread.parent_id or "")
    in_forum = parent is not None and parent.kind == FORUM_CHANNEL
    # The starter message is not counted.
    count = sum(not each.deleted and each.id != thread.id for each in thread.messages.values())
    return {
        **({"applied_tags": list(thread.applied_tags)} if in_forum else {}),
        "id": thread.id,
        "type": thread.kind,
        "guild_id": thread.guild_id,
        "parent_id": thread.parent_id,
        "owner_id": thread.owner_id or world.bot.id,
        "name": thread.name,
        "flags": thread.flags,
        "rate_limit_per_user": 0,
        "last_message_id": last,
        "last_pin_timestamp": None if thread.last_pin_at is None else stamp(thread.last_pin_at),
        "message_count": count,
        "member_count": 1,
        "total_message_sent": count,
        "thread_metadata": {
            "archived": thread.archived,
            "archive_timestamp": stamp(thread.archived_at or thread.created_at),
            "auto_archive_duration": thread.archive_minutes,
            "locked": thread.locked,
            "create_timestamp": stamp(thread.created_at),
        },
    }


def guild_payload(guild: Guild, world: World) -> Json:
    """Return a guild as `GET /guilds/{id}` shows it."""
    return {
        "id": guild.id,
        "name": guild.name,
        "owner_id": guild.owner_id,
        "icon": None,
        "description": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "home_header": None,
        "features": list(guild.features),
        "preferred_locale": guild.locale,
        "region": "",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "application_id": None,
        "widget_enabled": False,
        "widget_channel_id": None,
        "verification_level": 1,
        "default_message_notifications": 1,
        "explicit_content_filter": 2,
        "mfa_level": 0,
        "nsfw_level": 0,
        "nsfw": False,
        "premium_tier": guild.premium_tier,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "vanity_url_code": None,
        "max_members": 500000,
        "max_presences": None,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
        "emojis": [],
        "stickers": [],
        "roles": [role_payload(role) for role in guild.roles.values()],
        "incidents_data": None,
        "hub_type": None,
        "latest_onboarding_question_id": None,
        "owner_configured_content_level": 0,
        "inventory_settings": None,
        "application_command_counts": {},
        "approximate_member_count": len(guild.members),
        "approximate_presence_count": len(guild.members),
        "channels": [channel_payload(channel, world) for channel in world.guild_channels(guild)],
    }


def own_guild_payload(guild: Guild, world: World, *, counted: bool) -> Json:
    """Return a guild in brief, with the bot's permissions in it."""
    payload: Json = {
        "id": guild.id,
        "name": guild.name,
        "icon": None,
        "banner": None,
        "owner": guild.owner_id == world.bot.id,
        "permissions": str(int(guild_permissions(guild, guild.members[world.bot.id]))),
        "features": list(guild.features),
    }
    if counted:
        payload.update(approximate_member_count=len(guild.members), approximate_presence_count=len(guild.members))
    return payload


def guild_create_payload(guild: Guild, world: World, *, all_members: bool) -> Json:
    """Return GUILD_CREATE's data.

    Without the members intent only the bot itself is listed, like on Discord.
    """
    listed = [member for member in guild.members.values() if all_members or member.user_id == world.bot.id]
    return {
        **guild_payload(guild, world),
        "unavailable": False,
        "joined_at": stamp(guild.members[world.bot.id].joined_at),
        "large": False,
        "member_count": len(guild.members),
        "members": [member_payload(member, world) for member in listed],
        "threads": [
            channel_payload(each, world)
            for each in world.channels.values()
            if each.guild_id == guild.id and each.parent_id is not None and not each.archived
            if world.may(world.bot.id, each, Permission.VIEW_CHANNEL)
        ],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }
