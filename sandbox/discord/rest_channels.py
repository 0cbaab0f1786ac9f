"""Routes for the bot token: channels, direct messages, messages."""

from itertools import islice

from sandbox.discord.encoding import Json
from sandbox.discord.entities import DEFAULT_UPLOAD_LIMIT, EPHEMERAL, REPLY, Channel, Message
from sandbox.discord.errors import (
    FOREIGN_AUTHOR,
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    NO_DIRECT_MESSAGES,
    NO_MUTUAL_GUILDS,
    UNKNOWN_CHANNEL,
    UNKNOWN_MESSAGE,
    UNKNOWN_USER,
    FormErrors,
    api_error,
)
from sandbox.discord.http_request import NO_CONTENT, Call, Reply, Route
from sandbox.discord.mentions import readable
from sandbox.discord.messages import MessageForm, MessageStore
from sandbox.discord.payloads import channel_payload
from sandbox.discord.permissions import Permission
from sandbox.discord.state import World

_MESSAGES = "/channels/{channel_id}/messages"
_PAGE = 50
_MOST = 100


class ChannelRoutes:
    """Serves by the bot's permissions; ephemeral messages do not exist here."""

    def __init__(self, world: World, messages: MessageStore) -> None:
        self._world = world
        self._messages = messages

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("POST", "/users/@me/channels", self.open_direct_message),
            Route("GET", "/channels/{channel_id}", self.channel),
            Route("PATCH", "/channels/{channel_id}", self.edit_thread),
            Route("GET", _MESSAGES, self.list_messages),
            Route("POST", _MESSAGES, self.post),
            Route("GET", _MESSAGES + "/{message_id}", self.get),
            Route("PATCH", _MESSAGES + "/{message_id}", self.edit),
            Route("DELETE", _MESSAGES + "/{message_id}", self.delete),
        ]

    def open_direct_message(self, call: Call) -> Reply:
        """Return the direct message with a user, opened when there is none."""
        recipient = call.json.get("recipient_id")
        form = FormErrors()
        if recipient is None:
            form.required(("recipient_id",))
        elif not str(recipient).isdecimal():
            form.add(("recipient_id",), "NUMBER_TYPE_COERCE", f'Value "{recipient}" is not snowflake.')
        form.raise_if_any()
        user = self._world.users.get(str(recipient))
        if user is None:
            raise api_error(UNKNOWN_USER)
        if user.bot:
            raise api_error(NO_DIRECT_MESSAGES)
        return Reply(channel_payload(self._world.direct_message(user.id), self._world))

    def channel(self, call: Call) -> Reply:
        """Return a channel."""
        return Reply(channel_payload(self._channel(call), self._world))

    def edit_thread(self, call: Call) -> Reply:
        """Archive a thread or reopen it.

        Everyone with permission to write there may do so, unless moderators locked it.
        """
        thread = self._channel(call)
        if thread.parent_id is None:
            self._require(thread, Permission.MANAGE_CHANNELS)
        elif thread.locked or "locked" in call.json:
            self._require(thread, Permission.MANAGE_THREADS)
        else:
            self._require(thread, Permission.SEND_MESSAGES_IN_THREADS)
        thread.archived = bool(call.json.get("archived", thread.archived))
        thread.locked = bool(call.json.get("locked", thread.locked))
        return Reply(channel_payload(thread, self._world))

    def list_messages(self, call: Call) -> Reply:
        """Return the latest messages, newest first, or those before or after one."""
        channel = self._channel(call, Permission.READ_MESSAGE_HISTORY)
        limit = min(int(call.query.get("limit", _PAGE)), _MOST)
        before, after = call.query.get("before"), call.query.get("after")
        seen = (each for each in reversed(channel.messages.values()) if not each.deleted and not each.ephemeral)
        if before is not None:
            seen = (each for each in seen if int(each.id) < int(before))
        if after is not None:
            newer = [each for each in seen if int(each.id) > int(after)]
            return Reply([self._seen(each) for each in newer[-limit:]])
        return Reply([self._seen(each) for each in islice(seen, limit)])

    def post(self, call: Call) -> Reply:
        """Post a message as the bot."""
        channel = self._channel(call, Permission.SEND_MESSAGES)
        if channel.recipient_id is not None:
            self._require_reachable(channel.recipient_id)
        if call.files:
            self._require(channel, Permission.ATTACH_FILES)
        if (call.json.get("flags") or 0) & EPHEMERAL:
            form = FormErrors()
            form.add(("flags",), "INVALID_FLAGS", "These flags cannot be set here.")
            form.raise_if_any()
        reference = call.json.get("message_reference")
        if reference is not None:
            self._require(channel, Permission.READ_MESSAGE_HISTORY)
        message = self._messages.create(
            channel,
            self._world.bot.id,
            self._form(call, channel),
            kind=0 if reference is None else REPLY,
            reference=None if reference is None else _reference(reference, channel),
        )
        return Reply(self._messages.render(message))

    def get(self, call: Call) -> Reply:
        """Return a message."""
        return Reply(self._seen(self._message(call, self._channel(call, Permission.READ_MESSAGE_HISTORY))))

    def edit(self, call: Call) -> Reply:
        """Change one of the bot's own messages."""
        channel = self._channel(call)
        message = self._message(call, channel)
        if message.author_id != self._world.bot.id:
            raise api_error(FOREIGN_AUTHOR)
        self._messages.edit(message, self._form(call, channel))
        return Reply(self._messages.render(message))

    def delete(self, call: Call) -> Reply:
        """Delete a message.

        Other authors' messages need the permission to manage messages.
        """
        channel = self._channel(call)
        message = self._message(call, channel)
        if message.author_id != self._world.bot.id:
            self._require(channel, Permission.MANAGE_MESSAGES)
        self._messages.delete(message)
        return NO_CONTENT

    def _seen(self, message: Message) -> Json:
        return readable(self._world, message, self._messages.render(message))

    def _form(self, call: Call, channel: Channel) -> MessageForm:
        limit = DEFAULT_UPLOAD_LIMIT if channel.guild_id is None else self._world.guilds[channel.guild_id].upload_limit
        return MessageForm(payload=call.json, files=call.files, upload_limit=limit)

    def _channel(self, call: Call, *needed: Permission) -> Channel:
        channel = self._world.channels.get(call.params["channel_id"])
        if channel is None:
            raise api_error(UNKNOWN_CHANNEL)
        if not self._world.may(self._world.bot.id, channel, Permission.VIEW_CHANNEL):
            raise api_error(MISSING_ACCESS)
        for permission in needed:
            self._require(channel, permission)
        return channel

    def _require(self, channel: Channel, permission: Permission) -> None:
        if not self._world.may(self._world.bot.id, channel, permission):
            raise api_error(MISSING_PERMISSIONS)

    def _require_reachable(self, user_id: str) -> None:
        # Who has the application on their own account can be written to as well.
        if not (self._world.share_guild(user_id) or self._world.users[user_id].has_app):
            raise api_error(NO_MUTUAL_GUILDS)
        if not self._world.users[user_id].takes_direct_messages:
            raise api_error(NO_DIRECT_MESSAGES)

    @staticmethod
    def _message(call: Call, channel: Channel) -> Message:
        message = channel.messages.get(call.params["message_id"])
        if message is None or message.deleted or message.ephemeral:
            raise api_error(UNKNOWN_MESSAGE)
        return message


def _reference(given: Json, channel: Channel) -> Json:
    """Return a reference as messages show it: with ids as texts."""
    reference: Json = {"type": 0, "channel_id": channel.id, **given}
    reference.pop("fail_if_not_exists", None)
    return {key: str(value) if key.endswith("_id") else value for key, value in reference.items()}
