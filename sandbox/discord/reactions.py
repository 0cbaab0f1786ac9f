"""Reactions of people and the bot to messages."""

from typing import Final

from sandbox.discord.emoji import emoji_key, emoji_payload, is_emoji
from sandbox.discord.encoding import Json
from sandbox.discord.entities import Channel, Message, Reaction, User
from sandbox.discord.errors import (
    MISSING_PERMISSIONS,
    THREAD_ARCHIVED,
    TOO_MANY_REACTIONS,
    UNKNOWN_EMOJI,
    api_error,
)
from sandbox.discord.gateway import DIRECT_REACTIONS_INTENT, GUILD_REACTIONS_INTENT, Gateway
from sandbox.discord.messages import MessageStore
from sandbox.discord.payloads import member_payload
from sandbox.discord.permissions import Permission
from sandbox.discord.state import World

MOST_EMOJI: Final = 20
"""Different emoji on one message."""


class Reactions:
    """Adds and removes reactions, announced to the bot by intents.

    All methods raise `ApiError` with Discord's code.
    """

    def __init__(self, world: World, messages: MessageStore, gateway: Gateway) -> None:
        self._world = world
        self._messages = messages
        self._gateway = gateway

    def add(self, message: Message, user: User, emoji: str) -> None:
        """Add a reaction; the first one with an emoji needs a right."""
        channel = self._open_channel(message)
        self._require(user, channel, Permission.READ_MESSAGE_HISTORY)
        key = _checked_key(emoji)
        reaction = message.reactions.get(key)
        if reaction is None:
            self._require(user, channel, Permission.ADD_REACTIONS)
            if len(message.reactions) >= MOST_EMOJI:
                raise api_error(TOO_MANY_REACTIONS)
            reaction = message.reactions[key] = Reaction(emoji=emoji)
        if user.id in reaction.user_ids:
            return
        reaction.user_ids.append(user.id)
        self._messages.touch(message, "reaction")
        data = self._event_data(message, user, reaction.emoji) | {"message_author_id": message.author_id}
        guild = None if message.guild_id is None else self._world.guilds[message.guild_id]
        if guild is not None and user.id in guild.members:
            data["member"] = member_payload(guild.members[user.id], self._world)
        self._dispatch("MESSAGE_REACTION_ADD", message, {**data, "burst": False, "type": 0})

    def remove(self, message: Message, user_id: str, emoji: str, *, by: User) -> None:
        """Remove a reaction; another's needs the right to manage messages."""
        channel = self._open_channel(message)
        if by.id != user_id:
            self._require(by, channel, Permission.MANAGE_MESSAGES)
        key = _checked_key(emoji)
        reaction = message.reactions.get(key)
        if reaction is None or user_id not in reaction.user_ids:
            return
        reaction.user_ids.remove(user_id)
        if not reaction.user_ids:
            del message.reactions[key]
        self._messages.touch(message, "reaction")
        data = self._event_data(message, self._world.users[user_id], reaction.emoji)
        self._dispatch("MESSAGE_REACTION_REMOVE", message, {**data, "burst": False, "type": 0})

    def clear(self, message: Message, emoji: str | None = None, *, by: User) -> None:
        """Remove everybody's reactions: all of them, or those with one emoji."""
        self._require(by, self._open_channel(message), Permission.MANAGE_MESSAGES)
        key = None if emoji is None else _checked_key(emoji)
        if key is None:
            message.reactions.clear()
        elif message.reactions.pop(key, None) is None:
            return
        self._messages.touch(message, "reaction")
        data = self._place(message)
        if emoji is None:
            self._dispatch("MESSAGE_REACTION_REMOVE_ALL", message, data)
        else:
            self._dispatch("MESSAGE_REACTION_REMOVE_EMOJI", message, {**data, "emoji": emoji_payload(emoji)})

    def people(self, message: Message, emoji: str) -> list[User]:
        """Return the users behind an emoji on a message, by their ids."""
        reaction = message.reactions.get(_checked_key(emoji))
        return [self._world.users[each] for each in sorted(reaction.user_ids if reaction else (), key=int)]

    def _open_channel(self, message: Message) -> Channel:
        channel = self._world.channels[message.channel_id]
        if channel.archived:
            raise api_error(THREAD_ARCHIVED)
        return channel

    def _require(self, user: User, channel: Channel, needed: Permission) -> None:
        if not self._world.may(user.id, channel, needed):
            raise api_error(MISSING_PERMISSIONS)

    def _place(self, message: Message) -> Json:
        place: Json = {"channel_id": message.channel_id, "message_id": message.id}
        return place if message.guild_id is None else {**place, "guild_id": message.guild_id}

    def _event_data(self, message: Message, user: User, emoji: str) -> Json:
        return {**self._place(message), "user_id": user.id, "emoji": emoji_payload(emoji)}

    def _dispatch(self, event: str, message: Message, data: Json) -> None:
        if self._world.may(self._world.bot.id, self._world.channels[message.channel_id], Permission.VIEW_CHANNEL):
            intent = DIRECT_REACTIONS_INTENT if message.guild_id is None else GUILD_REACTIONS_INTENT
            self._gateway.dispatch(event, data, guild_id=message.guild_id, intent=intent)


def _checked_key(emoji: str) -> str:
    if not is_emoji(emoji):
        raise api_error(UNKNOWN_EMOJI)
    return emoji_key(emoji)
