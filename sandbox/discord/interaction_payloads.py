"""The bot's event for a person's action: INTERACTION_CREATE in full."""

from sandbox.discord.encoding import Json
from sandbox.discord.entities import Channel, User
from sandbox.discord.installations import context_of
from sandbox.discord.interactions import Interaction, InteractionKind
from sandbox.discord.messages import MessageStore
from sandbox.discord.payloads import channel_payload, member_payload, user_payload
from sandbox.discord.permissions import DIRECT_MESSAGE, Permission
from sandbox.discord.state import World
from sandbox.discord.store import entitlement_payload

_OUTSIDER = Permission.EMBED_LINKS | Permission.ATTACH_FILES | Permission.USE_EXTERNAL_EMOJIS
"""Permissions of an application outside the guild."""


def seen_member(world: World, user: User, channel: Channel) -> Json:
    """Return the member with their permissions in this channel."""
    guild = world.guilds[channel.guild_id or ""]
    payload = member_payload(guild.members[user.id], world)
    return {**payload, "permissions": str(int(world.permissions(user.id, channel)))}


def interaction_payload(interaction: Interaction, world: World, messages: MessageStore) -> Json:
    """Return the event's data for one interaction."""
    channel, user = interaction.channel, interaction.user
    owned = world.active_entitlements(user.id, channel.guild_id)
    payload: Json = {
        "id": interaction.id,
        "application_id": world.application.id,
        "type": int(interaction.kind),
        "token": interaction.token,
        "version": 1,
        "data": interaction.data,
        "channel_id": channel.id,
        "channel": {
            **channel_payload(channel, world),
            "permissions": str(int(world.permissions(user.id, channel))),
        },
        "locale": user.locale,
        "entitlements": [entitlement_payload(each, world) for each in owned],
        "entitlement_sku_ids": list(dict.fromkeys(each.sku_id for each in owned)),
        "authorizing_integration_owners": interaction.owners,
        "context": int(context_of(channel)),
        "attachment_size_limit": interaction.upload_limit,
    }
    if channel.guild_id is None:
        payload["user"] = user_payload(user)
        payload["app_permissions"] = str(int(_OUTSIDER) if channel.people else DIRECT_MESSAGE)
    else:
        guild = world.guilds[channel.guild_id]
        present = world.bot.id in guild.members
        payload["guild_id"] = guild.id
        payload["guild"] = {"id": guild.id, "locale": guild.locale, "features": list(guild.features)}
        payload["guild_locale"] = guild.locale
        payload["member"] = seen_member(world, user, channel)
        payload["app_permissions"] = str(int(world.permissions(world.bot.id, channel) if present else _OUTSIDER))
    if interaction.message is not None and interaction.kind in (InteractionKind.COMPONENT, InteractionKind.MODAL):
        payload["message"] = messages.render(interaction.message)
    return payload
