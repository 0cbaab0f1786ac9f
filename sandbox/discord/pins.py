"""Pinned messages of channels."""

from typing import Final

from sandbox.discord.encoding import Json, stamp
from sandbox.discord.entities import PIN_NOTICE, Channel, Message, User
from sandbox.discord.errors import (
    MISSING_PERMISSIONS,
    SYSTEM_MESSAGE,
    THREAD_ARCHIVED,
    TOO_MANY_PINS,
    api_error,
)
from sandbox.discord.gateway import DIRECT_MESSAGES_INTENT, GUILDS_INTENT, Gateway
from sandbox.discord.messages import NOTICES, MessageForm, MessageStore
from sandbox.discord.permissions import Permission
from sandbox.discord.state import World

MOST_PINS: Final = 250
"""Pinned messages of one channel."""
_APART_SECONDS: Final = 0.001


class Pins:
    """Pins and unpins messages; a pin is announced in the channel.

    Raises:
        ApiError: The person lacks the right, or Discord would refuse the message.
    """

    def __init__(self, world: World, messages: MessageStore, gateway: Gateway) -> None:
        self._world = world
        self._messages = messages
        self._gateway = gateway

    def pinned(self, channel: Channel) -> list[Message]:
        """Return a channel's pinned messages, the latest pin first."""
        found = [each for each in channel.messages.values() if each.pinned_at is not None and not each.deleted]
        return sorted(found, key=lambda each: (each.pinned_at or 0.0, int(each.id)), reverse=True)

    def pin(self, message: Message, by: User) -> None:
        """Pin a message; a pinned one stays as it is."""
        channel = self._checked_channel(message, by)
        if message.kind in NOTICES:
            raise api_error(SYSTEM_MESSAGE)
        if message.pinned_at is not None:
            return
        if len(self.pinned(channel)) >= MOST_PINS:
            raise api_error(TOO_MANY_PINS)
        # Pages of pins are cut at these times, so each needs its own.
        after_last = (channel.last_pin_at or 0.0) + _APART_SECONDS
        message.pinned_at = channel.last_pin_at = round(max(self._world.now(), after_last), 3)
        self._messages.touch(message, "update")
        self._announce(channel)
        reference: Json = {"type": 0, "channel_id": channel.id, "message_id": message.id}
        if message.guild_id is not None:
            reference["guild_id"] = message.guild_id
        self._messages.create(channel, by.id, MessageForm(), kind=PIN_NOTICE, reference=reference)

    def unpin(self, message: Message, by: User) -> None:
        """Unpin a message."""
        channel = self._checked_channel(message, by)
        if message.pinned_at is not None:
            message.pinned_at = None
            self._messages.touch(message, "update")
            self._announce(channel)

    def _checked_channel(self, message: Message, by: User) -> Channel:
        channel = self._world.channels[message.channel_id]
        if channel.guild_id is not None and not self._world.may(by.id, channel, Permission.PIN_MESSAGES):
            raise api_error(MISSING_PERMISSIONS)
        if channel.archived:
            raise api_error(THREAD_ARCHIVED)
        return channel

    def _announce(self, channel: Channel) -> None:
        if not self._world.may(self._world.bot.id, channel, Permission.VIEW_CHANNEL):
            return
        last = None if channel.last_pin_at is None else stamp(channel.last_pin_at)
        data: Json = {"channel_id": channel.id, "last_pin_timestamp": last}
        intent = DIRECT_MESSAGES_INTENT
        if channel.guild_id is not None:
            data["guild_id"], intent = channel.guild_id, GUILDS_INTENT
        self._gateway.dispatch("CHANNEL_PINS_UPDATE", data, guild_id=channel.guild_id, intent=intent)
