"""Channels and messages of a request, by the bot's permissions."""

from datetime import UTC, datetime

from sandbox.discord.entities import DEFAULT_UPLOAD_LIMIT, Channel, Message
from sandbox.discord.errors import (
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    FormErrors,
    api_error,
)
from sandbox.discord.http_request import Call
from sandbox.discord.permissions import Permission
from sandbox.discord.state import World


class ChannelAccess:
    """Finds the channel and message of a request; no ephemeral ones."""

    def __init__(self, world: World) -> None:
        self._world = world

    def channel(self, call: Call, *needed: Permission) -> Channel:
        """Return the channel, if the bot sees it and has these rights."""
        channel = self._world.channels.get(call.params["channel_id"])
        if channel is None:
            raise api_error(UNKNOWN_CHANNEL)
        if not self._world.may(self._world.bot.id, channel, Permission.VIEW_CHANNEL):
            raise api_error(MISSING_ACCESS)
        for permission in needed:
            self.require(channel, permission)
        return channel

    def require(self, channel: Channel, permission: Permission) -> None:
        """Require a right of the bot in a channel."""
        if not self._world.may(self._world.bot.id, channel, permission):
            raise api_error(MISSING_PERMISSIONS)

    def message(self, call: Call, channel: Channel) -> Message:
        """Return the request's message in a channel."""
        message = channel.messages.get(call.params["message_id"])
        if message is None or message.deleted or message.ephemeral:
            raise api_error(UNKNOWN_MESSAGE)
        return message

    def upload_limit(self, channel: Channel) -> int:
        """Return the bytes a file may have in a channel."""
        return DEFAULT_UPLOAD_LIMIT if channel.guild_id is None else self._world.guilds[channel.guild_id].upload_limit


def page_size(call: Call, *, default: int, least: int = 1, most: int) -> int:
    """Return the request's `limit`."""
    given = call.query.get("limit", str(default))
    if not given.isdecimal() or not least <= int(given) <= most:
        form = FormErrors()
        form.add(("limit",), "NUMBER_TYPE_MAX", f"int value should be between {least} and {most}.")
        form.raise_if_any()
    return int(given)


def moment_before(call: Call) -> float | None:
    """Return the request's `before`, a time, in Unix seconds."""
    given = call.query.get("before")
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        form = FormErrors()
        form.add(("before",), "DATETIME_TYPE_PARSE", f"Could not parse {given}. Should be ISO8601.")
        form.raise_if_any()
        raise
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
